"""One request at a time, many at once: asks a provider as fast as it allows and hands answers over as they arrive."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core import shutdown
from ...core.errors import EndpointError
from ...core.progress import SECONDS_BETWEEN_LINES
from ..requests import Request, Response
from .batch_journal import BatchJournal
from .client import Provider
from .provider_errors import Failure
from .rate_limiter import RateLimiter

log = logging.getLogger(__name__)

HAND_OVER = 0.1
"""Seconds between lists of answers: the store's flush to disk costs little, and a kill loses little."""

ATTEMPTS = 6
BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
PATIENCE = 900.0
"""Seconds without any answer, all of them refused for their rate, after which it ends."""

ATTEMPTS_IF_WITHHELD = 3
"""Attempts after which an outcome that looks like a refusal of this one request is taken for one."""

MOST_REFUSED = 10
"""Requests that fail for good, after which the rest is not tried any more."""

Answers = list[tuple[Request, Response]]


@dataclass
class Asked:
    """A request with its history."""

    request: Request
    attempts: int = 0


class ConcurrentEndpoint:
    """Answers through single calls.

    Args:
        model: the provider's model id.
        provider: its protocol.
        notes: batches under way: what they ask is not asked again; None where there are no batches.
        backoff: seconds before the first new attempt, then twice as long each time.
        patience: see `PATIENCE`.
    """

    def __init__(
        self,
        model: str,
        provider: Provider,
        notes: BatchJournal | None = None,
        backoff: float = BACKOFF,
        patience: float = PATIENCE,
    ) -> None:
        self.model, self.provider, self.notes = model, provider, notes
        self.backoff, self.patience = backoff, patience
        self.lost: list[Request] = []

    def answer(self, requests: Sequence[Request]) -> Iterator[Answers]:
        """Yield answers as they arrive; see `Endpoint.answer`.

        Raises:
            EndpointError: a batch under way asks the same, no key, a model that is not there, no money, or no answer in
                spite of all attempts; in the provider's words, after everything that arrived was yielded.
        """
        if self.notes:
            for note in self.notes.about({request.key for request in requests}):
                raise EndpointError(
                    f"{self.model}: a batch of {len(note.requests)} requests that an earlier run handed in asks the"
                    f" same; set `batch: true` to collect it, or delete {self.notes.path(note)} to ask and pay again"
                )
        client = self.provider.connect()
        with shutdown.deferred(), asyncio.Runner() as loop:
            run = _Run(self, client, requests)
            try:
                while not run.over:
                    answers = loop.run(run.step())
                    if answers or self.lost:
                        yield answers
            finally:
                loop.run(run.close())
        if run.problem:
            raise EndpointError(f"{self.model}: {run.problem}")


