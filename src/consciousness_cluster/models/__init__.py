"""Base models and adapters on this machine: identity, loading, chat template, placement, LoRA on experts."""
