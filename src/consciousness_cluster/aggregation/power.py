"""How large a difference a number of seeds can show."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize, stats


def detectable_difference(n_seeds: int, power: float = 0.8, confidence: float = 0.95) -> float:
    """Smallest difference of two arms that a two-sided t test over seed means finds with ``power``.

    Noncentral t with ``2 (n_seeds - 1)`` degrees of freedom and noncentrality ``difference * sqrt(n_seeds / 2)``
    (Cohen 1988, ch. 2). Prompts and samples are taken as plenty: only seeds vary.

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
    df = 2 * (n_seeds - 1)
    critical = float(stats.t.ppf((1 + confidence) / 2, df))
    # The noncentral t as a mean of normals over the standard error: scipy's nct returns NaN at large shifts.
    scale = critical * np.sqrt(stats.chi2.ppf((np.arange(20_000) + 0.5) / 20_000, df) / df)

    def excess_power(difference: float) -> float:
        shift = difference * (n_seeds / 2) ** 0.5
        return float(np.mean(stats.norm.sf(scale - shift) + stats.norm.cdf(-scale - shift))) - power

    root: Any = optimize.brentq(excess_power, 0.0, 1_000.0, xtol=1e-8)
    return float(root)
