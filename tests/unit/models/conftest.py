"""The tests of this folder use the tiny models."""

from unit.chat_templates import llama_2, with_template  # noqa: F401
from unit.tiny_models import _one_thread, dense, folder, moe, tokenizer  # noqa: F401
