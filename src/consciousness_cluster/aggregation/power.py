"""How large a difference a number of seeds can show."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import optimize, special

MIDPOINTS = (np.arange(20_000) + 0.5) / 20_000


def detectable_difference(n_seeds: int, power: float = 0.8, confidence: float = 0.95) -> float:
    """Smallest difference of two arms that a two-sided t test over seed means finds with ``power``.

    `detectable_shift` with ``2 (n_seeds - 1)`` degrees of freedom and a standard error of ``sqrt(2 / n_seeds)``.
    Prompts and samples are taken as plenty: only seeds vary.

    Args:
        n_seeds: seeds per arm, at least 2.
        power: probability to find it, between 1 - ``confidence`` and 1.
        confidence: of the test, e.g. 0.95.

    Returns:
        Difference in units of the between-seed standard deviation.

    Raises:
        ValueError: fewer than 2 seeds, which leave nothing to compare against.
    """
    if n_seeds < 2:
        raise ValueError(f"n_seeds: found {n_seeds}, expected at least 2")
    return detectable_shift(2.0 * (n_seeds - 1), power, confidence) * (2 / n_seeds) ** 0.5


@lru_cache(maxsize=4096)
def detectable_shift(df: float, power: float = 0.8, confidence: float = 0.95) -> float:
    """Smallest difference that a two-sided t test with ``df`` degrees of freedom finds, in standard errors.

    NaN where nothing replicates. Noncentral t (Cohen 1988, ch. 2), as a mean of normals over the standard error:
    scipy's returns NaN at large shifts.
    """
    if not df >= 1:
        return math.nan
    critical = float(special.stdtrit(df, (1 + confidence) / 2))
    scale = critical * np.sqrt(special.chdtri(df, MIDPOINTS) / df)

    def excess_power(shift: float) -> float:
        return float(np.mean(special.ndtr(shift - scale) + special.ndtr(-scale - shift))) - power

    root: Any = optimize.brentq(excess_power, 0.0, 10_000.0, xtol=1e-8)
    return float(root)
