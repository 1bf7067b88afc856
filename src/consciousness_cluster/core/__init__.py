"""What everything else stands on.

Neighbours use `errors`, `io`, `records`, `locks`, `artifact_cache`, `progress`, `shutdown`, `fingerprint` and
`provenance`; nothing here imports torch or pandas.
"""
