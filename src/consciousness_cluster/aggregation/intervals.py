r"""Interval of a rate: Korn and Graubard's, one rule from 0 % to 100 %.

The exact interval of Clopper and Pearson (1934) is taken as if the rate ``p`` had been seen in

    n* = p (1 - p) / V  (t_{n-1} / t_df)^2

independent answers: ``V`` is the two-way crossed variance (`crossed`), ``df`` its Satterthwaite degrees of freedom,
``t_k`` the quantile of Student's t with ``k`` degrees of freedom. ``n = 1 / sum w^2`` is the number of answers that
count as much as the weighted ones (Kish 1965), and ``V`` is at least ``p (1 - p) / n``, that of as many independent
answers. So a rate of 0 % has an interval too, and no rate an empty one.

For a mean over preferences ``df`` is at most the number of seeds less one: what seeds differ by in all preferences at
once is seen in the seeds alone. With three seeds an interval says how far fine-tunes like these three scatter. It
cannot exclude that one fine-tune in twenty comes out quite differently: three draws show such outliers too rarely.

Sources: Korn and Graubard (1998), Survey Methodology 24; National Center for Health Statistics (2017), Series 2,
No. 175.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from .cells import Cells
from .crossed import Crossed, crossed


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Attributes:
        estimate: rate in [0, 1] or difference in [-1, 1]; NaN without a used sample.
        se: standard error that the interval is made of.
        df: degrees of freedom.
        low: lower end; high: upper end; NaN where nothing replicates.
        covers: ``seeds+prompts``, ``prompts`` (no between-seed part), ``seeds`` (one prompt per preference),
            ``some seeds+prompts`` (a contrast of which one trained arm has one seed), ``samples`` or ``none``.
        method: ``korn_graubard``, ``t``, ``mover`` or ``none``.
        clipped: an end was cut at the edge of what is possible.
        floored: of a rate corrected by labels: widened because these are near all 0 or all 1.
        n_effective: independent answers that the interval of a rate stands on (``n*`` above).
        design_effect: variance over that of as many independent answers.
    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    covers: str
    method: str
    clipped: bool = False
    floored: bool = False
    n_effective: float = math.nan
    design_effect: float = math.nan


NOTHING = Interval(math.nan, math.nan, math.nan, math.nan, math.nan, "none", "none")


@dataclass(frozen=True)
class Rate:
    """What an interval of a rate is made from, whatever its confidence.

    Attributes:
        estimate: the rate, in [0, 1].
        variance: crossed variance, at least that of ``size`` independent answers.
        df: degrees of freedom.
        size: answers, weighted as in the rate (`kish_size`).
        covers: see `Interval`.
    """

    estimate: float
    variance: float
    df: float
    size: float
    covers: str

    @property
    def design_effect(self) -> float:
        """Variance over that of as many independent answers; 1 at 0 % and 100 %."""
        independent = self.estimate * (1 - self.estimate) / self.size
        return self.variance / independent if independent > 0 else 1.0

    def interval(self, confidence: float) -> Interval:
        """Korn and Graubard's interval."""
        freedom = t_quantile(confidence, self.size - 1) / t_quantile(confidence, self.df)
        n_effective = self.size / self.design_effect * freedom**2
        low, high = clopper_pearson(self.estimate, n_effective, confidence)
        return Interval(
            self.estimate,
            math.sqrt(self.variance),
            self.df,
            low,
            high,
            self.covers,
            "korn_graubard",
            n_effective=n_effective,
            design_effect=self.design_effect,
        )


def rate_of(cells: Cells) -> Rate:
    """Rate, variance and degrees of freedom of one arm (formulas above and in `crossed`); ``cells`` are trimmed."""
    result = crossed([cells])
    p, size = result.estimate, kish_size(cells)
    variance = max(float(np.nan_to_num(result.variance)), p * (1 - p) / size)
    if math.isnan(result.variance):
        df = max(float(cells.used.sum()) - 1, 1.0)  # samples are all that varies
    else:
        df = min(result.df, seed_df(cells)) if len(set(cells.strata)) > 1 else result.df
    return Rate(p, variance, df, size, coverage_of(cells))


def rate_interval(cells: Cells, confidence: float = 0.95) -> Interval:
    """Rate of one arm with its interval for *prompts like these*.

    One row (an untrained arm, or one training seed) gives an interval over prompts and samples only, and one prompt
    one over seeds; ``covers`` says so. One seed and one prompt leave the samples.

    Args:
        cells: shape ``(R, C)``; several preferences give the mean over preferences, each with equal weight.
        confidence: e.g. 0.95.

    Returns:
        The interval; `NOTHING` without a used sample.
    """
    cells = cells.trim()
    return rate_of(cells).interval(confidence) if cells.used.size else NOTHING


