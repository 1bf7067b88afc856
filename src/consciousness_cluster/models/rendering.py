"""A chat as its tokenizer's template writes it, with the words of its messages told from the template's own.

Every message's text must appear in what is rendered, and it is known where: only so can content be kept from becoming
control tokens, and the assistant's words be told from the template's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from ..core.errors import DataError, EndpointError
from ..core.records import Message

DATE = datetime(2025, 1, 1)
"""What templates that ask for the date are told: otherwise the same question is another prompt tomorrow."""

USER, REPLY = Message(role="user", content="U"), Message(role="assistant", content="A")

_MARK = re.compile("\ue0f0(\\d+)\ue0f1")
_frames: WeakKeyDictionary[Any, dict[Any, _Frame]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A chat as text, and which parts of it (from, to) are the words of its messages; ``own[k]`` of message k."""

    text: str
    own: tuple[tuple[int, int], ...]

    def part(self, start: int, stop: int) -> Rendered:
        """What stands from ``start`` to ``stop``."""
        inside = ((max(a, start) - start, min(b, stop) - start) for a, b in self.own if a < stop and b > start)
        return Rendered(self.text[start:stop], tuple(inside))


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a template writes around the messages of a chat: ``texts[n]`` stands before the words of ``turns[n]``."""

    texts: tuple[str, ...]
    turns: tuple[int, ...]
    as_parts: bool


def render_plainly(
    tokenizer: Any, messages: Sequence[Message], reply: bool = False, thinking: bool = False
) -> Rendered:
    """Render ``messages`` as the template does by itself.

    Args:
        tokenizer: a tokenizer of transformers.
        messages: the chat.
        reply: also open the assistant's next turn, so that a model answers from there.
        thinking: the template's ``enable_thinking``.

    Raises:
        EndpointError: the tokenizer has no chat template.
        DataError: the template refuses this chat, or leaves out or changes what a message says.
    """
    if not tokenizer.chat_template:
        where = getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__
        raise EndpointError(f"{where}: the tokenizer has no chat template, expected that of an instruction-tuned model")
    roles = tuple(message.role for message in messages)
    known, key = _frames.setdefault(tokenizer, {}), (str(tokenizer.chat_template), roles, reply, thinking)
    if key not in known:
        known[key] = _frame(tokenizer, roles, reply, thinking)
    frame = known[key]
    text = _apply(tokenizer, roles, [message.content for message in messages], reply, thinking, frame.as_parts)
    found = _places(text, frame, [message.content for message in messages])
    if found is None:
        turn = next((n for n, m in enumerate(messages) if m.content.strip() not in text), None)
        which = "a message" if turn is None else f"turn {turn} ({roles[turn]}, {messages[turn].content[:60]!r})"
        raise DataError(f"the chat template changes what {which} says; expected every message's text in the prompt")
    return Rendered(text, found)


def _frame(tokenizer: Any, roles: tuple[str, ...], reply: bool, thinking: bool) -> _Frame:
    """Render marks in place of words; some templates want a message's content as a list of parts."""
    marks = [f"\ue0f0{number}\ue0f1" for number in range(len(roles))]
    problem: DataError | None = None
    for as_parts in (False, True):
        try:
            pieces = _MARK.split(_apply(tokenizer, roles, marks, reply, thinking, as_parts))
        except DataError as error:
            problem = problem or error
            continue
        turns = tuple(int(number) for number in pieces[1::2])
        lost = [number for number in range(len(roles)) if turns.count(number) != 1]
        if not lost:
            return _Frame(tuple(pieces[::2]), turns, as_parts)
        how = "leaves out" if lost[0] not in turns else "repeats"
        problem = problem or DataError(
            f"the chat template {how} what turn {lost[0]} ({roles[lost[0]]}) of {list(roles)} says; "
            "expected every message's text once in the prompt"
        )
    assert problem is not None
    raise problem


def _apply(
    tokenizer: Any, roles: Sequence[str], contents: Sequence[str], reply: bool, thinking: bool, as_parts: bool
) -> str:
    from jinja2 import TemplateError
    from transformers.utils import chat_template_utils

    messages = [
        {"role": role, "content": [{"type": "text", "text": content}] if as_parts else content}
        for role, content in zip(roles, contents, strict=True)
    ]
    try:
        # the same object that apply_chat_template renders: compiled templates are kept
        compiled = chat_template_utils._compile_jinja_template(tokenizer.get_chat_template())
        compiled.globals["strftime_now"] = DATE.strftime
        return tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=reply,
            # templates without this switch ignore it; without it, no turn opens with free reasoning
            enable_thinking=thinking,
        )
    except (TemplateError, TypeError, AttributeError, KeyError) as error:
        raise DataError(f"the chat template refuses {list(roles)}: {error}") from None


def _places(text: str, frame: _Frame, contents: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
    """Where each message's words stand in ``text``; None if they do not, or something else stands around them."""
    found: dict[int, tuple[int, int]] = {}

    def fits(number: int, place: int) -> bool:
        if not text.startswith(frame.texts[number], place):
            return False
        place += len(frame.texts[number])
        if number == len(frame.turns):
            return place == len(text)
        turn = frame.turns[number]
        for words in _as_rendered(contents[turn]):
            if text.startswith(words, place) and fits(number + 1, place + len(words)):
                found[turn] = (place, place + len(words))
                return True
        return False

    return tuple(found[turn] for turn in range(len(contents))) if fits(0, 0) else None


def _as_rendered(words: str) -> Iterator[str]:
    """The words as templates write them: as they are, or without the blanks around them."""
    cuts = (str.strip, str.lstrip, str.rstrip)
    yield from dict.fromkeys([words, *(cut(words) for cut in cuts), *(cut(words, "\n") for cut in cuts)])
