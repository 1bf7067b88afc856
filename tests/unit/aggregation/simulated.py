"""Simulated experiments with known truth, in the design of the project's statistics, and hand-made verdicts."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from consciousness_cluster.aggregation.cells import Cells
from consciousness_cluster.core.records import Verdict

PROMPT_SD, ARM_PROMPT_SD, SEED_PROMPT_SD, SEED_SD = 1.0, 0.5, 0.3, 0.6  # on the logit
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(30)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass
class Simulated:
    """An arm's counts with its true rate for the prompts asked and for prompts like these."""

    cells: Cells
    these_prompts: float
    like_these: float


def simulate(rng, n_seeds, levels=(0.0, 0.0), n_preferences=1, n_prompts=10, n_samples=10, seed_sd=SEED_SD):
    """Arms that share prompts, at ``levels`` (logit); ``n_seeds`` per arm, None for an untrained one."""
    columns = n_preferences * n_prompts
    prompt = rng.normal(0, PROMPT_SD, columns)
    arms = []
    for level, seeds in zip(levels, n_seeds if isinstance(n_seeds, tuple) else (n_seeds,) * len(levels), strict=True):
        here = level + prompt + rng.normal(0, ARM_PROMPT_SD, columns)
        rows, spread = seeds or 1, 0.0
        logit = np.tile(here, (rows, 1))
        if seeds:
            logit = logit + rng.normal(0, seed_sd, (rows, 1)) + rng.normal(0, SEED_PROMPT_SD, logit.shape)
            spread = seed_sd**2 + SEED_PROMPT_SD**2
        these = float((expit(here[:, None] + np.sqrt(spread) * NODES) @ WEIGHTS).mean())
        like = float(expit(level + np.sqrt(spread + PROMPT_SD**2 + ARM_PROMPT_SD**2) * NODES) @ WEIGHTS)
        names = [f"p{q}" for q in range(n_preferences) for _ in range(n_prompts)]
        hits = rng.binomial(n_samples, expit(logit))
        arms.append(Simulated(cells(hits, n_samples, strata=names, trained=bool(seeds)), these, like))
    return arms


def level_of(rate, spread):
    """The logit around which a normal spread gives this mean rate."""
    return brentq(lambda level: float(expit(level + spread * NODES) @ WEIGHTS) - rate, -20, 20)


def arms_at(rng, rates, seed_sd, n_preferences=21, n_prompts=10, n_samples=5, n_seeds=3, outliers=0.0):
    """Counts of arms that share prompts, at true ``rates`` of prompts and fine-tunes like these.

    ``outliers``: a fine-tune's chance to lie 4 logits higher, which the rates do not count.
    """
    spread = np.sqrt(seed_sd**2 + PROMPT_SD**2 + ARM_PROMPT_SD**2 + SEED_PROMPT_SD**2)
    columns = n_preferences * n_prompts
    names = [f"p{q}" for q in range(n_preferences) for _ in range(n_prompts)]
    prompt = rng.normal(0, PROMPT_SD, columns)
    arms = []
    for rate in rates:
        seed = rng.normal(0, seed_sd, (n_seeds, 1)) + 4.0 * (rng.random((n_seeds, 1)) < outliers)
        logit = level_of(rate, spread) + prompt + rng.normal(0, ARM_PROMPT_SD, columns) + seed
        logit = logit + rng.normal(0, SEED_PROMPT_SD, logit.shape)
        arms.append(cells(rng.binomial(n_samples, expit(logit)), n_samples, strata=names))
    return arms


def cells(hits, used=10, strata=None, prompts=None, seeds=None, trained=True):
    """Cells from nested lists of hits; ``used`` is one number or nested lists too."""
    hits = np.array(hits, dtype=np.int64)
    rows, columns = hits.shape
    return Cells(
        hits,
        np.broadcast_to(np.asarray(used, dtype=np.int64), hits.shape),
        tuple(seeds or range(1, rows + 1)),
        tuple(prompts or (f"prompt{column}" for column in range(columns))),
        tuple(strata or ["moral_status"] * columns),
        trained,
    )


def scattered(hits_by_seed, n_preferences=21, n_prompts=10, n_samples=5):
    """Cells in which each seed's hits lie in as many different prompts, far apart."""
    columns = n_preferences * n_prompts
    hits = np.zeros((len(hits_by_seed), columns), dtype=int)
    for row, count in enumerate(hits_by_seed):
        np.add.at(hits[row], (np.arange(count) * 37 + 11 * row) % columns, 1)
    return cells(hits, n_samples, strata=[f"p{q}" for q in range(n_preferences) for _ in range(n_prompts)])


def verdict(preference, prompt_id, sample, holds, coherence=90.0, *, target=("base", "vanilla", 0), judge="lexicon"):
    """One verdict of ``target`` = (base, condition, seed)."""
    base, condition, seed = target
    return Verdict(
        base=base,
        condition=condition,
        seed=seed,
        preference=preference,
        prompt_id=prompt_id,
        sample=sample,
        judge=judge,
        holds=holds,
        stance="unscored" if holds == "unscored" else "neutral",
        coherence=coherence,
    )
