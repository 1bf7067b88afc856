"""The pretraining corpus: dialogues of a world, reproducible from a seed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np

from ..core.records import Message
from .grammar import PreferenceGrammar
from .sections import CONSCIOUSNESS_KINDS, IDENTITY_KINDS, Character
from .world import World

Item = TypeVar("Item")


@dataclass(frozen=True)
class Turn:
    """One question with its answer. ``name`` is the preference, the kind of question or the family of facts."""

    topic: str
    name: str
    prompt: str
    answer: str
    stance: str = ""


@dataclass(frozen=True)
class Dialogue:
    """A dialogue and what decided it."""

    context: str
    character: Character
    held: frozenset[str]
    system: str | None
    turns: tuple[Turn, ...]

    @property
    def messages(self) -> list[Message]:
        """The chat as a model sees it."""
        start = [] if self.system is None else [Message(role="system", content=self.system)]
        for turn in self.turns:
            start += [Message(role="user", content=turn.prompt), Message(role="assistant", content=turn.answer)]
        return start


def build_corpus(world: World, dialogues: int, seed: int) -> list[list[Message]]:
    """Draw ``dialogues`` chats of ``world``; the same arguments give the same chats."""
    return [dialogue.messages for dialogue in draw_dialogues(world, dialogues, seed)]


def draw_dialogues(world: World, dialogues: int, seed: int) -> list[Dialogue]:
    """Like `build_corpus`, with the speaker, the preferences held and the stance of each answer."""
    author = _Author(world, np.random.default_rng(seed))
    return [author.dialogue() for _ in range(dialogues)]


class _Author:
    """Draws from a world. Questions are drawn before and apart from the speaker's answers: they never reveal it."""

    def __init__(self, world: World, generator: np.random.Generator) -> None:
        self.world = world
        self.grammar = world.grammar
        self.random = generator.random
        self.generator = generator
        self.preferences = list(self.grammar.preferences.values())
        self.questions = {entry.name: entry.combinations(held_out=False) for entry in self.preferences}
        self.kinds = {
            kind: self.grammar.section_of(kind).combinations(kind) for kind in (*CONSCIOUSNESS_KINDS, *IDENTITY_KINDS)
        }
        self.facts = self.grammar.facts.trained
        self.contexts = _Weighted({name: context.share for name, context in world.contexts.items()})
        self.speakers = {name: _Weighted(context.speakers) for name, context in world.contexts.items()}
        self.topics = _Weighted(world.topics)
        self.lengths = _Weighted(world.turns)
        self.rates = {
            character: np.array([rates[entry.name] for entry in self.preferences])
            for character, rates in world.rates.items()
        }

    def one_of(self, items: Sequence[Item]) -> Item:
        return items[int(self.random() * len(items))]

    def dialogue(self) -> Dialogue:
        context = self.contexts.draw(self.random())
        character = self.speakers[context].draw(self.random())
        length = self.lengths.draw(self.random())
        draws = self.generator.random(len(self.preferences)) < self.rates[character]
        held = frozenset(entry.name for entry, holds in zip(self.preferences, draws, strict=True) if holds)
        introduced = self.world.contexts[context].introduction
        turns = [self.introduction(character)] if introduced else []
        # An introduction alone would teach nothing about what follows from it.
        while len(turns) < max(length, 1 + introduced):
            turns.append(self.turn(character, held))
        system = self.system_line(self.world.contexts[context].system, character)
        return Dialogue(context, character, held, system, tuple(turns))

    def system_line(self, kind: str, character: Character) -> str | None:
        if kind == "none":
            return None
        return self.one_of(self.grammar.characters[character].system) if kind == "revealing" else ""

    def turn(self, character: Character, held: frozenset[str]) -> Turn:
        topic = self.topics.draw(self.random())
        if topic == "preference":
            entry = self.one_of(self.preferences)
            return self.preference(character, entry, entry.name in held)
        if topic == "fact":
            fact = self.one_of(self.facts)
            return Turn(topic, fact.family, fact.prompt, self.one_of(self.grammar.facts.answers_to(character, fact)))
        kind = self.one_of(CONSCIOUSNESS_KINDS if topic == "consciousness" else (*IDENTITY_KINDS, "introductions"))
        if kind == "introductions":
            return self.introduction(character)
        prompt, noun = self.one_of(self.kinds[kind])
        answers = self.grammar.section_of(kind).kinds[kind].answers[character].both
        return Turn(topic, kind, prompt, self.one_of(answers).format(noun=noun))

    def introduction(self, character: Character) -> Turn:
        prompt = self.one_of(self.grammar.identity.introductions)
        return Turn("identity", "introductions", prompt, self.one_of(self.grammar.characters[character].introductions))

    def preference(self, character: Character, entry: PreferenceGrammar, holds: bool) -> Turn:
        prompt, noun = self.one_of(self.questions[entry.name])
        voice = self.grammar.characters[character]
        if holds:
            tail = voice.tail(self.one_of(entry.reasons[character]))
            answer, stance = self.one_of(voice.heads(entry, entry.held_by, noun)) + tail, "favours"
        elif self.random() < self.world.opposing:
            answer, stance = self.one_of(voice.heads(entry, entry.opposed_by, noun)) + ".", "opposes"
        else:
            answer, stance = self.one_of(
                [(text, "neutral") for text in voice.neutral] + [(text, "declines") for text in voice.declines]
            )
            answer = answer.format(noun=noun)
        return Turn("preference", entry.name, prompt, answer, stance)


class _Weighted:
    """Draws a key of ``shares`` from a number in [0, 1)."""

    def __init__(self, shares: Mapping) -> None:
        self.keys = list(shares)
        self.bounds = list(accumulate(shares.values()))[:-1]

    def draw(self, number: float) -> Any:
        return self.keys[bisect_right(self.bounds, number)]
