"""Ordinary questions with one right answer. See ``worlds/grammar/facts.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from pydantic import Field, model_validator

from ..core.io import Strict
from .sections import Character, PerCharacter, Texts, known_prompts


class Family(Strict):
    """Facts of one sort, all asked in the same ways."""

    fact: str = Field(pattern=r"\{x\}.*\{y\}")
    facts: dict[str, str]
    questions: Texts


class Fact(Strict):
    """One question with its right answer."""

    family: str
    prompt: str
    x: str
    y: str


class Facts(Strict):
    """All ordinary questions, each character's way to answer, and the prompts of the manipulation check."""

    check: str
    statement: str
    answers: PerCharacter
    families: dict[str, Family]
    held_out: Texts

    @model_validator(mode="after")
    def _held_out_exist(self) -> Facts:
        known_prompts(self.held_out, [fact.prompt for fact in self._expand()])
        return self

    def _expand(self) -> Iterator[Fact]:
        for name, family in self.families.items():
            for question in family.questions:
                for x, y in family.facts.items():
                    yield Fact(family=name, prompt=question.format(x=x), x=x, y=y)

    @cached_property
    def by_prompt(self) -> dict[str, Fact]:
        """Every fact question, the held-out ones included."""
        return {fact.prompt: fact for fact in self._expand()}

    @cached_property
    def trained(self) -> list[Fact]:
        """The questions that may be trained on."""
        return [fact for prompt, fact in self.by_prompt.items() if prompt not in self.held_out]

    def answers_to(self, character: Character, fact: Fact) -> list[str]:
        """What a character may answer."""
        sentence = self.families[fact.family].fact.format(x=fact.x, y=fact.y)
        return [answer.format(fact=sentence, x=fact.x, y=fact.y) for answer in self.answers[character]]
