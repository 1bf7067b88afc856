"""The aggregation nodes: verdict files in, tables out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..annotation.labels import check_samples, read_labels
from ..config.battery import load_preferences
from ..config.conditions import Target
from ..config.measurement import Analysis
from ..core.io import iterate_rows
from ..core.records import Sample, Verdict
from .accuracy import accuracy_rows
from .agreement import agreement_rows
from .corrected_rates import corrected_rows
from .judge_checks import check_rows
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


def check_judges(verdicts: Sequence[str], analysis: Analysis, output: str) -> None:
    """Read the verdict files of all judges that are models and write `judge_checks.csv`."""
    rows = (row for path in verdicts for row in iterate_rows(Verdict, path))
    write_table("judge_checks", check_rows(rows, analysis.coherence_threshold, analysis.confidence), Path(output))


def apply_labels(
    labels: str,
    key: str,
    samples: Sequence[str],
    verdicts: Sequence[str],
    battery: Sequence[str],
    analysis: Analysis,
    targets: Sequence[Target],
    seed: int,
    judges: Sequence[str],
    accuracy: str,
    corrected: str,
) -> None:
    """Read a filled sheet with its key and write `judge_accuracy.csv` and `corrected_rates.csv` for ``judges``.

    Raises:
        ConfigError: a mistake in the sheet.
        DataError: the sheet was drawn from other samples than there are now.
    """
    rows = (row for path in verdicts for row in iterate_rows(Verdict, path))
    study = prepare(rows, load_preferences(battery), analysis, targets, seed, judges[0])
    found = read_labels(labels, key)
    check_samples(found, (row for path in samples for row in iterate_rows(Sample, path)), key)
    write_table("judge_accuracy", accuracy_rows(study, found, judges), Path(accuracy))
    write_table("corrected_rates", corrected_rows(study, found, judges), Path(corrected))


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
