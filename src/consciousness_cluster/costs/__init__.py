"""What a run will cost, may cost and did cost."""
