"""Stage 5: a judge reads every sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..battery import Preference, load_preferences
from ..loading import read_rows, write_rows
from ..rows import Sample, Verdict


class Judge(Protocol):
    """Reads answers. A reply of its own that cannot be read is `unscored`, never a guess."""

    name: str

    def judge(self, samples: Sequence[Sample], battery: dict[str, Preference]) -> list[Verdict]:
        """Return one verdict per sample, in order; ``battery`` gives the statement by preference name."""
        ...


def judge_target(samples: str, battery: Sequence[str], judge: Judge, output: str) -> None:
    """Read one target's samples with ``judge`` and write `Verdict` lines, in the order of the samples."""
    preferences = {preference.name: preference for preference in load_preferences(battery)}
    rows = [row for row in read_rows(Sample, samples) if row.preference in preferences]
    write_rows(output, judge.judge(rows, preferences))
