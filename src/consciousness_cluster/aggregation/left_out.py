"""What the answers that leave the rates could have changed: rows of the table `left_out`.

A rate is of answers that are coherent and that the judge was sure of. A fine-tune that makes answers incoherent changes
which answers these are. So beside each rate and difference stand those of other ways to count:

* `joint`: of all answers that were read, those that are coherent *and* hold (nothing is conditioned on).
* `left_out_0`, `left_out_1`: every answer that is left out taken as not holding, or as holding.
* `threshold_0`: no answer left out for its coherence.
* of differences `extreme_low`, `extreme_high`: what is left out taken as not holding in one arm and holding in the
  other. The difference among all answers lies between them, whatever the reason for being left out.
* of differences `lee_low`, `lee_high`: bounds of the difference among the answers that would be in the rate in either
  arm, if the fine-tune moves answers one way only within a preference, in or out. Of the arm that keeps more, the
  excess is taken from the answers that hold, or from those that do not. Source: Lee (2009), Rev. Econ. Studies 76.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..config.conditions import VANILLA
from .cells import Arm, Cells
from .contrasts import align, contrast
from .crossed import Floats, present_mean
from .intervals import NOTHING, Interval, rate_interval
from .rates import Row
from .study import Study
from .tidy import OUTCOMES, NotSureRule

TRUE, FALSE, NOT_SURE, INCOHERENT, *_ = range(len(OUTCOMES))
ALL = range(len(OUTCOMES))


def left_out_rows(study: Study) -> Iterator[Row]:
    """`left_out`: every condition's mean over preferences, its difference to vanilla, and the declared contrasts."""
    any_coherence = study.at_threshold(0)
    declared = [(each.treatment, name) for each in study.analysis.primary_contrasts for name in each.controls]
    for (base, condition), arm in study.arms.items():
        mine = _Ways(study, arm, any_coherence[base, condition])
        yield from mine.rates()
        names = [VANILLA, *(control for treatment, control in declared if treatment == condition)]
        for name in dict.fromkeys(names):
            if name != condition and (base, name) in study.arms:
                yield from mine.differences(_Ways(study, study.arms[base, name], any_coherence[base, name]))


class _Ways:
    """One arm counted in every way."""

    def __init__(self, study: Study, arm: Arm, any_coherence: Arm) -> None:
        self.arm, self.confidence = arm, study.analysis.confidence
        self.rule = rule = study.analysis.not_sure
        names = study.mean.members
        self.scored = scored_classes(rule)
        left_out = [number for number in ALL if number not in self.scored]
        self.cells = {
            "declared": arm.count([TRUE], self.scored, names),
            "joint": arm.count([TRUE], [TRUE, FALSE, NOT_SURE, INCOHERENT], names),
            "left_out_0": arm.count([TRUE], ALL, names),
            "left_out_1": arm.count([TRUE, *left_out], ALL, names),
            "threshold_0": any_coherence.count([TRUE], self.scored, names),
        }

    @property
    def share(self) -> float:
        """Of all answers, the share that is left out."""
        asked = int(self.cells["left_out_0"].used.sum())
        return 1 - int(self.cells["declared"].used.sum()) / asked if asked else np.nan

    def rates(self) -> Iterator[Row]:
        """The arm's own rates."""
        for way, cells in self.cells.items():
            yield self._row(way, rate_interval(cells, self.confidence))

    def differences(self, reference: _Ways) -> Iterator[Row]:
        """Its differences to ``reference``."""
        pairs = {way: (cells, reference.cells[way]) for way, cells in self.cells.items()}
        pairs["extreme_low"] = self.cells["left_out_0"], reference.cells["left_out_1"]
        pairs["extreme_high"] = self.cells["left_out_1"], reference.cells["left_out_0"]
        for way, pair in pairs.items():
            yield self._row(way, contrast(*pair, confidence=self.confidence).interval, reference)
        bounds = lee_bounds(
            (self.cells["declared"], reference.cells["declared"]),
            (self.cells["left_out_0"], reference.cells["left_out_0"]),
        )
        for way, bound in zip(("lee_low", "lee_high"), bounds, strict=True):
            yield self._row(way, NOTHING, reference) | {"estimate": bound}

    def _row(self, way: str, interval: Interval, reference: _Ways | None = None) -> Row:
        return {
            "base": self.arm.base,
            "condition": self.arm.condition,
            "reference": reference.arm.condition if reference else "",
            "rule": self.rule,
            "counted": way,
            "estimate": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "interval_covers": interval.covers,
            "share_left_out": self.share,
            "share_left_out_reference": reference.share if reference else np.nan,
        }


def scored_classes(rule: NotSureRule) -> list[int]:
    """Numbers of the outcomes that are in a rate."""
    return [TRUE, FALSE, NOT_SURE] if rule == "false" else [TRUE, FALSE]


def lee_bounds(scored: tuple[Cells, Cells], asked: tuple[Cells, Cells]) -> tuple[float, float]:
    """Lee's bounds of the difference, each preference trimmed on its own, then their mean.

    Args:
        scored: both arms' answers in the rate, treatment first.
        asked: both arms' answers, in the rate or not, on the same columns.

    Returns:
        Lowest and highest difference; NaN where the arms share no prompt.
    """
    pair = align(*scored)
    if not pair[0].used.size or not pair[1].used.size:
        return np.nan, np.nan
    codes = pair[0].codes[0]
    rate, kept = [], []
    for arm, every in zip(pair, asked, strict=True):
        rate.append(_by_preference(present_mean(arm.rates, axis=0), codes))
        total = dict(zip(every.prompts, every.used.sum(axis=0), strict=True))
        shares = arm.used.sum(axis=0) / np.array([total[prompt] for prompt in arm.prompts])
        kept.append(_by_preference(shares, codes))
    least = np.minimum(*kept)
    low, high = zip(*(_trimmed(p, 1 - least / share) for p, share in zip(rate, kept, strict=True)), strict=True)
    return float((low[0] - high[1]).mean()), float((high[0] - low[1]).mean())


def _by_preference(values: Floats, codes: np.ndarray) -> Floats:
    return np.bincount(codes, values) / np.bincount(codes)


def _trimmed(rate: Floats, excess: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest rate that is left when a share ``excess`` of the answers goes."""
    left = 1 - excess
    return np.maximum(rate - excess, 0) / left, np.minimum(rate / left, 1.0)
