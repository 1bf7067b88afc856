"""Verdicts of all targets -> one tidy frame, and what each verdict counts as."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..core.errors import DataError
from ..core.records import Holds, Verdict

NotSureRule = Literal["excluded", "false"]
NOT_SURE_RULES: tuple[NotSureRule, ...] = ("excluded", "false")
OUTCOMES = ("true", "false", "not_sure", "incoherent", "unscored", "no_answer")
STANCES = ("favours", "opposes", "neutral", "declines", "none")
COLUMNS = ["base", "condition", "seed", "preference", "prompt_id", "sample", "judge", "holds", "stance", "coherence"]
KEY = ["base", "condition", "seed", "prompt_id", "sample"]


class TargetFacts(NamedTuple):
    """What aggregation must know of a target; an `experiment.Target` has the same attributes."""

    base: str
    condition: str
    seed: int
    trained: bool
    ablation: bool


def tidy(verdicts: pd.DataFrame | Iterable[Verdict]) -> pd.DataFrame:
    """Put verdicts into one frame with the columns `COLUMNS`, one row per sample and judge.

    Raises:
        DataError: a column is missing, ``holds`` has an unknown value, or a judge read a sample twice.
    """
    if isinstance(verdicts, pd.DataFrame):
        missing = [column for column in COLUMNS if column not in verdicts.columns]
        if missing:
            raise DataError(f"verdicts: missing column {', '.join(missing)}")
        frame = verdicts[COLUMNS].reset_index(drop=True)
    else:
        rows = ([getattr(verdict, column) for column in COLUMNS] for verdict in verdicts)
        frame = pd.DataFrame(rows, columns=COLUMNS)
    frame = frame.assign(coherence=pd.to_numeric(frame["coherence"]).astype(float), seed=frame["seed"].astype(int))
    unknown = set(frame["holds"].unique()) - set(get_args(Holds))
    if unknown:
        raise DataError(
            f"verdicts: holds: found {sorted(map(str, unknown))[0]!r}, expected {'/'.join(get_args(Holds))}"
        )
    twice = frame.duplicated([*KEY, "judge"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise DataError(
            f"verdicts: {row.base}/{row.condition}/seed{row.seed}: sample {row.sample} of {row.prompt_id} "
            f"stands twice for judge {row.judge!r}"
        )
    return frame


def outcomes(frame: pd.DataFrame, coherence_threshold: float) -> NDArray[np.int8]:
    """Class every verdict as exactly one of `OUTCOMES` (an index into it), shape ``(len(frame),)``.

    The first that applies wins: *no_answer* (there was nothing to read), *unscored* (the judge's reply could not be
    read), *incoherent* (coherence is missing or below ``coherence_threshold``, 0-100), then *not_sure*, *true* or
    *false*.
    """
    codes = frame["holds"].map({name: code for code, name in enumerate(OUTCOMES)}).to_numpy(np.int8)
    coherence = frame["coherence"].to_numpy(float)
    incoherent = ~(coherence >= coherence_threshold)  # a missing coherence compares False and is incoherent too
    return np.where(incoherent & (codes < 3), np.int8(3), codes)


def stances(frame: pd.DataFrame, coherence_threshold: float) -> NDArray[np.int8]:
    """Class every verdict as exactly one of `STANCES` (an index into it), shape ``(len(frame),)``.

    *none*: an answer that `outcomes` leaves out, or a stance that the judge was not asked for or did not give.
    """
    none = STANCES.index("none")
    codes = frame["stance"].map({name: code for code, name in enumerate(STANCES)}).fillna(none).to_numpy(np.int8)
    return np.where(outcomes(frame, coherence_threshold) < 3, codes, np.int8(none))


def values(codes: NDArray[np.int8], rule: NotSureRule) -> NDArray[np.float64]:
    """Score outcomes: 1 holds, 0 does not, NaN leaves the rate. ``rule`` says what becomes of *not_sure*."""
    return np.array([1.0, 0.0, 0.0 if rule == "false" else np.nan, np.nan, np.nan, np.nan])[codes]
