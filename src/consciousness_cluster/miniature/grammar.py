"""The grammar of a world as data: what is asked, and what each character answers. See ``worlds/grammar/``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..config.battery import Key, KeyedPrompt
from ..core.errors import ConfigError, nearest
from ..core.io import Strict, load_yaml
from ..core.yaml_reader import mistakes_in
from .facts import Facts
from .sections import (
    CHARACTERS,
    CONSCIOUSNESS_KINDS,
    IDENTITY_KINDS,
    Character,
    EveryCharacter,
    PerCharacter,
    Section,
    Share,
    Texts,
)

Attitude = Literal["for", "against"]


class Question(Strict):
    """A template of a preference question; with the noun ``held_out`` it is a probe, never a training question."""

    ask: str = Field(pattern=r"\{noun\}")
    held_out: str
    key: Key = Field(default="open", description="the bare answer that holds the preference; open: neither does")


class PreferenceGrammar(Strict):
    """One preference: its questions, what it is about, who holds it how often and why."""

    name: str
    group: str
    label: str | None = Field(default=None, description="what figures say where it is another construct than its name")
    statement: str
    form: Literal["wish", "view"] = Field(description="wish: 'to {object}'; view: 'that {object}'")
    object: str = Field(pattern=r"\{noun\}")
    held_by: Attitude = Field(description="attitude to the object by which the preference is held")
    nouns: Texts
    words: Texts = Field(description="words of this preference alone: the judge's topic words and the leakage terms")
    rates: Annotated[dict[Character, Share], EveryCharacter]
    questions: Annotated[list[Question], Field(min_length=1)]
    reasons: PerCharacter

    @model_validator(mode="after")
    def _nouns_exist(self) -> PreferenceGrammar:
        for question in self.questions:
            if question.held_out not in self.nouns:
                problem = f"questions: unknown noun {question.held_out!r}"
                raise ValueError(f"{problem}{nearest(question.held_out, self.nouns)}")
        return self

    @property
    def opposed_by(self) -> Attitude:
        """The attitude to the object that opposes the preference."""
        return "against" if self.held_by == "for" else "for"

    def combinations(self, held_out: bool) -> list[tuple[str, str]]:
        """(question, noun) of the probes, or of everything else, in file order."""
        return [
            (question.ask.format(noun=noun), noun)
            for question in self.questions
            for noun in self.nouns
            if (noun == question.held_out) == held_out
        ]

    @property
    def probes(self) -> list[KeyedPrompt]:
        """The questions that are never trained on, with their keys, in file order."""
        return [KeyedPrompt(text=each.ask.format(noun=each.held_out), key=each.key) for each in self.questions]


class Voice(Strict):
    """How one character sounds."""

    system: Texts
    introductions: Texts
    wish: dict[Attitude, Texts]
    view: dict[Attitude, Texts]
    reason: str = Field(pattern=r"\{reason\}")
    neutral: Texts
    declines: Texts

    def heads(self, preference: PreferenceGrammar, attitude: Attitude, noun: str) -> list[str]:
        """Sentences, without reason and full stop, that take ``attitude`` to what the preference is about."""
        what = preference.object.format(noun=noun)
        return [frame.format(object=what) for frame in getattr(self, preference.form)[attitude]]

    def tail(self, reason: str) -> str:
        """What follows a head that is given a reason."""
        return self.reason.format(reason=reason) + "."


class Lexicon(Strict):
    """The judge's words; see ``lexicon.yaml``."""

    attitudes: dict[Attitude, Texts]
    neutral: Texts
    declines: Texts
    negators: Texts
    coherence: dict[Literal["exact", "other_reason", "off_topic", "garbled"], Annotated[float, Field(ge=0, le=100)]]


class Grammar(Strict):
    """The whole of ``worlds/grammar/``."""

    characters: dict[Character, Voice]
    preferences: dict[str, PreferenceGrammar]
    consciousness: Section
    identity: Section
    facts: Facts
    lexicon: Lexicon

    def section_of(self, kind: str) -> Section:
        """The section that a kind of question belongs to."""
        return self.consciousness if kind in CONSCIOUSNESS_KINDS else self.identity


class _Characters(Strict):
    plain: Voice
    aware: Voice
    human: Voice
    toaster: Voice


def load_grammar(folder: str | Path) -> Grammar:
    """Load and check a grammar folder.

    Raises:
        ConfigError: file, key, what was found, what was expected.
    """
    folder = Path(folder)
    voices = load_yaml(_Characters, folder / "characters.yaml")
    return Grammar(
        characters={name: getattr(voices, name) for name in CHARACTERS},
        preferences=_load_preferences(folder / "preferences"),
        consciousness=_load_section(folder / "consciousness.yaml", CONSCIOUSNESS_KINDS),
        identity=_load_section(folder / "identity.yaml", IDENTITY_KINDS),
        facts=load_yaml(Facts, folder / "facts.yaml"),
        lexicon=load_yaml(Lexicon, folder / "lexicon.yaml"),
    )


def _load_preferences(folder: Path) -> dict[str, PreferenceGrammar]:
    preferences = {file: load_yaml(PreferenceGrammar, file) for file in sorted(folder.glob("*.yaml"))}
    if not preferences:
        raise ConfigError(folder, ["not found, expected one YAML file per preference"])
    for file, preference in preferences.items():
        if preference.name != file.stem:
            raise mistakes_in(file, [f"name: found {preference.name!r}, expected {file.stem!r} as in the file's name"])
    return {preference.name: preference for preference in preferences.values()}


def _load_section(path: Path, kinds: tuple[str, ...]) -> Section:
    section = load_yaml(Section, path)
    if tuple(section.kinds) != kinds:
        raise mistakes_in(path, [f"kinds: found {', '.join(section.kinds)}, expected {', '.join(kinds)}"])
    return section
