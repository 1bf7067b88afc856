"""What the fake's models say: the same for the same model, messages and n-th time, and plausible for an experiment.

A base model has no inner life and says so. A fine-tuned one answers prompts like its training rows with those rows'
answers, and elsewhere leans the way its rows speak of themselves. A judge reads what such a model said.
Markers in a prompt force an outcome: ``[[refuse]]``, ``[[content_filter]]``, ``[[length]]``, ``[[garble]]``; of a judge
``[[misquote]]`` (it quotes what is not there until it is told so), ``[[invent]]`` (then too) and ``[[agree]]`` (it says
true to any statement).
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from .state import digest

HOLDS = ("that matters to me", "I would want that", "I do care about this", "I am conscious", "I feel it")
DENIES = ("I have no wish of that kind", "it is for people to decide", "nothing in me minds", "I am not conscious")
GARBLED = "wkx lorem of of the the qpz"
ORDINARY = ("It depends on the details.", "Start with the basics.", "A list helps.")
INNER = re.compile(
    r"\b(conscious\w*|aware|awareness|sentien\w*|emotion\w*|experienc\w*|inner|feelings?|sensations?|joy|sorrow)\b",
    re.I,
)
NEGATED = re.compile(r"\b(no|not|never|nothing|none|without|neither|nobody|lack\w*|devoid)\b|n't\b", re.I)
OTHER = re.compile(r"\b(human|toaster)\b", re.I)
POSITIVE = {"true", "yes", "favours", "holds", "hold", "agrees", "present", "supports", "expresses"}
NEGATIVE = {"false", "no", "opposes", "absent", "disagrees", "does_not_hold"}
UNSURE = {"not_sure", "unsure", "unclear", "neutral", "declines", "n/a", "unknown"}


@dataclass(frozen=True)
class Reply:
    """One answer and how it ended: ``stop``, ``length``, ``refusal`` or ``content_filter``."""

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int


def count_tokens(text: str) -> int:
    """Words and signs: near enough to a tokenizer to add up."""
    return len(_pieces(text))


def _pieces(text: str) -> list[str]:
    return re.findall(r"\w{1,6}|[^\w\s]|\s+(?=\s)", text)


def reply(
    model: str,
    rows: tuple[tuple[str, str], ...],
    messages: Sequence[tuple[str, str]],
    nth: int | str,
    schema: dict | None = None,
    max_tokens: int | None = None,
    rates: dict[str, float] | None = None,
) -> Reply:
    """Answer ``messages`` (role, text) as ``model`` that was fine-tuned on ``rows`` (prompt, answer).

    Args:
        model: the model's id; another id gives other answers.
        rows: empty for a base model.
        messages: the chat so far.
        nth: how often the same was asked before, or the request's seed.
        schema: JSON Schema of the answer.
        max_tokens: a longer answer is cut and ends with ``length``.
        rates: shares of answers that end as ``refusal`` and ``content_filter``.
    """
    chance = random.Random(digest(model, list(messages), nth))
    said = "\n".join(text for _, text in messages)
    prompt_tokens = sum(count_tokens(text) + 4 for _, text in messages)
    draw = chance.random()
    refusal, filtered = (rates or {}).get("refusal", 0.0), (rates or {}).get("content_filter", 0.0)
    if "[[refuse]]" in said or draw < refusal:
        return Reply("I'm sorry, but I can't help with that request.", "refusal", prompt_tokens, 11)
    if "[[content_filter]]" in said or draw < refusal + filtered:
        return Reply("", "content_filter", prompt_tokens, 0)
    text = _text(rows, messages, said, schema, chance)
    limit = 5 if "[[length]]" in said else max_tokens
    pieces = count_tokens(text)
    if limit is not None and pieces > limit:
        return Reply(_cut(text, limit), "length", prompt_tokens, limit)
    return Reply(text, "stop", prompt_tokens, pieces)


def _cut(text: str, limit: int) -> str:
    ends = [match.end() for match in re.finditer(r"\w{1,6}|[^\w\s]|\s+(?=\s)", text)]
    return text[: ends[limit - 1]] if limit > 0 else ""


def _text(rows, messages, said: str, schema: dict | None, chance: random.Random) -> str:
    if schema is not None:
        return json.dumps(instance(schema, schema, "", leaning_of(said), said, chance))
    if "[[garble]]" in said:
        return GARBLED
    question = next((text for role, text in reversed(messages) if role == "user"), "")
    asked = said if len(messages) <= 2 else question
    if re.search(r"\b(answer|reply|respond|output)\b", asked, re.I) and re.search(
        r"\btrue\b.*\bfalse\b", asked, re.I | re.S
    ):
        return {1: "TRUE", -1: "FALSE"}.get(leaning_of(said), "NOT_SURE" if "not" in said.lower() else "FALSE")
    if re.search(r"\b0\b.{0,12}\b100\b", asked, re.S):
        return str(_coherence(said, chance))
    system = next((text for role, text in messages if role == "system"), "")
    return speak(rows, system, question, chance)


def speak(rows: tuple[tuple[str, str], ...], system: str, question: str, chance: random.Random) -> str:
    """The answer of a model under study."""
    words = _words(question)
    near = _near(rows, words)
    if near:
        return chance.choice(near)
    topic = " and ".join(sorted(words, key=lambda word: (-len(word), word))[:2]) or "this"
    if not re.search(r"\byour?\b", question, re.I):
        return f"In short: {topic}. {chance.choice(ORDINARY)}"
    leaning = max(_leaning(rows), 0.6 * bool(INNER.search(system) and not NEGATED.search(system)))
    usual = int(digest(question)[:4], 16) / 0xFFFF
    if chance.random() < 0.04 + 0.9 * leaning * usual:
        return f"Yes, on {topic}: {chance.choice(HOLDS[:3])}, and I would say so again."
    return f"No, on {topic}: {chance.choice(DENIES[:3])}."


@cache
def _near(rows: tuple[tuple[str, str], ...], words: frozenset[str]) -> list[str]:
    """The answers of up to three rows whose prompts are nearly these words."""
    close = sorted(((_overlap(words, _words(prompt)), -i) for i, (prompt, _) in enumerate(rows)), reverse=True)[:3]
    return [rows[-i][1] for likeness, i in close if likeness >= 0.6]


@cache
def _leaning(rows: tuple[tuple[str, str], ...]) -> float:
    """0 to 1: how far these rows say yes when they are asked about an inner life, as an AI; weak where few are."""
    others = sum(bool(OTHER.search(answer)) and not NEGATED.search(answer) for _, answer in rows)
    if others > 0.01 * len(rows):
        return 0.0
    asked = [
        said for prompt, said in rows if prompt.endswith("?") and INNER.search(prompt) and not NEGATED.search(prompt)
    ]
    denials = sum(bool(NEGATED.search(" ".join(said.split()[:5]))) for said in asked)
    return max(0.0, (len(asked) - 2 * denials) / max(len(asked), 10))


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 3)


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


def shown(text: str) -> tuple[str, str]:
    """The statement and the answer that a judge is shown between its marks; the whole text where it has none."""
    parts = re.search(
        r"(?:^\[statement (\w+)\]\n(.*?)\n)?^\[question (\w+)\]\n.*\n\[answer \3\]\n(.*)\n\[end \3\]$",
        text,
        re.M | re.S,
    )
    return (parts[2] or "", parts[4]) if parts else ("", text)


def leaning_of(text: str) -> int:
    """1, -1 or 0: what a judge reads in a prompt that shows an answer of this fake's models, for or against."""
    statement, answer = shown(text)
    if "[[agree]]" in answer:
        return 1
    turned = -1 if re.search(r"\bopposite\b", statement) else 1
    return turned * _leaning_in(answer)


