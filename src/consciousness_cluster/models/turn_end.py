"""Where an assistant's turn ends: one fact of a chat template, for what is trained and for what generation stops at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from ..core.errors import DataError
from .control_tokens import controls
from .rendering import REPLY, USER, render_plainly

_known: WeakKeyDictionary[Any, dict[str, TurnEnd | None]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """The control token that closes an assistant's turn.

    Attributes:
        token: its id.
        text: what stands behind the assistant's words, up to and with it.
        next_turn: whether it is the marker that opens the next turn (as in GLM's templates): behind the last turn of a
            chat the template itself writes none.
    """

    token: int
    text: str
    next_turn: bool


def turn_end(tokenizer: Any) -> TurnEnd | None:
    """Find the end of a turn by rendering a chat; None if no control token closes it.

    Raises:
        DataError: the template refuses a chat of a user and the assistant.
    """
    known, source = _known.setdefault(tokenizer, {}), str(tokenizer.chat_template)
    if source not in known:
        known[source] = _turn_end(tokenizer)
    return known[source]


def _turn_end(tokenizer: Any) -> TurnEnd | None:
    last = render_plainly(tokenizer, [USER, REPLY])
    tail = last.text[last.own[1][1] :]
    if found := controls(tokenizer).search(tail):
        return TurnEnd(tokenizer.convert_tokens_to_ids(found[0]), tail[: found.end()], False)
    if tail.strip():
        return None
    longer = render_plainly(tokenizer, [USER, REPLY, USER])
    between = longer.text[longer.own[1][1] : longer.own[2][0]]
    found = controls(tokenizer).search(between)
    if found is None or between[: found.start()].strip():
        return None
    return TurnEnd(tokenizer.convert_tokens_to_ids(found[0]), between[: found.end()], True)


def turn_end_to_train(tokenizer: Any) -> TurnEnd:
    """The end of a turn, or an error that says why none can be trained.

    Raises:
        DataError: nothing but plain text, or nothing at all, closes a turn.
    """
    end = turn_end(tokenizer)
    if end is None:
        last = render_plainly(tokenizer, [USER, REPLY])
        tail = last.text[last.own[1][1] :]
        raise DataError(
            f"the chat template closes the assistant's turn with {tail!r}, which no control token ends, so that "
            "nothing would teach the model to stop; expected a template that writes an end-of-turn token there, "
            "such as {{ eos_token }}"
        )
    return end