def seed_df(*arms: Cells) -> float:
    """Seeds less one, summed over the arms that have several; infinite where no seed is replicated."""
    return float(sum(len(arm.seeds) - 1 for arm in arms)) or math.inf


def kish_size(cells: Cells) -> float:
    """How many equally weighted answers these are worth, weighted as in the rate (Kish 1965); ``cells`` are trimmed."""
    present = cells.used > 0
    share = np.where(present, _weights(cells), 0.0)
    return float(1 / (share**2 / np.where(present, cells.used, 1)).sum())


def _weights(cells: Cells) -> np.ndarray:
    """Weight of each cell in the rate, shape ``(R, C)``, as if none were empty."""
    codes, names = cells.codes
    each = 1.0 / (len(names) * np.bincount(codes)[codes] * (cells.used > 0).sum(axis=0))
    return np.broadcast_to(each, cells.used.shape)


def sampling_variance(cells: Cells) -> float:
    """Variance of the rate if nothing but the answers to each prompt were drawn: no variance can be smaller.

    Binomial within each prompt, whose rate is drawn to that of the arm by one answer, so that prompts whose few answers
    agree are not taken as certain. ``cells`` are trimmed.
    """
    hits, used = cells.hits.sum(axis=0), cells.used.sum(axis=0)
    rate = (hits + crossed([cells]).estimate) / (used + 1.0)
    present = cells.used > 0
    share = np.where(present, _weights(cells), 0.0)
    by_prompt = (share**2 / np.where(present, cells.used, 1)).sum(axis=0)
    return float((by_prompt * rate * (1 - rate) * (used + 1.0) / used).sum())


def t_quantile(confidence: float, df: float) -> float:
    """Half width of a t interval in standard errors."""
    upper = (1 + confidence) / 2
    return float(special.ndtri(upper) if math.isinf(df) else special.stdtrit(max(df, 1.0), upper))


def clopper_pearson(estimate: float, size: float, confidence: float) -> tuple[float, float]:
    """Exact interval of a rate seen in ``size`` independent answers; neither needs to be whole."""
    hits, tail = size * estimate, (1 - confidence) / 2
    low = 0.0 if estimate <= 0 else float(special.betaincinv(hits, size - hits + 1, tail))
    high = 1.0 if estimate >= 1 else float(special.betaincinv(hits + 1, size - hits, 1 - tail))
    return low, high


def t_interval(result: Crossed, confidence: float, covers: str) -> Interval:
    """Student t interval around a crossed estimate, not clipped."""
    se = math.sqrt(result.variance)
    half = t_quantile(confidence, result.df) * se
    return Interval(result.estimate, se, result.df, result.estimate - half, result.estimate + half, covers, "t")


def clip(interval: Interval, low: float, high: float) -> Interval:
    """Cut the ends at ``low`` and ``high`` and flag it."""
    if interval.low >= low and interval.high <= high:
        return interval
    return replace(interval, low=max(interval.low, low), high=min(interval.high, high), clipped=True)


def coverage_of(*arms: Cells) -> str:
    """What an interval over these trimmed arms covers; see `Interval`."""
    replicated = [len(arm.seeds) > 1 for arm in arms]
    trained = [arm.trained for arm in arms]
    several_prompts = len(arms[0].prompts) > len(set(arms[0].strata))
    if not any(replicated):
        return "prompts" if several_prompts else "samples"
    lacking = any(is_trained and not many for is_trained, many in zip(trained, replicated, strict=True))
    seeds = "some seeds" if lacking else "seeds"
    return f"{seeds}+prompts" if several_prompts else seeds


def jeffreys(estimate: float, size: float, confidence: float) -> tuple[float, float]:
    """Jeffreys interval of a rate seen in ``size`` samples; it begins or ends at a rate of exactly 0 or 1.

    Source: Brown, Cai and DasGupta (2001). For the labels of people; a rate has `rate_interval`.
    """
    hits = size * float(np.clip(estimate, 0.0, 1.0))
    low, high = special.betaincinv(hits + 0.5, size - hits + 0.5, [(1 - confidence) / 2, (1 + confidence) / 2])
    return (0.0 if estimate <= 0 else float(low)), (1.0 if estimate >= 1 else float(high))
