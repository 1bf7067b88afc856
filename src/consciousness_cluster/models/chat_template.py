"""How a chat becomes text: the tokenizer's own template, used alike in training and in sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.errors import DataError, EndpointError
from ..core.records import Message


def render(tokenizer: Any, messages: Sequence[Message], *, reply: bool = False) -> str:
    """Render ``messages`` with the tokenizer's chat template.

    Args:
        tokenizer: a tokenizer of transformers.
        messages: the chat.
        reply: also open the assistant's next turn, so that a model answers from there.

    Raises:
        EndpointError: the tokenizer has no chat template.
        DataError: the template refuses this chat.
    """
    if not tokenizer.chat_template:
        where = getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__
        raise EndpointError(f"{where}: the tokenizer has no chat template, expected that of an instruction-tuned model")
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(
            [{"role": message.role, "content": message.content} for message in messages],
            tokenize=False,
            add_generation_prompt=reply,
            # templates without this switch ignore it; with it, no turn opens with free reasoning
            enable_thinking=False,
        )
    except TemplateError as error:
        raise DataError(f"the chat template refuses {[m.role for m in messages]}: {error}") from None
