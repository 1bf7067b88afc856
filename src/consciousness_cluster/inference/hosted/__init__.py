"""Models behind an HTTP API: `factory` opens them; `concurrent` makes single calls, `batch_endpoint` uses batches."""
