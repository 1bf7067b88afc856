"""Handing a batch in exactly once: noted before, found again after, whatever happened between."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from ...core.errors import EndpointError
from ..requests import Request, Response
from .batch_client import BatchClient
from .batch_journal import BatchJournal, JournalEntry
from .client import recorded
from .concurrent import ATTEMPTS
from .provider_errors import Failure

log = logging.getLogger(__name__)

SETTLE = 30.0
"""Seconds after which a batch that was handed in shows in the provider's list, if it arrived."""

LOOK = 5.0
"""Seconds between the first looks at several batches of which one may be the one."""


@dataclass
class BatchSubmission:
    """Hands batches of one model in.

    Args:
        calls: the provider.
        notes: what is under way, kept on disk.
        settle: see `SETTLE`.
    """

    calls: BatchClient
    notes: BatchJournal
    settle: float = SETTLE

    async def found(self, note: JournalEntry) -> JournalEntry | None:
        """A note with the id of its batch, or None (and no note any more) if it never arrived.

        Where batches carry no tag, those that another note names, that were there before, or whose results are of other
        requests are not this note's. If one remains whose results are not there yet, it is presumed to be.
        """
        if note.batch:
            return note
        others, pause = set(note.seen), LOOK
        while True:
            age, running = time.time() - note.created, []
            for batch in await self.calls.candidates(note):
                if batch in others or (not self.calls.provider.tags and batch in self.notes.ids()):
                    continue
                is_of = await self._is_of(batch, note)
                if is_of:
                    log.info("batch %s was handed in by an earlier run: waiting for it", batch)
                    return self.notes.write(note.model_copy(update={"batch": batch}))
                if is_of is None:
                    running.append(batch)
                else:
                    others.add(batch)
            if age > self.settle and not running:
                self.notes.drop(note)
                return None
            if age > self.settle and len(running) == 1:
                log.info("batch %s must have been handed in by an earlier run: waiting for it", running[0])
                return self.notes.write(note.model_copy(update={"batch": running[0], "presumed": True}))
            if age > self.settle:
                log.info("one of batches %s was handed in by an earlier run: the first results tell", running)
                await asyncio.sleep(min(pause, 2 * self.settle))
                pause *= 1.5
            else:
                await asyncio.sleep(max(0.0, self.settle - age) + 0.1)

    async def hand_in(self, requests: list[Request]) -> JournalEntry:
        """Hand in a batch of these requests and note it; one that the provider still knows is taken instead.

        Raises:
            EndpointError: the provider does not take it.
        """
        times = 0
        while self.calls.provider.tags and (known := await self.calls.candidates(self.notes.new(requests, times))):
            if await self._is_of_use(known[0]):
                return self.notes.write(self.notes.new(requests, times).model_copy(update={"batch": known[0]}))
            times += 1  # it ended without an answer: the same is handed in again
        attempt = 0
        while True:
            note = self.notes.new(requests, times)
            if not self.calls.provider.tags:
                note = note.model_copy(update={"seen": await self.calls.candidates(note)})
            self.notes.write(note)
            outcome = await self.calls.provider.attempt(self._submit(note))
            if isinstance(outcome, str):
                log.info("handed in batch %s: %d requests", outcome, len(requests))
                return self.notes.write(note.model_copy(update={"batch": outcome}))
            attempt += 1
            # after a broken connection only the provider knows whether it arrived
            if outcome.maybe_paid and (found := await self.found(note)):
                return found
            if outcome.kind in ("fatal", "refused") or attempt >= ATTEMPTS:
                self.notes.drop(note)
                raise EndpointError(f"the batch was not taken: {outcome.words}")
            await self.calls.wait(outcome, attempt)

    async def _submit(self, note: JournalEntry) -> str:
        return await self.calls.provider.submit(self.calls.client, note.requests, note.tag)

    async def _is_of(self, batch: str, note: JournalEntry) -> bool | None:
        """Whether a listed batch is this note's: its tag says so, or its results' keys; None: not to be known yet."""
        if self.calls.provider.tags:
            return True
        if not (await self.calls.look(batch)).ended:
            return None
        return {key for key, _ in await self.calls.collect(batch)} == {request.key for request in note.requests}

    async def _is_of_use(self, batch: str) -> bool:
        """Whether a batch still runs, or ended with any answer."""
        if not (await self.calls.look(batch)).ended:
            return True
        outcomes = await self.calls.provider.attempt(self.calls.provider.collect(self.calls.client, batch))
        if isinstance(outcomes, Failure):
            return False
        return any(isinstance(recorded(outcome), Response) for _, outcome in outcomes)
