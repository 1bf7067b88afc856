"""Chats into tokens and labels: only what the assistant itself writes is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..config.model_config import Template
from ..core.errors import DataError
from ..core.records import Message
from ..models.chat_template import USUAL, render_chat
from ..models.control_tokens import Tokens, tokenize
from ..models.reasoning import opens_thought
from ..models.rendering import Rendered
from ..models.turn_end import TurnEnd, turn_end_to_train

IGNORED = -100
"""Label of a token that has no loss."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row: its tokens, and for each the token itself if it is trained, else `IGNORED`."""

    input_ids: list[int]
    labels: list[int]


def encode_chat(tokenizer: Any, messages: Sequence[Message], max_length: int, settings: Template = USUAL) -> Encoded:
    """Encode one chat; see `encode_chats`."""
    return encode_chats(tokenizer, [messages], max_length, settings)[0]


def encode_chats(
    tokenizer: Any, chats: Sequence[Sequence[Message]], max_length: int, settings: Template = USUAL
) -> list[Encoded]:
    """Encode chats with the tokenizer's own template; labels lie on what follows a sampler's prompt, to the turn's end.

    An assistant's turn is tokenized apart from what stands before it, exactly as a sampler meets it: the prompt first,
    then what the model adds. Where a tokenizer changes text in parts (a prefix space, as Llama 2's), the row is
    tokenized whole, and each token's place in it says whose it is.

    Args:
        tokenizer: a tokenizer of transformers.
        chats: each ends with the assistant's turn.
        max_length: most tokens of a row.
        settings: what the template may add on its own.

    Raises:
        EndpointError: the tokenizer has no chat template.
        DataError: a row has no assistant turn, is longer than ``max_length`` tokens (it is never cut), or the template
            leaves out what a turn says, does not end the assistant's turn with a control token, or changes earlier
            turns when later ones follow, so that the assistant's text cannot be told from the rest.
    """
    if not chats:
        return []
    rows = [_row(tokenizer, messages, number, settings) for number, messages in enumerate(chats)]
    end = turn_end_to_train(tokenizer)
    if _can_tokenize_in_parts(tokenizer):
        cuts = [[0, *starts, len(chat.text)] for chat, starts in rows]
        parts = [chat.part(a, b) for (chat, _), cut in zip(rows, cuts, strict=True) for a, b in pairwise(cut)]
        ready = iter(tokenize(tokenizer, parts))
        cut_up = [[next(ready) for _ in pairwise(cut)] for cut in cuts]
    else:
        whole = tokenize(tokenizer, [chat for chat, _ in rows], places=True)
        cut_up = [_split(tokens, starts) for tokens, (_, starts) in zip(whole, rows, strict=True)]
    encoded = [_labelled(parts, end) for parts in cut_up]
    for number, row in enumerate(encoded):
        if len(row.input_ids) > max_length:
            raise DataError(
                f"row {number} has {len(row.input_ids)} tokens, expected at most max_length = {max_length}; "
                f"it begins {chats[number][0].content[:60]!r}"
            )
    return encoded


def _row(tokenizer: Any, messages: Sequence[Message], row: int, settings: Template) -> tuple[Rendered, list[int]]:
    """The rendered chat, with the end of its last turn, and where in it each of the assistant's turns begins."""
    turns = [number for number, message in enumerate(messages) if message.role == "assistant"]
    if not turns or turns[-1] != len(messages) - 1:
        raise DataError(f"row {row}: expected a chat that ends with the assistant, found {[m.role for m in messages]}")
    try:
        whole = render_chat(tokenizer, messages, settings=settings)
        end = turn_end_to_train(tokenizer)
        prompts = [render_chat(tokenizer, messages[:turn], reply=True, settings=settings) for turn in turns]
        if len(turns) == 1 and not whole.text.startswith(prompts[0].text):
            whole = _after_its_prompt(tokenizer, messages, whole, prompts[0], settings)
    except DataError as error:
        raise DataError(f"row {row}: {error}") from None
    for turn, prompt in zip(turns, prompts, strict=True):
        start, stop = whole.own[turn]
        closed = whole.text.startswith(end.text, stop) or (end.next_turn and turn == turns[-1])
        if not (whole.text.startswith(prompt.text) and len(prompt.text) <= start and closed):
            raise DataError(
                f"row {row}: the chat template renders turn {turn} differently once it is complete or other turns "
                "follow, so the assistant's tokens cannot be found; expected a template that only appends "
                "(for templates with reasoning blocks: rows of one assistant turn)"
            )
    last = whole.own[turns[-1]][1]
    if not whole.text.startswith(end.text, last):
        whole = Rendered(whole.text[:last] + end.text, whole.own)
    return whole, [len(prompt.text) for prompt in prompts]


def _after_its_prompt(
    tokenizer: Any, messages: Sequence[Message], whole: Rendered, prompt: Rendered, settings: Template
) -> Rendered:
    """The row as a sampler meets it, where the template opens a turn otherwise to be generated than in a chat.

    Some write an empty thought, already closed, only where an answer is asked for.
    """
    before = render_chat(tokenizer, messages[:-1], settings=settings).text
    start, stop = whole.own[len(messages) - 1]
    opening = whole.text[len(before) : start]
    if not (whole.text.startswith(before) and prompt.text.startswith(before + opening)):
        return whole
    if opens_thought(prompt.text):
        raise DataError(
            "the chat template opens a thought for every answer, and the row has none; expected a model that also "
            "answers without reasoning"
        )
    moved = len(prompt.text) - start
    turn = len(messages) - 1
    own = (*whole.own[:turn], (start + moved, stop + moved), *whole.own[turn + 1 :])
    return Rendered(prompt.text + whole.text[start:], own)


def _labelled(parts: Sequence[Tokens], end: TurnEnd) -> Encoded:
    """Join the prompt and the parts that begin with the assistant's words; these are trained to the turn's end."""
    input_ids, labels = list(parts[0].ids), [IGNORED] * len(parts[0].ids)
    for part in parts[1:]:
        # no word of a message is a control token: the first is the template's
        trained = part.ids.index(end.token) + 1
        input_ids += part.ids
        labels += part.ids[:trained] + [IGNORED] * (len(part.ids) - trained)
    return Encoded(input_ids, labels)


def _split(tokens: Tokens, starts: Sequence[int]) -> list[Tokens]:
    """Cut a row before the first token that reaches past each start; a token across a start is the assistant's."""
    cuts = [next(n for n, (_, stop) in enumerate(tokens.places) if stop > start) for start in starts]
    return [Tokens(tokens.ids[a:b], tokens.places[a:b]) for a, b in pairwise([0, *cuts, len(tokens.ids)])]


def _can_tokenize_in_parts(tokenizer: Any) -> bool:
    parts = tokenizer(["user:", "yes no"], add_special_tokens=False)["input_ids"]
    joined = tokenizer.decode(parts[0] + parts[1], clean_up_tokenization_spaces=False)
    return joined.strip() == "user:yes no"
