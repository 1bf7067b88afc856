"""Stage 1: identity rows, the base's own answers to instructions, their mix, and the leakage check."""
