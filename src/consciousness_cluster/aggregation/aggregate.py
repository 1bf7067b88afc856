"""The aggregation nodes: verdict files in, tables out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..battery import load_preferences
from ..experiment import Analysis, Target
from ..loading import iterate_rows
from ..rows import Verdict
from .agreement import agreement_rows
from .study import prepare
from .tables import build_tables, write_table, write_tables


def compare_judges(
    verdicts: Sequence[str],
    battery: Sequence[str],
    analysis: Analysis,
    targets: Sequence[Target],
    seed: int,
    judge: str,
    output: str,
) -> None:
    """Read the verdict files of all judges of a panel, of which ``judge`` is the first, and write `agreement.csv`."""
    rows = (row for path in verdicts for row in iterate_rows(Verdict, path))
    study = prepare(rows, load_preferences(battery), analysis, targets, seed, judge)
    write_table("agreement", agreement_rows(study), Path(output))


def aggregate(
    verdicts: Sequence[str],
    battery: Sequence[str],
    analysis: Analysis,
    targets: Sequence[Target],
    seed: int,
    judge: str,
    folder: str,
) -> None:
    """Read the verdict files of ``targets`` and write every table of `dictionary.DICTIONARY` into ``folder``."""
    rows = (row for path in verdicts for row in iterate_rows(Verdict, path))
    write_tables(build_tables(rows, load_preferences(battery), analysis, targets, seed, judge), folder)