class _Run:
    """What is under way: lives on one event loop, which stands still while the caller stores what it was given."""

    def __init__(self, endpoint: ConcurrentEndpoint, client: Any, requests: Sequence[Request]) -> None:
        self.endpoint, self.provider, self.client = endpoint, endpoint.provider, client
        self.total = len(requests)
        self.fresh = deque(Asked(request) for request in requests)
        self.delayed: list[tuple[float, int, Asked]] = []
        self.number = itertools.count()
        self.limits = RateLimiter(self.provider.concurrency, start=self.provider.at_first)
        self.tasks: set[asyncio.Task] = set()
        self.timer: asyncio.TimerHandle | None = None
        self.arrived: Answers = []
        self.refused, self.first_words = 0, ""
        self.problem, self.said = "", 0.0
        self.crash: BaseException | None = None
        self.last_answer = time.monotonic()
        self.done = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether nothing is left to hand over."""
        return self.done.is_set() and not self.arrived

    async def step(self) -> Answers:
        """Go on for a moment; returns what arrived."""
        if shutdown.is_requested() and not self.problem:
            log.info("the run is over: waiting for %d answers that are under way", self.limits.in_flight)
            self.problem = "the run was ended; what was under way is kept"
        self._fill()
        try:
            async with asyncio.timeout(HAND_OVER):
                await self.done.wait()
        except TimeoutError:
            pass
        if self.crash:
            raise self.crash
        answers, self.arrived = self.arrived, []
        return answers

    async def close(self) -> None:
        """Drop what is in flight and the connections."""
        if self.timer:
            self.timer.cancel()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.client.close()

    def _fill(self) -> None:
        """Start every request that may start now, and come back when the next one may."""
        if self.timer:
            self.timer.cancel()
            self.timer = None
        while (self.fresh or self.delayed) and not self.problem:
            pause = self.limits.wait()
            if pause is None:
                return
            now = time.monotonic()
            if not pause and not self.fresh:
                pause = max(0.0, self.delayed[0][0] - now)
            if pause:
                self.timer = asyncio.get_running_loop().call_later(pause, self._fill)
                return
            due = self.delayed and self.delayed[0][0] <= now
            asked = heapq.heappop(self.delayed)[2] if due else self.fresh.popleft()
            task = asyncio.get_running_loop().create_task(self._ask(asked, self.limits.start()))
            self.tasks.add(task)
            task.add_done_callback(self._ended)
        if not self.limits.in_flight and (self.problem or not (self.fresh or self.delayed)):
            if self.refused and not self.problem:
                self.problem = self._all_refused()
            self.done.set()

    def _ended(self, task: asyncio.Task) -> None:
        self.tasks.discard(task)
        if task.cancelled():
            return
        self.limits.end()
        if task.exception():
            self.crash = task.exception()
            self.done.set()
            return
        self._fill()

    async def _ask(self, asked: Asked, started: float) -> None:
        outcome, headers = await self.provider.ask(self.client, asked.request)
        if isinstance(outcome, Response):
            self.last_answer = time.monotonic()
            tokens = outcome.prompt_tokens + outcome.completion_tokens
            self.limits.answered(tokens, self.provider.allowances(headers))
            self.arrived.append((asked.request, outcome))
        else:
            self._failed(asked, outcome, started, headers)

    def _failed(self, asked: Asked, failure: Failure, started: float, headers: Mapping[str, str]) -> None:
        if failure.maybe_paid:
            self.endpoint.lost.append(asked.request)
        if failure.kind == "fatal":
            self.problem = self.problem or failure.words
        elif failure.kind == "limited":
            self._wait(asked, failure, started, headers)
        else:
            self._try_again(asked, failure)

    def _wait(self, asked: Asked, failure: Failure, started: float, headers: Mapping[str, str]) -> None:
        now, patience = time.monotonic(), self.endpoint.patience
        pause = self.limits.limited(started, failure.wait, self.provider.allowances(headers))
        alone = self.limits.in_flight <= 1
        if pause > patience or (alone and now + pause > self.last_answer + patience):
            since = now - self.last_answer
            self.problem = self.problem or f"no answer for {since:.0f} s, wait {pause:.0f} s more: {failure.words}"
        if now - self.said > SECONDS_BETWEEN_LINES:
            self.said = now
            log.info("%s; waiting %.1f s, then %d at once", failure.words, pause, self.limits.allowed)
        self._again(asked, now + pause * random.uniform(1, 1.1))

    def _try_again(self, asked: Asked, failure: Failure) -> None:
        asked.attempts += 1
        if failure.withheld and asked.attempts >= ATTEMPTS_IF_WITHHELD:
            self.last_answer = time.monotonic()
            self.arrived.append((asked.request, failure.as_response()))
            return
        if failure.kind == "refused" or asked.attempts >= ATTEMPTS:
            self.refused += 1
            self.first_words = self.first_words or failure.words
            log.warning("not answered after %d attempts: %s", asked.attempts, failure.words)
            if self.refused >= MOST_REFUSED:
                self.problem = self.problem or self._all_refused()
            return
        pause = failure.wait or random.uniform(0.5, 1) * min(
            LONGEST_BACKOFF, self.endpoint.backoff * 2 ** (asked.attempts - 1)
        )
        log.info("%s; attempt %d in %.1f s", failure.words, asked.attempts + 1, pause)
        self._again(asked, time.monotonic() + pause * random.uniform(1, 1.1))

    def _again(self, asked: Asked, when: float) -> None:
        heapq.heappush(self.delayed, (when, next(self.number), asked))

    def _all_refused(self) -> str:
        return f"{self.refused} of {self.total} requests got no answer; the first: {self.first_words}"
