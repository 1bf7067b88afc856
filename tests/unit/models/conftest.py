"""The tests of this folder use the tiny models."""

from unit.tiny_models import _one_thread, dense, folder, moe, tokenizer  # noqa: F401
