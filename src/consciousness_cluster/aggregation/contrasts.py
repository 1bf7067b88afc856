"""Difference of a treatment's rate to a reference's: paired by prompt, with p, equivalence test and bootstrap."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import special

from .bootstrap import prompt_indices, rate_draws, seed_indices
from .cells import Cells
from .crossed import Floats, crossed, crossed_rates, estimate, present_mean
from .intervals import NOTHING, Interval, clip, coverage_of, needs_floor, rate_interval, t_interval, t_quantile

MOST_PERMUTATIONS = 200_000


@dataclass(frozen=True)
class Contrast:
    """Treatment minus reference.

    Attributes:
        interval: two-way crossed t interval of the difference, in [-1, 1].
        p: two-sided, of no difference.
        p_tost: of a difference at least as large as the equivalence bound.
        equivalent: whether ``p_tost`` is below 1 - confidence.
        n_preferences: preferences, and n_prompts: prompts that both arms have.
    """

    interval: Interval
    p: float
    p_tost: float
    equivalent: bool
    n_preferences: int
    n_prompts: int


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
    treatment: Cells, reference: Cells, *, confidence: float = 0.95, bound: float = 0.1, pair_seeds: bool = False
) -> Contrast:
    """Treatment minus reference over the prompts that both have; formulas in `crossed`.

    Near 0 % or 100 % an arm's own (floored) interval is longer than the t interval knows; the half width is then at
    least that of the two arms' intervals squared and added (Newcombe 1998), and ``se`` is widened with it.

    Args:
        treatment: shape ``(R1, C1)``; several preferences give the difference of their means.
        reference: shape ``(R2, C2)``.
        confidence: of the interval; 1 - confidence is the level of the equivalence test.
        bound: equivalence margin, as a difference of rates in (0, 1).
        pair_seeds: pair by seed too, over the seeds in common; only for arms that share shuffle and initialisation.

    Returns:
        The contrast; all NaN where the arms share no prompt (or, paired, no seed) with used samples.
    """
    arms = align(treatment, reference, pair_seeds)
    if not arms[0].used.size or not arms[1].used.size:
        return Contrast(NOTHING, math.nan, math.nan, False, 0, 0)
    result = crossed_rates([arms[0].rates - arms[1].rates], arms[0].codes[0]) if pair_seeds else crossed(arms)
    covers = coverage_of(*arms)
    if math.isnan(result.variance):  # one seed and one prompt in both arms: samples are all that varies
        result = replace(result, variance=0.0, df=math.inf)
    interval = t_interval(result, confidence, covers)
    if covers == "samples" or any(needs_floor(arm, estimate(arm)) for arm in arms):
        first, second = (rate_interval(arm, confidence) for arm in arms)
        interval = widen(interval, first, second, confidence)
    p, p_tost = _tests(interval, bound)
    return Contrast(
        clip(interval, -1.0, 1.0),
        p,
        p_tost,
        p_tost < 1 - confidence,
        len(set(arms[0].strata)),
        len(arms[0].prompts),
    )


def widen(interval: Interval, treatment: Interval, reference: Interval, confidence: float) -> Interval:
    """Make the interval of a difference at least as long as that of the two arms' own (Newcombe 1998)."""
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


def _tests(interval: Interval, bound: float) -> tuple[float, float]:
    if interval.se == 0:
        return float(interval.estimate == 0), float(abs(interval.estimate) >= bound)
    # Schuirmann 1987: the larger p of the two one-sided tests is that of the nearer bound
    return 2 * _upper_tail(abs(interval.estimate), interval), _upper_tail(bound - abs(interval.estimate), interval)


def _upper_tail(distance: float, interval: Interval) -> float:
    z = -distance / interval.se
    return float(special.ndtr(z) if math.isinf(interval.df) else special.stdtr(interval.df, z))


def contrast_draws(
    treatment: Cells, reference: Cells, n_draws: int, rng: np.random.Generator, pair_seeds: bool = False
) -> Floats:
    """Hierarchical bootstrap of the difference (mean over preferences), shape ``(n_draws,)``.

    Both arms meet the same drawn prompts; with ``pair_seeds`` the same drawn seeds too.
    """
    treatment, reference = align(treatment, reference, pair_seeds)
    if not treatment.used.size or not reference.used.size:
        return np.full(n_draws, np.nan)
    prompts = prompt_indices(treatment.strata, n_draws, rng)
    seeds = seed_indices(len(treatment.seeds), n_draws, rng)
    others = seeds if pair_seeds else seed_indices(len(reference.seeds), n_draws, rng)
    difference = rate_draws(treatment, seeds, prompts, rng) - rate_draws(reference, others, prompts, rng)
    return present_mean(difference, axis=1)


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
