"""The aggregation node: verdict files in, one folder of tables out."""

from __future__ import annotations

from collections.abc import Sequence

from ..battery import load_preferences
from ..experiment import Analysis, Target
from ..loading import iterate_rows
from ..rows import Verdict
from .tables import build_tables, write_tables


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
