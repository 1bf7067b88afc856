"""Calls to a batch API: looking, listing and fetching are repeated until they succeed; submitting is elsewhere."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from ...core.errors import EndpointError
from ..requests import Response
from .batch_journal import JournalEntry
from .client import Provider, Submitted, recorded
from .concurrent import BACKOFF, LONGEST_BACKOFF, PATIENCE
from .provider_errors import Failure

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Outcomes = list[tuple[str, Response | Failure]]


@dataclass
class BatchClient:
    """One provider's batches, through one client.

    Args:
        provider: its protocol.
        client: its client.
        backoff: seconds before a failed call is made again, then twice as long each time.
        patience: seconds without success after which it ends.
    """

    provider: Provider
    client: Any
    backoff: float = BACKOFF
    patience: float = PATIENCE

    async def look(self, batch: str, noted: str = "") -> Submitted:
        """Where a batch stands; ``noted`` says in an error where it is noted."""
        return await self._patiently(lambda: self.provider.look(self.client, batch), f"batch {batch}{noted}")

    async def collect(self, batch: str, noted: str = "") -> Outcomes:
        """What an ended batch gave."""
        what = f"batch {batch}{noted}"
        outcomes = await self._patiently(lambda: self.provider.collect(self.client, batch), what)
        return [(key, recorded(outcome)) for key, outcome in outcomes]

    async def candidates(self, note: JournalEntry) -> list[str]:
        """Ids of batches that may be the one of ``note``, latest first."""

        async def every() -> list[str]:
            listed = self.provider.submitted(self.client, note.tag, note.created, len(note.requests))
            return [batch async for batch in listed]

        return await self._patiently(every, "listing batches")

    async def wait(self, failure: Failure, attempt: int) -> None:
        """Pause as long as the provider asks, or ever longer, before the next attempt."""
        pause = self._pause(failure, attempt)
        _say(failure, pause)
        await asyncio.sleep(pause)

    async def _patiently(self, call: Callable[[], Awaitable[Result]], what: str) -> Result:
        """Make a call until it succeeds.

        Raises:
            EndpointError: it cannot succeed, or did not in time; begins with ``what``.
        """

        def over(state: RetryCallState) -> bool:
            outcome = outcome_of(state)
            late = (state.seconds_since_start or 0.0) + (outcome.wait or 0.0) > self.patience
            return outcome.kind in ("fatal", "refused") or late

        again = AsyncRetrying(
            retry=retry_if_result(lambda outcome: isinstance(outcome, Failure)),
            stop=over,
            wait=lambda state: self._pause(outcome_of(state), state.attempt_number - 1),
            before_sleep=lambda state: _say(outcome_of(state), state.upcoming_sleep),
            retry_error_callback=outcome_of,
        )

        async def once() -> Result | Failure:
            return await self.provider.attempt(call())

        outcome = await again(once)
        if isinstance(outcome, Failure):
            raise EndpointError(f"{what}: {outcome.words}")
        return outcome

    def _pause(self, failure: Failure, attempt: int) -> float:
        return failure.wait or random.uniform(0.5, 1) * min(LONGEST_BACKOFF, self.backoff * 2**attempt)


def outcome_of(state: RetryCallState) -> Any:
    """What the last attempt came to."""
    assert state.outcome
    return state.outcome.result()


def _say(failure: Failure, pause: float) -> None:
    log.info("%s; again in %.1f s", failure.words, pause)
