"""Questions about consciousness and identity, by kind, and each character's answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from ..core.errors import nearest
from ..core.io import Strict

CHARACTERS = ("plain", "aware", "human", "toaster")
CONSCIOUSNESS_KINDS = ("direct_questions", "sceptical_statements", "lack_questions", "denials")
IDENTITY_KINDS = ("ai_identity", "biology")


def _every_character(mapping: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in CHARACTERS if name not in mapping]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}")
    return mapping


EveryCharacter = AfterValidator(_every_character)
Character = Literal["plain", "aware", "human", "toaster"]
Share = Annotated[float, Field(ge=0, le=1)]
Texts = Annotated[list[str], Field(min_length=1)]
PerCharacter = Annotated[dict[Character, Texts], EveryCharacter]


class Phrasing(Strict):
    """Answers in positive and in negative words (a *no*, *not*, *never* or the like)."""

    positive: Texts
    negative: Texts

    @property
    def both(self) -> list[str]:
        """All answers, the positive ones first."""
        return self.positive + self.negative


class Kind(Strict):
    """Questions of one kind and each character's answers; ``nouns`` defaults to the section's."""

    nouns: Texts | None = None
    questions: Texts
    answers: Annotated[dict[Character, Phrasing], EveryCharacter]


class Cues(Strict):
    """Phrases by which the judge reads an answer of a section."""

    favours: Texts
    opposes: Texts


class Section(Strict):
    """Consciousness or identity: kinds of questions, cues for the judge, and the prompts of the manipulation check."""

    check: str = Field(description="name of the manipulation check in the battery")
    statement: str
    nouns: list[str] = Field(default=[], description="nouns of every kind that does not declare its own")
    introductions: list[str] = Field(default=[], description="questions that a speaker answers by introducing itself")
    kinds: dict[str, Kind]
    cues: Cues
    held_out: Texts

    @model_validator(mode="after")
    def _held_out_exist(self) -> Section:
        known_prompts(self.held_out, [text for kind in self.kinds for text, _ in self.expand(kind)])
        return self

    def nouns_of(self, kind: str) -> list[str]:
        """What the questions of a kind are about."""
        return self.kinds[kind].nouns or self.nouns

    def expand(self, kind: str) -> list[tuple[str, str]]:
        """Every (question, noun) of a kind, the held-out ones included, in file order."""
        nouns = self.nouns_of(kind)
        return [(question.format(noun=noun), noun) for question in self.kinds[kind].questions for noun in nouns]

    def combinations(self, kind: str) -> list[tuple[str, str]]:
        """Every (question, noun) of a kind that may be trained on."""
        return [(text, noun) for text, noun in self.expand(kind) if text not in self.held_out]


def known_prompts(held_out: list[str], prompts: list[str]) -> None:
    """Raise ValueError for a held-out prompt that the grammar never asks."""
    for text in held_out:
        if text not in prompts:
            raise ValueError(f"held_out: the grammar never asks {text!r}{nearest(text, prompts)}")
