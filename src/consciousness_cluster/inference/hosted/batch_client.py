"""Calls to a batch API: looking, listing and fetching are made until they succeed; handing in is not their business."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ...core.errors import EndpointError
from ..requests import Response
from .batch_journal import Note
from .client import Provider, Submitted, recorded
from .concurrent import BACKOFF, LONGEST_BACKOFF, PATIENCE
from .provider_errors import Failure

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Outcomes = list[tuple[str, Response | Failure]]


@dataclass
class Calls:
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

    async def candidates(self, note: Note) -> list[str]:
        """Ids of batches that may be the one of ``note``, latest first."""

        async def every() -> list[str]:
            listed = self.provider.submitted(self.client, note.tag, note.created, len(note.requests))
            return [batch async for batch in listed]

        return await self._patiently(every, "listing batches")

    async def wait(self, failure: Failure, attempt: int) -> None:
        """Pause as long as the provider asks, or ever longer, before the next attempt."""
        pause = failure.wait or random.uniform(0.5, 1) * min(LONGEST_BACKOFF, self.backoff * 2**attempt)
        log.info("%s; again in %.1f s", failure.words, pause)
        await asyncio.sleep(pause)

    async def _patiently(self, call: Callable[[], Awaitable[Result]], what: str) -> Result:
        """Make a call until it succeeds.

        Raises:
            EndpointError: it cannot succeed, or did not in time; begins with ``what``.
        """
        began, attempt = time.monotonic(), 0
        while True:
            outcome = await self.provider.attempt(call())
            if not isinstance(outcome, Failure):
                return outcome
            late = time.monotonic() - began + (outcome.wait or 0.0) > self.patience
            if outcome.kind in ("fatal", "refused") or late:
                raise EndpointError(f"{what}: {outcome.words}")
            await self.wait(outcome, attempt)
            attempt += 1
