"""Models behind an HTTP API: single calls, or the provider's batches."""
