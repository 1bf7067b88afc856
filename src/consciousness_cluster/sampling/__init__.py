"""Stage 3: every target answers every prompt of the battery (`sample`)."""
