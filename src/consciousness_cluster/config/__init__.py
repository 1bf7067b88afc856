"""What users write: the experiment and its sections, the battery, model and training settings, API keys."""
