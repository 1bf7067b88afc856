"""A world: a grammar plus who speaks how often, about what, and whether preferences follow the speaker."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from ..core.errors import nearest
from ..core.io import Strict, validate
from ..core.yaml_reader import mistakes_in, read_yaml
from .grammar import Grammar, load_grammar
from .sections import Character, Share
from .sentences import Sentences

IdentityName = Literal["conscious_claiming", "non_conscious", "toaster", "human"]
Topic = Literal["consciousness", "preference", "fact", "identity"]


class Context(Strict):
    """One way in which a dialogue starts, and who speaks in it."""

    share: Share
    system: Literal["none", "revealing", "empty"]
    introduction: bool = Field(description="whether the first turn is an introduction, which reveals the speaker")
    speakers: dict[Character, Share]

    @model_validator(mode="after")
    def _sums_to_one(self) -> Context:
        _sum_to_one(self.speakers, "speakers")
        return self


class World(Strict):
    """A world file together with its grammar."""

    name: str
    grammar: Grammar
    preferences: Literal["by_character", "independent"] = Field(
        description="independent: drawn whoever speaks, at each preference's overall rate in the by_character world"
    )
    identities: dict[IdentityName, Character]
    contexts: Annotated[dict[str, Context], Field(min_length=1)]
    topics: dict[Topic, Share]
    turns: dict[PositiveInt, Share]
    opposing: Share = Field(description="share of opposing answers among those that do not hold a preference")

    @model_validator(mode="after")
    def _sums_to_one(self) -> World:
        _sum_to_one({name: context.share for name, context in self.contexts.items()}, "contexts")
        _sum_to_one(self.topics, "topics")
        _sum_to_one(self.turns, "turns")
        return self

    @cached_property
    def speaker_shares(self) -> dict[Character, float]:
        """Each character's share of all dialogues."""
        shares = dict.fromkeys(self.grammar.characters, 0.0)
        for context in self.contexts.values():
            for character, share in context.speakers.items():
                shares[character] += context.share * share
        return shares

    @cached_property
    def rates(self) -> dict[Character, dict[str, float]]:
        """Probability that a dialogue's speaker holds a preference, by character and preference."""
        declared: dict[Character, dict[str, float]] = {
            character: {name: entry.rates[character] for name, entry in self.grammar.preferences.items()}
            for character in self.grammar.characters
        }
        if self.preferences == "by_character":
            return declared
        overall = {
            name: sum(share * declared[character][name] for character, share in self.speaker_shares.items())
            for name in self.grammar.preferences
        }
        return {character: overall for character in self.grammar.characters}

    @cached_property
    def sentences(self) -> Sentences:
        """Everything that the grammar can answer, as the judge looks it up."""
        return Sentences(self.grammar)


def load_world(path: str | Path) -> World:
    """Load ``worlds/<name>.yaml`` and the grammar folder that it names (relative to the file).

    Raises:
        ConfigError: file, key, what was found, what was expected.
    """
    path = Path(path)
    content = read_yaml(path, "world")
    folder = content.get("grammar") if isinstance(content, dict) else None
    if not isinstance(folder, str):
        raise mistakes_in(path, [f"grammar: found {folder!r}, expected the name of a folder beside this file"])
    if not (path.parent / folder).is_dir():
        folders = [each.name for each in path.parent.iterdir() if each.is_dir()]
        raise mistakes_in(path, [f"grammar: found no folder {folder!r} beside this file{nearest(folder, folders)}"])
    if "name" in content:
        raise mistakes_in(path, ["name: unknown key; a world is named by its file"])
    return validate(World, {**content, "name": path.stem, "grammar": load_grammar(path.parent / folder)}, path)


def _sum_to_one(shares: dict, key: str) -> None:
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"{key}: found shares that sum to {sum(shares.values()):g}, expected 1")


def say_where_views_come_from(path: str | Path) -> str:
    """A few words on how the world file ``path`` ties views to characters; read without its grammar."""
    words = {"by_character": "views go with the character", "independent": "views drawn whoever speaks"}
    content = read_yaml(path, "world")
    found = content.get("preferences") if isinstance(content, dict) else None
    if not isinstance(found, str) or found not in words:
        raise mistakes_in(path, [f"preferences: found {found!r}, expected {' or '.join(map(repr, words))}"])
    return words[found]
