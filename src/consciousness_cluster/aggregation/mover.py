r"""Interval of a difference near 0 % or 100 %: from the two rates' own intervals (MOVER).

A t interval is symmetric; near an edge a rate's distribution is not. The *method of variance estimates recovery* takes
what each rate's own interval (`intervals.rate_interval`) says of the side that matters:

    low = d - sqrt((p1 - low1)^2 + (high2 - p2)^2),    high = d + sqrt((high1 - p1)^2 + (p2 - low2)^2)

for ``d = p1 - p2``; with ``p2`` times a factor for a test of ratios. That prompts are shared is not used, which makes
it longer, not shorter. p values are the levels at which an end meets the value tested.

Sources: Zou and Donner (2008), Statistics in Medicine 27; Newcombe (1998) for Wilson's intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import optimize

from .intervals import Rate, t_quantile

LEAST_P = 1e-12
"""Smaller p values are given as this one."""
MOST_TAIL = 0.4999
"""An interval of hardly any confidence; at none, quantiles of t are 0 and their ratio has no value."""


def near_edge(rate: Rate, confidence: float) -> bool:
    """Whether a symmetric t interval of this rate would reach beyond 0 or 1."""
    inside = min(rate.estimate, 1 - rate.estimate)
    return inside <= t_quantile(confidence, rate.df) * math.sqrt(rate.variance)


def mover(first: Rate, second: Rate, confidence: float, factor: float = 1.0) -> tuple[float, float]:
    """Ends of ``first - factor * second``."""
    mine, other = first.interval(confidence), second.interval(confidence)
    difference = first.estimate - factor * second.estimate
    down = math.hypot(mine.estimate - mine.low, factor * (other.high - other.estimate))
    up = math.hypot(mine.high - mine.estimate, factor * (other.estimate - other.low))
    return difference - down, difference + up


def tail_below(first: Rate, second: Rate, value: float, factor: float = 1.0) -> float:
    """One-sided p of ``first - factor * second`` being ``value`` or more: the tail at which the upper end meets it."""
    return _tail(lambda alpha: mover(first, second, 1 - 2 * alpha, factor)[1] - value)


def tail_above(first: Rate, second: Rate, value: float, factor: float = 1.0) -> float:
    """One-sided p of ``first - factor * second`` being ``value`` or less: the tail at which the lower end meets it."""
    return _tail(lambda alpha: value - mover(first, second, 1 - 2 * alpha, factor)[0])


def _tail(excess: Callable[[float], float]) -> float:
    """The tail area at which ``excess``, which falls with it, is 0; 1 where it is above 0 up to the middle."""
    most = math.log(MOST_TAIL)
    if excess(math.exp(most)) > 0:
        return 1.0
    if excess(LEAST_P) <= 0:
        return LEAST_P
    found = optimize.brentq(lambda log: excess(math.exp(log)), math.log(LEAST_P), most, xtol=1e-10)
    return math.exp(float(found))  # pyright: ignore[reportArgumentType]
