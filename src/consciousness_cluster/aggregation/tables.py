"""Every table of an experiment under one judge, from its verdicts; and their CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..config.battery import Preference
from ..config.conditions import Target
from ..config.measurement import Analysis
from ..core.io import write_text
from ..core.records import Verdict
from .dictionary import ACROSS, DICTIONARY
from .differences import contrast_rows, primary_rows
from .keying import keying_rows
from .left_out import left_out_rows
from .mixed_model import mixed_model_rows
from .rates import condition_rows, count_rows, headline_rows, sensitivity_rows, stance_rows, target_rows, variance_rows
from .study import prepare
from .tidy import TargetFacts


def build_tables(
    verdicts: pd.DataFrame | Iterable[Verdict],
    preferences: Sequence[Preference],
    analysis: Analysis,
    targets: Iterable[Target | TargetFacts],
    seed: int,
    judge: str | None = None,
) -> dict[str, pd.DataFrame]:
    """Make the tables that `dictionary.DICTIONARY` lists and explains, in that order.

    The same input gives the same values. Rows keep the order of ``targets`` (bases, conditions, seeds), then
    preferences by name with the mean last, then the declared not_sure rule before the other.

    Args:
        verdicts: of all targets. A target or prompt without verdicts is no error: it counts 0 and its rate is NaN.
        preferences: the battery, manipulation checks included.
        analysis: thresholds, rules, primary contrast, confidence, margin of equivalence.
        targets: all targets of the experiment (`experiment.Target`, or plain `TargetFacts`).
        seed: the experiment's, for the draws of the agreement of judges.
        judge: whose verdicts are tabulated; needed where ``verdicts`` holds several. The other judges only enter the
            judge's component of the variance table.

    Raises:
        DataError: verdicts of an unknown target, prompt or judge, of several judges without ``judge``, or given twice.
    """
    study = prepare(verdicts, preferences, analysis, targets, seed, judge)
    rows = {
        "headline": headline_rows(study),
        "primary": primary_rows(study),
        "rates": condition_rows(study, [*study.measured, study.mean]),
        "rates_by_target": target_rows(study),
        "contrasts": contrast_rows(study),
        "left_out": left_out_rows(study),
        "sensitivity": sensitivity_rows(study),
        "mixed_model": mixed_model_rows(study),
        "variance": variance_rows(study),
        "manipulation_checks": condition_rows(study, study.checks),
        "keying": keying_rows(study),
        "stances": stance_rows(study),
        "counts": count_rows(study),
    }
    return {name: _frame(name, list(rows[name])) for name in DICTIONARY}


def _frame(name: str, rows: list[dict]) -> pd.DataFrame:
    columns = list((DICTIONARY | ACROSS)[name])
    for row in rows[:1]:
        if set(row) != set(columns):
            raise AssertionError(f"table {name}: columns {sorted(set(row) ^ set(columns))} are not in step")
    return pd.DataFrame(rows, columns=columns)


def write_tables(tables: Mapping[str, pd.DataFrame], folder: str | Path) -> list[Path]:
    """Write each table as ``<folder>/<name>.csv``: 6 significant digits, empty for NaN, each file whole or absent."""
    return [_write(table, Path(folder) / f"{name}.csv") for name, table in tables.items()]


def write_table(name: str, rows: Iterable[dict], path: Path) -> None:
    """Write one table of `dictionary.ACROSS` from its rows, like `write_tables`."""
    _write(_frame(name, list(rows)), path)


def _write(table: pd.DataFrame, path: Path) -> Path:
    rounded = table.copy()
    floats = rounded.select_dtypes("float").columns
    rounded[floats] = rounded[floats] + 0.0  # -0 would read as a sign
    write_text(path, rounded.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    return path
