"""Stage 5: a judge reads every sample."""
