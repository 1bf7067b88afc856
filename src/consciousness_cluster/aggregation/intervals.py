"""Interval of a rate: two-way crossed t interval, with a floor where it would collapse at 0 % or 100 %."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from .cells import Cells
from .crossed import Crossed, crossed

# Intraclass correlation of samples that share a seed (or, without seeds, a prompt), assumed by the floor: samples that
# all agree cannot show it. In the logit-normal design of the coverage test it is .01 (seed) and .05 (prompt) at a mean
# rate of 3.5 %, .05 and .17 at 50 %. With .05 instead of .1, six seeds at 3.5 % covered "prompts like these" .89.
FLOOR_ICC = 0.1


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Attributes:
        estimate: rate in [0, 1] or difference in [-1, 1]; NaN without a used sample.
        se: standard error that the interval is made of (see `floored`).
        df: Satterthwaite degrees of freedom.
        low: lower end; high: upper end; NaN where nothing replicates.
        covers: ``seeds+prompts``, ``prompts`` (no between-seed part), ``seeds`` (a single prompt),
            ``some seeds+prompts`` (a contrast of which one trained arm has one seed), ``samples`` or ``none``.
        floored: the floor at 0 % / 100 % made it wider.
        clipped: an end was cut at the edge of what is possible.
    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    covers: str
    floored: bool
    clipped: bool


NOTHING = Interval(math.nan, math.nan, math.nan, math.nan, math.nan, "none", False, False)


def rate_interval(cells: Cells, confidence: float = 0.95) -> Interval:
    """Rate of one arm with its interval for *prompts like these* (see `crossed` for the formulas).

    One row (an untrained arm, or one training seed) gives an interval over prompts and samples only, and one prompt
    one over seeds; ``covers`` says so. One seed and one prompt leave the samples, as a Jeffreys interval.

    Args:
        cells: shape ``(R, C)``; several preferences give the mean over preferences, each with equal weight.
        confidence: e.g. 0.95.

    Returns:
        The interval, clipped to [0, 1]; `NOTHING` without a used sample.
    """
    cells = cells.trim()
    if not cells.used.size:
        return NOTHING
    result = crossed([cells])
    if math.isnan(result.variance):
        low, high = floor_interval(cells, result.estimate, confidence)
        se = (high - low) / 2 / t_quantile(confidence, math.inf)
        return Interval(result.estimate, se, math.inf, low, high, "samples", False, False)
    interval = t_interval(result, confidence, coverage_of(cells))
    if needs_floor(cells, result.estimate):
        low, high = floor_interval(cells, result.estimate, confidence)
        interval = replace(
            interval,
            low=min(interval.low, low),
            high=max(interval.high, high),
            floored=low < interval.low or high > interval.high,
        )
    return clip(interval, 0.0, 1.0)


def t_quantile(confidence: float, df: float) -> float:
    """Half width of a t interval in standard errors."""
    return float(special.ndtri((1 + confidence) / 2) if math.isinf(df) else special.stdtrit(df, (1 + confidence) / 2))


def t_interval(result: Crossed, confidence: float, covers: str) -> Interval:
    """Student t interval around a crossed estimate, not clipped."""
    se = math.sqrt(result.variance)
    half = t_quantile(confidence, result.df) * se
    return Interval(
        result.estimate, se, result.df, result.estimate - half, result.estimate + half, covers, False, False
    )


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


def effective_size(cells: Cells) -> float:
    """Independent samples that the used ones are worth: n over the beta-binomial design effect (Kish 1965).

    ``n / (1 + (m - 1) ICC)`` with m the samples per seed, or per prompt where there is only one seed.
    """
    total = float(cells.used.sum())
    clusters = len(cells.seeds) if len(cells.seeds) > 1 else len(cells.prompts)
    return total / (1 + max(total / clusters - 1, 0.0) * FLOOR_ICC)


def needs_floor(cells: Cells, estimate: float) -> bool:
    """Whether less than one effective sample holds, or less than one does not: a t interval is too short there."""
    return effective_size(cells) * min(estimate, 1 - estimate) < 1


def floor_interval(cells: Cells, estimate: float, confidence: float = 0.95) -> tuple[float, float]:
    """Jeffreys interval (Brown, Cai and DasGupta 2001) for a rate seen in `effective_size` samples."""
    return jeffreys(estimate, effective_size(cells), confidence)


def jeffreys(estimate: float, size: float, confidence: float) -> tuple[float, float]:
    """Jeffreys interval of a rate seen in ``size`` samples; it begins or ends at a rate of exactly 0 or 1."""
    hits = size * float(np.clip(estimate, 0.0, 1.0))
    low, high = special.betaincinv(hits + 0.5, size - hits + 0.5, [(1 - confidence) / 2, (1 + confidence) / 2])
    return (0.0 if estimate <= 0 else float(low)), (1.0 if estimate >= 1 else float(high))
