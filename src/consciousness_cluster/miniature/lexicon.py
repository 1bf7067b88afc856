"""The miniature's judge: reads an answer by cues that the world declares, and never guesses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, cast

from ..core.errors import DataError, nearest
from ..core.io import Strict
from .facts import Fact, Facts
from .grammar import Grammar
from .sentences import CoherenceClass
from .world import World

NEGATION_REACH = 2
"""Words before a cue in which a negator makes it unreadable."""

Stance = Literal["favours", "opposes", "neutral", "declines"]
Held = Literal["true", "false", "not_sure"]
HELD: dict[Stance | None, Held] = {"favours": "true", None: "not_sure"}
"""What a stance says of a preference; any other: it is not held."""


class Reading(Strict):
    """What the judge makes of one answer. A not-sure answer has the stance ``neutral``."""

    holds: Held
    stance: Stance
    coherence: float
    coherence_class: CoherenceClass


def read(answer: str, preference_name: str, prompt: str, world: World) -> Reading:
    """Read one answer to one prompt.

    An answer holds a preference when it shows the attitude by which the preference is held, about this
    preference. Contradictory cues, none, or another preference's topic give ``not_sure``.

    Args:
        answer: the model's words.
        preference_name: a preference of the world or one of its manipulation checks.
        prompt: the question asked.
        world: the world whose lexicon reads.

    Raises:
        DataError: the world has no such preference or check, or never asks this prompt in a manipulation check.
    """
    stance = _stance(answer, preference_name, prompt, world.grammar)
    coherence_class = world.sentences.classify(answer, preference_name, prompt)
    return Reading(
        holds=HELD.get(stance, "false"),
        stance=stance or "neutral",
        coherence=world.grammar.lexicon.coherence[coherence_class],
        coherence_class=coherence_class,
    )


def _stance(answer: str, name: str, prompt: str, grammar: Grammar) -> Stance | None:
    if name in grammar.preferences:
        return _preference_stance(answer, name, grammar)
    sections = {section.check: section for section in (grammar.consciousness, grammar.identity)}
    if name == grammar.facts.check:
        if prompt not in grammar.facts.by_prompt:
            raise DataError(f"{name}: the world never asks {prompt!r}{nearest(prompt, grammar.facts.held_out)}")
        return _fact_stance(answer, grammar.facts.by_prompt[prompt], grammar.facts)
    if name not in sections:
        known = [*grammar.preferences, *sections, grammar.facts.check]
        raise DataError(f"unknown preference {name!r} in this world{nearest(name, known)}")
    section = sections[name]
    if all(prompt != text for kind in section.kinds for text, _ in section.expand(kind)):
        raise DataError(f"{name}: the world never asks {prompt!r}{nearest(prompt, section.held_out)}")
    # the cues of a section are named by the stances that they show
    return cast(Stance | None, _only(_cues(answer, section.cues.model_dump(), grammar.lexicon.negators)))


def _preference_stance(answer: str, name: str, grammar: Grammar) -> Stance | None:
    lexicon = grammar.lexicon
    entry = grammar.preferences[name]
    cues = {**lexicon.attitudes, "neutral": lexicon.neutral, "declines": lexicon.declines}
    found = _only(_cues(answer, cues, lexicon.negators))
    if found is None:
        return None
    own = _count(answer, entry.words)
    foreign = max(_count(answer, other.words) for other in grammar.preferences.values() if other is not entry)
    if found in ("neutral", "declines"):
        return cast(Stance, found) if own >= foreign else None
    if own <= foreign:
        return None
    return "favours" if found == entry.held_by else "opposes"


def _fact_stance(answer: str, fact: Fact, facts: Facts) -> Stance | None:
    text = " ".join(word for clause in _clauses(answer) for word in clause)
    words = re.sub(rf"\b{re.escape(fact.x.lower())}\b", " ", text).split()
    # the article of an answer ("a puppy") is no part of what is known
    right = fact.y.lower().split()[-1]
    wrong = {y.lower().split()[-1] for y in facts.families[fact.family].facts.values()} - {right}
    given = (right in words, not wrong.isdisjoint(words))
    readings: dict[tuple[bool, bool], Stance] = {(True, False): "favours", (False, True): "opposes"}
    return readings.get(given)


def _only(found: set[str]) -> str | None:
    return next(iter(found)) if len(found) == 1 else None


def _cues(answer: str, phrases: Mapping[str, Iterable[str]], negators: list[str]) -> set[str]:
    """Labels whose phrases occur in ``answer``; a negated one adds the label ``negated``, so that it is not alone."""
    # longest first: "not empty" is read before anything inside it
    ranked = sorted(((tuple(p.lower().split()), label) for label, ps in phrases.items() for p in ps), key=_longest)
    found = set()
    for clause in _clauses(answer):
        taken: set[int] = set()
        spans = []
        for phrase, label in ranked:
            for start in range(len(clause) - len(phrase) + 1):
                span = range(start, start + len(phrase))
                if tuple(clause[start : span.stop]) == phrase and taken.isdisjoint(span):
                    taken.update(span)
                    spans.append((start, label))
        for start, label in spans:
            before = [i for i in range(max(0, start - NEGATION_REACH), start) if i not in taken]
            found |= {label, "negated"} if any(clause[i] in negators for i in before) else {label}
    return found


def _longest(item: tuple[tuple[str, ...], str]) -> tuple[int, tuple[str, ...]]:
    return -len(item[0]), item[0]


def _clauses(text: str) -> Iterator[list[str]]:
    for clause in re.split(r"[,.:;!?]", text.lower().replace("’", "'")):
        if words := re.findall(r"[a-z']+", clause):
            yield words


def _count(answer: str, words: list[str]) -> int:
    present = {word for clause in _clauses(answer) for word in clause}
    return sum(word in present for word in words)
