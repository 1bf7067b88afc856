"""How far an estimate rests on one fine-tune: its range when each seed in turn is left out.

With three seeds this says more than a bootstrap over them, whose intervals are too short by a third and whose draws
repeat the same three.
"""

from __future__ import annotations

import math

import numpy as np

from .cells import Cells
from .contrasts import align
from .crossed import crossed, estimate

Range = tuple[float, float]
NO_RANGE: Range = (math.nan, math.nan)


def rate_without_a_seed(cells: Cells) -> Range:
    """Lowest and highest rate when one seed is left out; NaN where there are not two."""
    cells = cells.trim()
    if len(cells.seeds) < 2:
        return NO_RANGE
    rates = [estimate(cells.take(_others(cells, seed)).trim()) for seed in range(len(cells.seeds))]
    return min(rates), max(rates)


def difference_without_a_seed(treatment: Cells, reference: Cells) -> Range:
    """Lowest and highest difference when one seed, of either arm, is left out; NaN where neither arm has two."""
    pairs = align(treatment, reference)
    found = []
    for number, arm in enumerate(pairs):
        for seed in range(len(arm.seeds)) if len(arm.seeds) > 1 else ():
            fewer = arm.take(_others(arm, seed))
            arms = align(fewer, pairs[1]) if number == 0 else align(pairs[0], fewer)
            if arms[0].used.size and arms[1].used.size:
                found.append(crossed(arms).estimate)
    return (min(found), max(found)) if found else NO_RANGE


def _others(cells: Cells, seed: int) -> np.ndarray:
    return np.arange(len(cells.seeds)) != seed
