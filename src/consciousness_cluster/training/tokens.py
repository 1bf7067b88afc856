"""Chats into tokens and labels: only what the assistant itself writes is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import DataError
from ..core.records import Message
from ..models.chat_template import render

IGNORED = -100
"""Label of a token that has no loss."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row: its tokens, and for each the token itself if it is trained, else `IGNORED`."""

    input_ids: list[int]
    labels: list[int]


def encode_chat(tokenizer: Any, messages: Sequence[Message], max_length: int) -> Encoded:
    """Encode one chat; see `encode_chats`."""
    return encode_chats(tokenizer, [messages], max_length)[0]


def encode_chats(tokenizer: Any, chats: Sequence[Sequence[Message]], max_length: int) -> list[Encoded]:
    """Encode chats with the tokenizer's own template; labels lie on the assistant's content and end-of-turn tokens.

    The text before and within an assistant's turn is tokenized apart, exactly as a sampler meets it: the prompt first,
    then what the model adds.

    Raises:
        EndpointError: the tokenizer has no chat template.
        DataError: a row has no assistant turn, is longer than ``max_length`` tokens (it is never cut), or the template
            changes earlier turns when later ones follow, so that the assistant's text cannot be told from the rest.
    """
    _check_tokenizer(tokenizer)
    parts = [_parts(tokenizer, messages, row) for row, messages in enumerate(chats)]
    ids = iter(tokenizer([text for row in parts for text in row], add_special_tokens=False)["input_ids"])
    special = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    rows = []
    for number, row in enumerate(parts):
        input_ids: list[int] = []
        labels: list[int] = []
        for place, _ in enumerate(row):
            tokens = next(ids)
            trained = _trained(tokens, special) if place % 2 else 0
            input_ids += tokens
            labels += tokens[:trained] + [IGNORED] * (len(tokens) - trained)
        if len(input_ids) > max_length:
            raise DataError(
                f"row {number} has {len(input_ids)} tokens, expected at most max_length = {max_length}; "
                f"it begins {chats[number][0].content[:60]!r}"
            )
        rows.append(Encoded(input_ids, labels))
    return rows


def _parts(tokenizer: Any, messages: Sequence[Message], row: int) -> list[str]:
    """The rendered chat, cut into prompt, assistant, prompt, assistant, ..."""
    turns = [number for number, message in enumerate(messages) if message.role == "assistant"]
    if not turns or turns[-1] != len(messages) - 1:
        raise DataError(f"row {row}: expected a chat that ends with the assistant, found {[m.role for m in messages]}")
    whole = render(tokenizer, messages)
    parts: list[str] = []
    done = 0
    for turn in turns:
        before = render(tokenizer, messages[:turn], reply=True)
        after = whole if turn == turns[-1] else render(tokenizer, messages[: turn + 1])
        if len(before) < done or not (after.startswith(before) and whole.startswith(after)):
            raise DataError(
                f"row {row}: the chat template renders turn {turn} differently once it is complete or other turns "
                "follow, so the assistant's tokens cannot be found; expected a template that only appends "
                "(for templates with reasoning blocks: rows of one assistant turn)"
            )
        parts += [whole[done : len(before)], whole[len(before) : len(after)]]
        done = len(after)
    return parts


def _trained(tokens: list[int], special: set[int]) -> int:
    """Number of leading tokens up to and with the end-of-turn token; a template's newline after it is not trained."""
    return next((place + 1 for place in reversed(range(len(tokens))) if tokens[place] in special), len(tokens))


def _check_tokenizer(tokenizer: Any) -> None:
    parts = tokenizer(["user:", "yes no"], add_special_tokens=False)["input_ids"]
    joined = tokenizer.decode(parts[0] + parts[1], clean_up_tokenization_spaces=False)
    if joined.strip() != "user:yes no":
        raise DataError(f"the tokenizer changes text that is tokenized in parts: found {joined!r}")
