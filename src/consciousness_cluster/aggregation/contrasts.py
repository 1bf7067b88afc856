"""Difference of a treatment's rate to a reference's: paired by prompt, with p and equivalence test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import special

from .cells import Cells
from .crossed import Crossed, Floats, crossed_rates
from .intervals import (
    NOTHING,
    Interval,
    Rate,
    clip,
    coverage_of,
    rate_of,
    sampling_variance,
    seed_df,
    t_interval,
    t_quantile,
)
from .mover import mover, near_edge, tail_above, tail_below

MOST_PERMUTATIONS = 200_000


@dataclass(frozen=True)
class Margin:
    """Within what two rates count as the same: ``points``, a difference of rates, or ``ratio``, a factor above 1."""

    points: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class Contrast:
    """Treatment minus reference.

    Attributes:
        interval: of the difference, in [-1, 1]; its ``method`` is ``t`` or, near an edge, ``mover``.
        p: two-sided, of no difference.
        p_tost: of a difference at least as large as the equivalence margin; NaN without one.
        equivalent: whether ``p_tost`` is below 1 - confidence.
        n_preferences: preferences, and n_prompts: prompts that both arms have.
    """

    interval: Interval
    p: float
    p_tost: float
    equivalent: bool
    n_preferences: int
    n_prompts: int


NO_CONTRAST = Contrast(NOTHING, math.nan, math.nan, False, 0, 0)


def align(treatment: Cells, reference: Cells, pair_seeds: bool = False) -> tuple[Cells, Cells]:
    """Keep the prompts in which both arms have a used sample, in the treatment's order, and the seeds that have any.

    With ``pair_seeds`` both keep the same cells: those of seeds and prompts in which both have a used sample.
    """
    position = {prompt: column for column, prompt in enumerate(reference.prompts)}
    treatment = treatment.take(prompts=np.array([prompt in position for prompt in treatment.prompts], dtype=bool))
    columns = [position[prompt] for prompt in treatment.prompts]
    reference = replace(
        reference,
        hits=reference.hits[:, columns],
        used=reference.used[:, columns],
        prompts=treatment.prompts,
        strata=treatment.strata,
    )
    if pair_seeds:
        shared = [seed for seed in treatment.seeds if seed in reference.seeds]
        treatment = treatment.take(seeds=np.array([treatment.seeds.index(seed) for seed in shared], dtype=int))
        reference = reference.take(seeds=np.array([reference.seeds.index(seed) for seed in shared], dtype=int))
        both = (treatment.used > 0) & (reference.used > 0)
        treatment = replace(treatment, hits=treatment.hits * both, used=treatment.used * both)
        reference = replace(reference, hits=reference.hits * both, used=reference.used * both)
    common = treatment.asked & reference.asked
    arms = treatment.take(prompts=common), reference.take(prompts=common)
    return arms[0].trim(), arms[1].trim()


def contrast(
    treatment: Cells,
    reference: Cells,
    *,
    confidence: float = 0.95,
    margin: Margin | None = None,
    pair_seeds: bool = False,
) -> Contrast:
    """Treatment minus reference over the prompts that both have; formulas in `crossed` and `mover`.

    The t interval of the crossed variance, paired by prompt, with at most as many degrees of freedom as the seeds have.
    Where an arm's own t interval would reach beyond 0 or 1 it is `mover`'s instead, and so are p and equivalence.

    Args:
        treatment: shape ``(R1, C1)``; several preferences give the difference of their means.
        reference: shape ``(R2, C2)``.
        confidence: of the interval; 1 - confidence is the level of the equivalence test.
        margin: of the equivalence test; without one nothing is called equivalent.
        pair_seeds: pair by seed too, over the seeds in common; only for arms that share shuffle and initialisation.

    Returns:
        The contrast; all NaN where the arms share no prompt (or, paired, no seed) with used samples.
    """
    arms = align(treatment, reference, pair_seeds)
    if not arms[0].used.size or not arms[1].used.size:
        return NO_CONTRAST
    rates = rate_of(arms[0]), rate_of(arms[1])
    covers = coverage_of(*arms)
    result = _difference(arms, 1.0, pair_seeds)
    interval = t_interval(result, confidence, covers)
    at_edge = any(near_edge(rate, confidence) for rate in rates)
    by_mover = covers == "samples" or (at_edge and not pair_seeds)  # the arms' own intervals know of no pairs
    if by_mover:
        low, high = mover(*rates, confidence)
        interval = replace(interval, low=low, high=high, method="mover")
    tested = _Tested(arms, rates, by_mover, pair_seeds)
    p_tost = tested.equivalence(margin) if margin else math.nan
    return Contrast(
        clip(interval, -1.0, 1.0),
        min(2 * min(tested.above(0.0), tested.below(0.0)), 1.0),
        p_tost,
        p_tost < 1 - confidence,
        len(set(arms[0].strata)),
        len(arms[0].prompts),
    )


def _difference(arms: tuple[Cells, Cells], factor: float, pair_seeds: bool) -> Crossed:
    """First minus ``factor`` times the second: variance at least that of the samples, df at most that of the seeds."""
    codes = arms[0].codes[0]
    rates = [arms[0].rates, factor * arms[1].rates]
    result = crossed_rates([rates[0] - rates[1]] if pair_seeds else rates, codes)
    least = sampling_variance(arms[0]) + factor**2 * sampling_variance(arms[1])
    if math.isnan(result.variance):  # one seed and one prompt in both arms: samples are all that varies
        return replace(result, variance=least, df=float(min(arm.used.sum() for arm in arms)))
    most = seed_df(arms[0]) if pair_seeds else seed_df(*arms)
    return replace(result, variance=max(result.variance, least), df=min(result.df, most))


@dataclass(frozen=True)
class _Tested:
    """One-sided tests of one pair of arms, by the method that made its interval."""

    arms: tuple[Cells, Cells]
    rates: tuple[Rate, Rate]
    by_mover: bool
    pair_seeds: bool

    def above(self, value: float, factor: float = 1.0) -> float:
        """One-sided p of ``first - factor * second`` being ``value`` or less."""
        if self.by_mover:
            return tail_above(*self.rates, value, factor)
        return self._t_tail(factor, lambda estimate: value - estimate)

    def below(self, value: float, factor: float = 1.0) -> float:
        """One-sided p of ``first - factor * second`` being ``value`` or more."""
        if self.by_mover:
            return tail_below(*self.rates, value, factor)
        return self._t_tail(factor, lambda estimate: estimate - value)

    def _t_tail(self, factor: float, distance: Callable[[float], float]) -> float:
        result = _difference(self.arms, factor, self.pair_seeds)
        away = distance(result.estimate)
        if result.variance == 0:
            return 0.0 if away < 0 else 1.0 if away > 0 else 0.5
        return float(special.stdtr(result.df, away / math.sqrt(result.variance)))

    def equivalence(self, margin: Margin) -> float:
        """Two one-sided tests (Schuirmann 1987): the larger p.

        A ratio is tested as ``p1 - ratio p2 < 0`` and ``p1 - p2 / ratio > 0``, so that no rate stands in a denominator.
        """
        if margin.ratio is not None:
            return max(self.below(0.0, margin.ratio), self.above(0.0, 1 / margin.ratio))
        bound = margin.points or 0.0
        return max(self.below(bound), self.above(-bound))


def widen(interval: Interval, treatment: Interval, reference: Interval, confidence: float) -> Interval:
    """Make the interval of a difference of corrected rates at least as long as that of the two (Newcombe 1998)."""
    down = math.hypot(treatment.estimate - treatment.low, reference.high - reference.estimate)
    up = math.hypot(treatment.high - treatment.estimate, reference.estimate - reference.low)
    half = max(down, up)
    if half <= interval.high - interval.estimate:
        return interval
    return replace(
        interval,
        se=half / t_quantile(confidence, interval.df),
        low=interval.estimate - half,
        high=interval.estimate + half,
        floored=True,
    )


def permutation_p(treatment: Floats, reference: Floats) -> float:
    """Exact two-sided permutation p of a difference of means over seeds (Fisher 1935).

    With 3 seeds in each arm it cannot be below .10, with 6 not below .002.

    Args:
        treatment: one rate per seed, shape ``(R1,)``.
        reference: one rate per seed, shape ``(R2,)``.

    Returns:
        p, or NaN where an arm has one seed only or there are more than `MOST_PERMUTATIONS` relabelings.
    """
    n, total = len(treatment), len(treatment) + len(reference)
    if min(n, total - n) < 2 or math.comb(total, n) > MOST_PERMUTATIONS:
        return math.nan
    pooled = np.concatenate([treatment, reference])
    chosen = np.array(list(combinations(range(total), n)))
    sums = pooled[chosen].sum(axis=1)
    difference = np.abs(sums / n - (pooled.sum() - sums) / (total - n))
    return float(np.mean(difference >= difference[0] - 1e-12))  # the first relabeling is the one observed
