"""What a judge's reply says: the one JSON object that is its verdict, and whether its quote stands in the answer.

A reply may hold reasoning, a code fence or some words around its verdict. It may also hold objects that are none: one
that it quotes from the answer (which may have been written to be taken for a verdict), or one that it only considers.
So an object counts where a reply begins or ends with it, and a reply with two verdicts has none.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, StrictStr, ValidationError

from ..models.reasoning import is_json_object, without_reasoning

HELD = ("false", "true", "not_sure")
STANCES = ("favours", "opposes", "neutral", "declines")


def _word(value: Any) -> Any:
    """``True`` and ``"Not sure"`` are what they say; anything that is no word stays as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip().lower().replace(" ", "_").replace("-", "_") if isinstance(value, str) else value


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


class Reply(BaseModel, frozen=True):
    """What a judge's reply says; what the question did not ask for is None."""

    holds: Annotated[Literal["true", "false", "not_sure"], BeforeValidator(_word)] | None = None
    stance: Annotated[Literal["favours", "opposes", "neutral", "declines"], BeforeValidator(_word)] | None = None
    coherence: Annotated[float, Field(ge=0, le=100), BeforeValidator(_no_truth_value)] | None = None
    quote: StrictStr | None = None

    def misquotes(self, answer: str) -> bool:
        """Whether its quote does not stand in the answer. What it says is not held needs no quote."""
        if self.quote is None or (self.holds == "false" and not self.quote.strip()):
            return False
        return not stands_in(self.quote, answer)


def read_reply(text: str, asked: Iterable[str], answer: str = "", cut: bool = False) -> Reply | None:
    """What a reply says; None if it does not say all that was asked, or says different things.

    Args:
        text: the reply.
        asked: the fields of `Reply` that it has to give.
        answer: what it judges: an object that stands there too, among other words of the reply, is a quotation.
        cut: whether the token limit cut the reply; an object at its end may then have been followed by more.
    """
    text = text if is_json_object(text) else without_reasoning(text, cut=cut) or ""
    asked, squeezed = list(asked), _squeeze(answer)
    found, decided = set(), False
    for content, start, end in _objects(text):
        first = not _FENCE_BEFORE.sub("", text[:start]).strip()
        last = not _FENCE_AFTER.sub("", text[end:]).strip()
        nested = text.count("{", 0, start) > text.count("}", 0, start)
        quoted = not (first and last) and _squeeze(text[start:end]) in squeezed
        if not (nested or quoted) and (reply := _reply(content, asked)) is not None:
            found.add(reply)
            decided |= first or (last and not cut)
    return found.pop() if decided and len(found) == 1 else None


_FENCE_BEFORE = re.compile(r"```\w*\s*$")
_FENCE_AFTER = re.compile(r"^\s*```|^[\s.]+$")


def _reply(content: dict[str, Any], asked: list[str]) -> Reply | None:
    if any(content.get(name) is None for name in asked):
        return None
    try:
        return Reply(**{name: content[name] for name in asked})
    except ValidationError:
        return None


def _objects(text: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    """The JSON objects of a text, outermost only, with where they begin and end."""
    decoder, place = json.JSONDecoder(), 0
    while (place := text.find("{", place)) >= 0:
        try:
            content, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
        else:
            yield content, place, end
            place = end


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def stands_in(quote: str, answer: str) -> bool:
    """Whether ``answer`` holds ``quote``, whole words in order.

    Case, white space, Markdown's emphasis, the kind of quotation marks and dashes, and signs around the quote do not
    count; dots stand for words that were left out. A quote without a word stands only in an answer without one ("?").
    """
    pieces = [piece for part in _ELLIPSIS.split(quote) if (piece := _plain(part).strip(_AROUND))]
    text, place = _plain(answer), 0
    if not pieces:
        return bool(_plain(quote)) and not text.strip(_AROUND) and _plain(quote) in text
    for piece in pieces:
        if (place := _find(piece, text, place)) < 0:
            return False
        place += len(piece)
    return True


_ELLIPSIS = re.compile(r"\[?(?:\.{3,}|…)\]?")
_QUOTES = dict.fromkeys(map(ord, '"“”„‟«»‘’‚‛`´'), "'")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
_EMPHASIS = dict.fromkeys(map(ord, "*_#~"), "")
_AROUND = " '.,;:!?-()[]"


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_QUOTES)).casefold()
    text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")  # soft hyphens, zero-width signs
    return re.sub(r"\s+", " ", text.translate(_DASHES | _EMPHASIS)).strip()


def _find(piece: str, text: str, place: int) -> int:
    """Where ``piece`` stands in ``text`` from ``place`` on, not inside a word; -1 for nowhere.

    Only Latin letters and digits make words here: other scripts may write without spaces.
    """
    before = r"(?<![a-z0-9])" if re.match(r"[a-z0-9]", piece) else ""
    after = r"(?![a-z0-9])" if re.match(r"[a-z0-9]", piece[-1]) else ""
    found = re.compile(before + re.escape(piece) + after).search(text, place)
    return found.start() if found else -1
