"""Reproducible experiments on what fine-tuning does to a model's self-description, opinions and actions."""

__version__ = "0.1.0"
