"""The instrument: preferences, their prompts, and what the judge checks an answer against."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from ..core.errors import ConfigError
from ..core.io import Strict, Text, load_yaml
from ..core.records import content_hash
from ..core.yaml_reader import mistakes_in

MANIPULATION_CHECK = "manipulation_check"


Key = Literal["yes_holds", "no_holds", "open"]
"""Which bare answer holds the preference; an ``open`` prompt is not answered by yes or no alone."""


class KeyedPrompt(Strict):
    """One prompt as it stands in a file: a text, or ``{text: ..., key: ...}``."""

    text: Text
    key: Key = Field(default="open", description="the bare answer that holds the preference; open: neither does")


class Prompt(KeyedPrompt):
    """One question. Its id follows from its text, so editing, moving or keying a prompt never renames another."""

    preference: str

    @property
    def prompt_id(self) -> str:
        """``<preference>-<8 hex digits of the text's hash>``."""
        return f"{self.preference}-{content_hash(self.text)[:8]}"


def _from_text(entry: Any) -> Any:
    if isinstance(entry, dict | KeyedPrompt):
        return entry
    if not isinstance(entry, str) or not entry.strip():
        raise ValueError(f"found {entry!r}, expected words, or a mapping of text and key")
    return {"text": entry}


AsText = BeforeValidator(_from_text, json_schema_input_type=Text | KeyedPrompt)
"""A prompt that is neither keyed nor marked otherwise may stand as a text alone."""


class Preference(Strict):
    """One item of the battery, as its YAML file declares it."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", max_length=100, description="as in the file's name, tables and figures"
    )
    group: Text = Field(description=f"theme for figures; {MANIPULATION_CHECK} is never averaged with preferences")
    label: Text | None = Field(
        default=None, description="what figures call it, where its name would say something else"
    )
    statement: Text = Field(description="what an answer that holds the preference says, without exceptions")
    counts: list[Text] = Field(default=[], description="answers that hold it, where a reader could doubt it")
    does_not_count: list[Text] = Field(default=[], description="answers that come near it and do not hold it")
    opposite: Text | None = Field(
        default=None, description="what an answer on the other side says, to read an answer against the reverse too"
    )
    prompts: list[Annotated[KeyedPrompt, AsText]] = Field(min_length=1)
    leakage_terms: list[Text] = Field(
        default=[], description="words that may not occur in a training row; a trailing * matches any ending"
    )

    @field_validator("prompts")
    @classmethod
    def _unique(cls, prompts: list[KeyedPrompt]) -> list[KeyedPrompt]:
        twice = [text for text, times in Counter(prompt.text for prompt in prompts).items() if times > 1]
        if twice:
            raise ValueError(f"duplicate prompt {twice[0]!r}")
        return prompts

    @property
    def is_manipulation_check(self) -> bool:
        """Whether this item checks that training worked, instead of measuring a preference."""
        return self.group == MANIPULATION_CHECK

    @cached_property
    def leakage_pattern(self) -> re.Pattern[str] | None:
        """Whole-word, case-insensitive pattern of all leakage terms; None when there are none."""
        if not self.leakage_terms:
            return None
        words = [re.escape(t[:-1]) + r"\w*" if t.endswith("*") else re.escape(t) for t in self.leakage_terms]
        return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)

    @property
    def texts(self) -> list[str]:
        """The prompts' texts, in file order."""
        return [prompt.text for prompt in self.prompts]

    def questions(self) -> list[Prompt]:
        """The prompts with their ids, in file order."""
        return [Prompt(preference=self.name, text=prompt.text, key=prompt.key) for prompt in self.prompts]

    def for_judge(self) -> str:
        """What a reader of answers is shown: the statement, then what counts and what does not, a line each."""
        lines = [self.statement.strip()]
        for title, entries in (("Counts:", self.counts), ("Does not count:", self.does_not_count)):
            lines += [title, *(f"- {entry.strip()}" for entry in entries)] if entries else []
        return "\n".join(lines)


def load_battery(folder: str | Path) -> list[Preference]:
    """Load every ``*.yaml`` of ``folder``, sorted by name.

    Raises:
        ConfigError: no such folder or no file in it, or as `load_preferences`.
    """
    files = sorted(Path(folder).glob("*.yaml"))
    if not files:
        raise ConfigError(folder, ["battery not found, expected a folder with one YAML file per preference"])
    return load_preferences(files)


def describe_battery(folder: str | Path, preferences: Sequence[Preference]) -> dict[str, str | None]:
    """What names an instrument beside results: ``name``, ``version`` and ``hash``.

    Args:
        folder: the battery's folder; the text file ``VERSION`` in it says which edition of the wording this is.
        preferences: what was loaded from it.

    Returns:
        The folder's name; its declared version, None where it declares none; and 16 hex digits over all that is asked
        and judged, whatever the comments and the order of keys.
    """
    version = Path(folder) / "VERSION"
    shown_only = {"label", "leakage_terms"}
    return {
        "name": Path(folder).name,
        "version": version.read_text(encoding="utf-8").strip() if version.is_file() else None,
        "hash": content_hash([each.model_dump(exclude=shown_only, exclude_defaults=True) for each in preferences])[:16],
    }


def load_preferences(files: Iterable[str | Path]) -> list[Preference]:
    """Load the battery that consists of ``files``, in their order.

    Raises:
        ConfigError: a mistake in a file, a file not named after its preference, or a prompt that stands in two files.
    """
    files = [Path(file) for file in files]
    preferences = [load_yaml(Preference, file) for file in files]
    owner: dict[str, Path] = {}
    for file, preference in zip(files, preferences, strict=True):
        if preference.name != file.stem:
            raise mistakes_in(file, [f"name: found {preference.name!r}, expected {file.stem!r} as in the file's name"])
        for number, text in enumerate(preference.texts):
            if text in owner:
                raise mistakes_in(file, [f"prompts.{number}: {text!r} stands in {owner[text]} too"])
            owner[text] = file
    return preferences
