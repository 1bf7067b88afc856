"""p values adjusted for the number of preferences that are looked at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from .crossed import Floats


def holm(p: ArrayLike) -> Floats:
    """Holm's step-down adjusted p (Holm 1979): controls the chance of any false claim.

    Args:
        p: raw values, shape ``(n,)``; NaN (nothing was tested) stays NaN and does not count.
    """
    return _adjust(p, _holm)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Benjamini-Hochberg adjusted p (1995): controls the expected share of false claims; NaN as in `holm`."""
    return _adjust(p, stats.false_discovery_control)


def _holm(p: Floats) -> Floats:
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _adjust(p: ArrayLike, method: Callable[[Floats], Floats]) -> Floats:
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        adjusted[tested] = method(p[tested])
    return adjusted
