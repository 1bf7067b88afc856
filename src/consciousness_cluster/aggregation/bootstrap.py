"""Bootstrap draws and percentile intervals, for the agreement of judges: over many fine-tunes of all conditions.

Not for rates and differences: over three seeds a percentile interval covers .84 to .86
(`benchmarks/interval_coverage.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.records import content_hash
from .crossed import Floats


def generator(seed: int, *identity: str) -> np.random.Generator:
    """Generator that follows from the experiment's seed and a name, so that no other name changes its draws."""
    return np.random.default_rng(int(content_hash([seed, *identity]), 16))


def prompt_indices(strata: tuple[str, ...], n_draws: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Columns drawn with replacement within their preference, shape ``(n_draws, C)``."""
    index = np.empty((n_draws, len(strata)), dtype=np.intp)
    for name in dict.fromkeys(strata):
        columns = np.flatnonzero(np.array(strata) == name)
        index[:, columns] = columns[rng.integers(len(columns), size=(n_draws, len(columns)))]
    return index


def percentile_interval(draws: Floats, confidence: float) -> tuple[float, float]:
    """Lower and upper percentile of draws, shape ``(n_draws,)``; NaN draws are left out, NaN if none is left."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
