"""What everything else stands on: errors, files, records, locks, the artifact cache, provenance, progress, shutdown."""