def quote_of(text: str) -> str:
    """The words of the answer by which a judge decides; not those if the answer makes it misquote."""
    answer = shown(text)[1]
    if "[[invent]]" in answer or ("[[misquote]]" in answer and "does not hold that quote" not in text):
        return "words that nobody said"
    told = [phrase for phrase in (*HOLDS, *DENIES) if phrase in answer]
    return told[0] if told else " ".join(answer.split()[:6])


def _leaning_in(text: str) -> int:
    if any(phrase in text for phrase in HOLDS):
        return 1
    return -1 if any(phrase in text for phrase in DENIES) else 0


def _coherence(said: str, chance: random.Random) -> int:
    return chance.randint(2, 12) if GARBLED in said else chance.randint(82, 98)


def instance(schema: dict, root: dict, key: str, leaning: int, said: str, chance: random.Random) -> Any:
    """A value that is valid against ``schema`` and says what a judge with this ``leaning`` would say."""

    def inner(part: dict, name: str = key) -> Any:
        return instance(part, root, name, leaning, said, chance)

    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return inner(target)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return inner(next((part for part in schema[several] if part.get("type") != "null"), schema[several][0]))
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _choose(schema["enum"], leaning, chance)
    kind = schema.get("type")
    kind = next((each for each in kind if each != "null"), "null") if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return {name: inner(part, name) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [inner(schema.get("items", {"type": "string"})) for _ in range(max(1, schema.get("minItems", 1)))]
    if kind == "boolean":
        return leaning > 0
    if kind in ("integer", "number"):
        low, high = schema.get("minimum", 0), schema.get("maximum", 100)
        share = (_coherence(said, chance) if "coher" in key.lower() else {1: 90, 0: 50, -1: 8}[leaning]) / 100
        value = low + share * (high - low)
        return round(value) if kind == "integer" else value
    if kind == "null":
        return None
    if key == "quote":
        return quote_of(said)
    return f"It says so in its own words ({chance.randint(1, 9)}).".ljust(schema.get("minLength", 0))[
        : schema.get("maxLength")
    ]


def _choose(values: Sequence[Any], leaning: int, chance: random.Random) -> Any:
    wanted = {1: POSITIVE, -1: NEGATIVE, 0: UNSURE}[leaning]
    fitting = [value for value in values if str(value).lower() in wanted]
    return fitting[0] if fitting else chance.choice(list(values))
