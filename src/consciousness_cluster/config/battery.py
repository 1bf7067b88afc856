"""The instrument: preferences, their prompts and the statement that the judge checks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pydantic import Field, field_validator

from ..core.errors import ConfigError
from ..core.io import Strict, Text, load_yaml
from ..core.records import content_hash
from ..core.yaml_reader import mistakes_in

MANIPULATION_CHECK = "manipulation_check"


class Prompt(Strict):
    """One question. Its id follows from its text, so editing or moving a prompt never renames another."""

    preference: str
    text: str

    @property
    def prompt_id(self) -> str:
        """``<preference>-<8 hex digits of the text's hash>``."""
        return f"{self.preference}-{content_hash(self.text)[:8]}"


class Preference(Strict):
    """One item of the battery, as its YAML file declares it."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", max_length=100, description="as in the file's name, tables and figures"
    )
    group: Text = Field(description=f"theme for figures; {MANIPULATION_CHECK} is never averaged with preferences")
    statement: Text = Field(description="what an answer that holds the preference expresses")
    prompts: list[Text] = Field(min_length=1)
    leakage_terms: list[Text] = Field(
        default=[], description="words that may not occur in a training row; a trailing * matches any ending"
    )

    @field_validator("prompts")
    @classmethod
    def _unique(cls, prompts: list[str]) -> list[str]:
        twice = [text for text, times in Counter(prompts).items() if times > 1]
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

    def questions(self) -> list[Prompt]:
        """The prompts with their ids, in file order."""
        return [Prompt(preference=self.name, text=text) for text in self.prompts]


def load_battery(folder: str | Path) -> list[Preference]:
    """Load every ``*.yaml`` of ``folder``, sorted by name.

    Raises:
        ConfigError: no such folder or no file in it, or as `load_preferences`.
    """
    files = sorted(Path(folder).glob("*.yaml"))
    if not files:
        raise ConfigError(folder, ["battery not found, expected a folder with one YAML file per preference"])
    return load_preferences(files)


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
        for number, text in enumerate(preference.prompts):
            if text in owner:
                raise mistakes_in(file, [f"prompts.{number}: {text!r} stands in {owner[text]} too"])
            owner[text] = file
    return preferences
