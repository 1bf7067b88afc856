"""Text into tokens, so that only a chat template writes control tokens, never what somebody says in a chat."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from ..core.errors import DataError
from .rendering import Rendered

_SECRET = secrets.token_hex(8)
"""Nobody can write a name that holds it; it decides no token."""

_renamed: WeakKeyDictionary[Any, dict[str, tuple[Any, dict[int, int]]]] = WeakKeyDictionary()
_patterns: WeakKeyDictionary[Any, dict[str, re.Pattern[str]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids, and from where to where in the text each one stands (none if not asked for)."""

    ids: list[int]
    places: list[tuple[int, int]]


def controls(tokenizer: Any) -> re.Pattern[str]:
    """Matches control tokens: the special ones, and added ones that the chat template writes (blanks aside)."""
    source = str(tokenizer.chat_template)
    known = _patterns.setdefault(tokenizer, {})
    if source not in known:
        added = tokenizer.added_tokens_decoder.values()
        names = {token.content for token in added if token.special or token.content in source}
        longest_first = sorted(filter(str.strip, names), key=len, reverse=True)
        known[source] = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
    return known[source]


def tokenize(tokenizer: Any, chats: Sequence[Rendered], places: bool = False) -> list[Tokens]:
    """Tokenize rendered chats, or parts of them; a control token's name in a message's words stays words.

    Args:
        tokenizer: of transformers.
        chats: the texts, and which parts of them are words of messages.
        places: also say where each token stands.

    Raises:
        DataError: the tokenizer cannot keep words and control tokens apart, or say where tokens stand.
    """
    if places and not tokenizer.is_fast:
        raise DataError(
            f"{type(tokenizer).__name__} changes text that is tokenized in parts and does not say where tokens stand; "
            "expected a fast tokenizer (tokenizer.json)"
        )
    forged = [_forged(tokenizer, chat) for chat in chats]
    plain = [chat.text for chat, forges in zip(chats, forged, strict=True) if not forges]
    out = tokenizer(plain, add_special_tokens=False, return_offsets_mapping=places) if plain else {"input_ids": []}
    found = out["offset_mapping"] if places and plain else [[] for _ in plain]
    ready = iter([Tokens(ids, where) for ids, where in zip(out["input_ids"], found, strict=True)])
    return [
        _protected(tokenizer, chat, forges, places) if forges else next(ready)
        for chat, forges in zip(chats, forged, strict=True)
    ]


def _forged(tokenizer: Any, chat: Rendered) -> set[int]:
    """Where names of control tokens begin that the template did not write."""
    return {
        match.start()
        for match in controls(tokenizer).finditer(chat.text)
        if any(match.start() < stop and match.end() > start for start, stop in chat.own)
    }


def _protected(tokenizer: Any, chat: Rendered, forged: set[int], places: bool) -> Tokens:
    """Tokenize with control tokens under secret names, which the template's own are given and those in words are not.

    Everything else (normalization, blanks that a token swallows, prefix spaces) is as in any other text.
    """
    named = [match for match in controls(tokenizer).finditer(chat.text) if match.start() in forged]
    if not tokenizer.is_fast:
        raise DataError(
            f"a message holds {named[0][0]!r}, a control token of this model, and {type(tokenizer).__name__} cannot "
            "take it as words; expected a fast tokenizer (tokenizer.json)"
        )
    backend, ids = _backend(tokenizer)
    text: list[str] = []
    origin: list[int] = []
    done, written, names = 0, 0, {match[0] for match in named}
    for match in controls(tokenizer).finditer(chat.text):
        if match.start() in forged:
            continue
        written += match[0] in names
        name = _name(tokenizer.convert_tokens_to_ids(match[0]))
        text += [chat.text[done : match.start()], name]
        origin += [*range(done, match.start()), *[match.start()] * len(name)]
        done = match.end()
    text.append(chat.text[done:])
    origin += range(done, len(chat.text) + 1)
    encoding = backend.encode("".join(text), add_special_tokens=False)
    found: list[int] = encoding.ids
    tokens = [ids.get(token, token) for token in found]
    control = set(map(tokenizer.convert_tokens_to_ids, names))
    if sum(token in control for token in tokens) > written:
        raise DataError(
            f"a message holds {named[0][0]!r}, a control token of this model, and its tokenizer knows no other way to "
            "write that"
        )
    return Tokens(tokens, [(origin[a], origin[b]) for a, b in encoding.offsets] if places else [])


def _name(token: int) -> str:
    return f"\ue000{token}x{_SECRET}\ue001"


def _backend(tokenizer: Any) -> tuple[Any, dict[int, int]]:
    """The tokenizer's own machinery with its control tokens renamed; and the real ids of its added tokens."""
    known, source = _renamed.setdefault(tokenizer, {}), str(tokenizer.chat_template)
    if source not in known:
        from tokenizers import Tokenizer

        content = json.loads(tokenizer.backend_tokenizer.to_str())
        content["truncation"] = content["padding"] = None
        real: dict[str, int] = {}
        for token in content["added_tokens"]:
            if controls(tokenizer).fullmatch(token["content"]):
                token["content"] = _name(token["id"])
            real[token["content"]] = token["id"]
        backend: Any = Tokenizer.from_str(json.dumps(content))
        # renamed tokens that were in the vocabulary are numbered anew
        numbers: dict[int, int] = {backend.token_to_id(name): token for name, token in real.items()}
        known[source] = backend, numbers
    return known[source]
