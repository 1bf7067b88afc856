"""Hierarchical bootstrap over seeds, prompts and samples; percentile intervals. The check of the two-way interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.records import content_hash
from .cells import Cells
from .crossed import Floats, present_mean

Indices = NDArray[np.intp]
CHUNK = 1_000_000  # resampled cells held at once: some 50 MB


def generator(seed: int, *identity: str) -> np.random.Generator:
    """Generator that follows from the experiment's seed and a name, so that no other name changes its draws."""
    return np.random.default_rng(int(content_hash([seed, *identity]), 16))


def seed_indices(n_seeds: int, n_draws: int, rng: np.random.Generator) -> Indices:
    """Rows drawn with replacement, shape ``(n_draws, n_seeds)``."""
    return rng.integers(n_seeds, size=(n_draws, n_seeds))


def prompt_indices(strata: tuple[str, ...], n_draws: int, rng: np.random.Generator) -> Indices:
    """Columns drawn with replacement within their preference, shape ``(n_draws, C)``.

    Arms that are asked the same prompts share one such array: their differences are then paired by prompt.
    """
    index = np.empty((n_draws, len(strata)), dtype=np.intp)
    for name in dict.fromkeys(strata):
        columns = np.flatnonzero(np.array(strata) == name)
        index[:, columns] = columns[rng.integers(len(columns), size=(n_draws, len(columns)))]
    return index


def rate_draws(cells: Cells, seeds: Indices, prompts: Indices, rng: np.random.Generator) -> Floats:
    """Bootstrap rates of every preference, shape ``(n_draws, J)``; NaN where a draw meets no used sample.

    Drawing n samples with replacement from n of which k hold is one binomial draw of (n, k/n), afresh for every copy
    of a drawn seed and prompt. Averages weigh like the estimate's (see `crossed`).

    Args:
        cells: one arm, shape ``(R, C)``; empty cells are passed over.
        seeds: `seed_indices`, shape ``(n_draws, R)``.
        prompts: `prompt_indices`, shape ``(n_draws, C)``.
        rng: draws the samples.
    """
    codes, names = cells.codes
    n_draws, (rows, columns) = len(seeds), cells.used.shape
    if not cells.used.any():
        return np.full((n_draws, len(names)), np.nan)
    chance = np.nan_to_num(cells.rates)
    membership = np.eye(len(names))[codes]
    out = np.empty((n_draws, len(names)))
    step = max(1, CHUNK // (rows * columns))
    for start in range(0, n_draws, step):
        row = seeds[start : start + step, :, None]
        column = prompts[start : start + step, None, :]
        used = cells.used[row, column]
        hits = rng.binomial(used, chance[row, column])
        rates = np.divide(hits, used, out=np.full(used.shape, np.nan), where=used > 0)
        by_prompt = present_mean(rates, axis=1)
        present = ~np.isnan(by_prompt)
        total = np.where(present, by_prompt, 0.0) @ membership
        count = present @ membership
        out[start : start + step] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return out


def percentile_interval(draws: Floats, confidence: float) -> tuple[float, float]:
    """Lower and upper percentile of draws, shape ``(n_draws,)``; NaN draws are left out, NaN if none is left."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
