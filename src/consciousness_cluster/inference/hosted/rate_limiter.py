"""How many requests may be in flight and when the next may start: the provider's limits, found and honoured.

Concurrency grows with every answer and is halved when the provider says that it was too much (as TCP does it). Before
that happens the provider's own headers slow the pace: when what remains of an allowance would not last for one more
round, requests start only as fast as the allowance is refilled.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

START = 20
"""Requests in flight at first; doubled every round trip until the limit is met."""

LONGEST_PAUSE = 60.0
SHORTEST_PAUSE = 0.5


@dataclass(frozen=True)
class Allowance:
    """One line of the provider's rate-limit headers.

    Args:
        tokens: it counts tokens; otherwise requests.
        limit: the whole allowance, None if the headers do not say.
        remaining: what is left of it.
        reset: seconds until it is whole again.
    """

    tokens: bool
    limit: int | None
    remaining: int
    reset: float


class RateLimiter:
    """Says when the next request may start.

    Args:
        most: requests in flight that the experiment allows.
        clock: seconds, monotonic.
        start: requests in flight at first.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic, start: int = START) -> None:
        self.most, self._clock = most, clock
        self.allowed = float(min(most, start))
        self.in_flight = 0
        self._doubling = True
        self._last_cut = float("-inf")
        self._cuts = 0  # since the last answer
        self._opens = float("-inf")
        self._next, self._interval = float("-inf"), 0.0
        self._paces: dict[bool, float] = {}  # seconds per request that the allowances of requests and of tokens leave
        self._tokens = 0.0  # that one call usually takes

    def wait(self) -> float | None:
        """Seconds until a request may start (0: now); None: not before another one ends."""
        if self.in_flight >= max(1, int(self.allowed)):
            return None
        return max(0.0, self._opens - self._clock(), (self._next - self._clock()) if self._interval else 0.0)

    def start(self) -> float:
        """Count a request that starts now; returns when that is."""
        self.in_flight += 1
        now = self._clock()
        self._next = now + self._interval
        return now

    def end(self) -> None:
        """Count a request that came back, however."""
        self.in_flight -= 1

    def answered(self, tokens: int, allowances: Iterable[Allowance]) -> None:
        """Learn from an answer that took ``tokens``."""
        self._cuts = 0
        self._tokens = tokens if not self._tokens else 0.95 * self._tokens + 0.05 * tokens
        self.allowed = min(self.most, self.allowed + (1.0 if self._doubling else 1.0 / self.allowed))
        self._pace(allowances)

    def limited(self, started: float, wait: float | None, allowances: Iterable[Allowance] = ()) -> float:
        """Learn from a request, begun at ``started``, that was too much; returns for how long nothing starts."""
        now = self._clock()
        if started >= self._last_cut:  # the others of the same burst tell nothing new
            self.allowed, self._doubling, self._last_cut = max(1.0, min(self.allowed, self.in_flight) / 2), False, now
            self._cuts += 1
        if wait is None:
            wait = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(self._cuts, 10)) * random.uniform(0.5, 1)
        self._opens = max(self._opens, now + wait)
        self._pace(allowances)
        return self._opens - now

    def _pace(self, allowances: Iterable[Allowance]) -> None:
        """Learn the pace of each allowance; one of which nothing is said now keeps the pace that it had."""
        paces: dict[bool, float] = {}
        for allowance in allowances:
            need = max(1.0, self._tokens) if allowance.tokens else 1.0
            if allowance.remaining >= need * self.allowed:
                pace = 0.0
            elif allowance.reset <= 0:
                continue  # nearly used up, and not said how fast it is refilled
            elif allowance.limit is not None and allowance.limit > allowance.remaining:
                pace = need * allowance.reset / (allowance.limit - allowance.remaining)
            else:
                if allowance.remaining < need:
                    self._opens = max(self._opens, self._clock() + min(allowance.reset, LONGEST_PAUSE))
                continue
            paces[allowance.tokens] = max(paces.get(allowance.tokens, 0.0), pace)
        self._paces |= paces
        self._interval = min(max(self._paces.values(), default=0.0), LONGEST_PAUSE)
