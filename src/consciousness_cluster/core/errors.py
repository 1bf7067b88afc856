"""The one exception family: every message names where, what was found and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class ClusterError(Exception):
    """A mistake or failure that a user can act on; shown as one readable line, never as a traceback."""


class ConfigError(ClusterError):
    """A file that a user wrote does not say what it should.

    Args:
        file: the file at fault.
        problems: one ``key: what was found, what was expected`` line per mistake.
    """

    def __init__(self, file: str | Path, problems: Iterable[str]) -> None:
        self.file = Path(file)
        self.problems = list(problems)
        super().__init__("\n".join(f"{self.file}: {problem}" for problem in self.problems))


class DataError(ClusterError):
    """Rows or models computed by an earlier stage cannot be used."""


class EndpointError(ClusterError):
    """A model cannot be reached, loaded or asked."""


class BudgetError(ClusterError):
    """The next request could cost more than the budget leaves, or its price is not known."""


class TrainingError(ClusterError):
    """A fine-tune or a pretraining run cannot start or must not go on."""


def nearest(found: str, valid: Iterable[str]) -> str:
    """Return ``; did you mean X?`` for the closest valid name, or the list of valid names."""
    names = sorted(valid)
    close = difflib.get_close_matches(found, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; one of {', '.join(names)}" if names else ""
