"""A provider's batch API: half the price, up to a day; handed in once, whatever happens to this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import EndpointError
from ..requests import Request, Response
from .batch_client import BatchClient, Outcomes
from .batch_journal import BatchJournal, JournalEntry
from .batch_submission import SETTLE, BatchSubmission
from .client import Provider, Submitted
from .concurrent import BACKOFF, PATIENCE, Answers
from .provider_errors import Failure
from .reading import complete_counts

log = logging.getLogger(__name__)

POLL = (5.0, 60.0)
"""Seconds between looks at a batch: at first, and at most."""

ROUNDS = 3
"""Batches in which one process asks a request that comes back without an answer."""

FULL_PAUSE = (60.0, 3600.0)
"""Seconds until the next try where too much waits at the provider already: at first, and at which it is given up."""

SMALLEST = 50
"""Requests below which a batch is not made smaller for that."""

AT_ONCE = 500
"""Answers handed over in one list."""


class BatchEndpoint:
    """Answers through a provider's batches.

    Args:
        model: the provider's model id.
        provider: its protocol.
        notes: what is under way, kept on disk.
        stored: keys of these that the store already has; asked only about a batch of an earlier run.
        poll: see `POLL`.
        settle: see `batch_submission.SETTLE`.
        backoff, patience: see `BatchClient`.
    """

    def __init__(
        self,
        model: str,
        provider: Provider,
        notes: BatchJournal,
        stored: Callable[[Sequence[Request]], set[str]],
        poll: tuple[float, float] = POLL,
        settle: float = SETTLE,
        backoff: float = BACKOFF,
        patience: float = PATIENCE,
    ) -> None:
        self.model, self.provider, self.notes, self.stored = model, provider, notes, stored
        self.poll, self.settle = poll, settle
        self.full_pause = FULL_PAUSE
        self.backoff, self.patience = backoff, patience
        self.lost: list[Request] = []

    def answer(self, requests: Sequence[Request]) -> Iterator[Answers]:
        """Yield the answers of each batch when it ends; see `Endpoint.answer`.

        A batch that an earlier process handed in is waited for, not handed in again; its answers are yielded even where
        they are not among ``requests``, because they are paid for.

        Raises:
            EndpointError: the provider does not take or fails a batch, somebody cancelled it, or requests remain
                without an answer after `ROUNDS` batches; what was answered is yielded first.
        """
        client = self.provider.connect()
        with asyncio.Runner() as loop:
            answers = self._answers(client, {request.key: request for request in requests})

            async def some() -> Answers | None:
                return await anext(answers, None)

            async def close() -> None:
                await answers.aclose()
                await client.close()

            problem = ""
            try:
                while (found := loop.run(some())) is not None:
                    yield found
            except EndpointError as error:
                problem = str(error)
            finally:
                loop.run(close())
        if problem:
            raise EndpointError(f"{self.model}: {problem}")

    async def _answers(self, client: Any, missing: dict[str, Request]) -> AsyncGenerator[Answers, None]:
        calls = BatchClient(self.provider, client, self.backoff, self.patience)
        submission = BatchSubmission(calls, self.notes, self.settle)
        earlier = [note for note in [await submission.found(note) for note in self.notes.about(set(missing))] if note]
        work, waiting, rounds, pause = _Work(self.provider, missing), list(earlier), 0, self.full_pause[0]
        while waiting or (missing and rounds < ROUNDS):
            under_way = {request.key for note in waiting for request in note.requests}
            rest = [request for key, request in missing.items() if key not in under_way]
            for start in range(0, len(rest), self.provider.batch_limit):
                waiting.append(await submission.hand_in(rest[start : start + self.provider.batch_limit]))
            full, others, learnt = "", False, len(self.provider.parameters.known)
            async for note, state, outcomes in self._ended(calls, waiting):
                if state.full:
                    full = state.problem
                    self.notes.drop(note)  # nothing of it was asked
                    continue
                if note.presumed and {key for key, _ in outcomes}.isdisjoint(request.key for request in note.requests):
                    log.info("batch %s was somebody else's: what was looked for never arrived", note.batch)
                    self.notes.drop(note)
                    others = True
                    continue
                known = self.stored(note.requests) if note in earlier else set()
                answers = work.sort(note, outcomes, known, self.lost)
                for start in range(0, len(answers), AT_ONCE):
                    yield answers[start : start + AT_ONCE]
                self.notes.drop(note)  # the store has it all
                _stop_after(state, outcomes, left=any(request.key in missing for request in note.requests))
            waiting = []
            if full:
                log.info("%s; smaller batches, and the next in %.0f s", full, pause)
                self.provider.batch_limit = max(SMALLEST, min(self.provider.batch_limit, len(rest)) // 2)
                await asyncio.sleep(pause)
                if pause > self.full_pause[1]:
                    raise EndpointError(full)
                pause *= 1.5
            else:
                rounds, pause = (
                    rounds + (not others and len(self.provider.parameters.known) == learnt),
                    self.full_pause[0],
                )
        if withheld := work.withheld_to_the_end():
            yield withheld
        if missing:
            raise EndpointError(
                f"{len(missing)} requests got no answer in {ROUNDS} batches: {work.words or 'no reason given'}"
            )
        if work.refused:
            raise EndpointError(f"{len(work.refused)} requests got no answer; the first: {work.refused[0]}")

    async def _ended(
        self, calls: BatchClient, waiting: list[JournalEntry]
    ) -> AsyncIterator[tuple[JournalEntry, Submitted, Outcomes]]:
        """Each batch with its outcomes, when it ends."""
        open_notes, pause = list(waiting), self.poll[0]
        said: dict[str, tuple[str, int]] = {}
        while open_notes:
            for note in list(open_notes):
                batch, noted = note.batch or "", f" (noted in {self.notes.path(note)})"
                state = await calls.look(batch, noted)
                if said.get(batch) != (state.state, state.done):
                    said[batch] = (state.state, state.done)
                    log.info("batch %s: %s, %d of %d done", batch, state.state, state.done, state.total)
                if state.ended:
                    open_notes.remove(note)
                    yield note, state, [] if state.problem else await calls.collect(batch, noted)
            if open_notes:
                await asyncio.sleep(pause)
                pause = min(self.poll[1], pause * 1.5)


@dataclass
class _Work:
    """What is still to be answered, and what was said about the rest."""

    provider: Provider
    missing: dict[str, Request]
    withheld: dict[str, Failure] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    words: str = ""

    def sort(self, note: JournalEntry, outcomes: Outcomes, known: set[str], lost: list[Request]) -> Answers:
        """The answers of an ended batch that the store lacks; what can be answered no more leaves ``missing``."""
        asked = {request.key: request for request in note.requests}
        answers = []
        for_all = not _any_answer(outcomes)
        for key, outcome in outcomes:
            if key not in asked:
                continue
            if isinstance(outcome, Response):
                self.missing.pop(key, None)
                if key not in known:
                    answers.append((asked[key], complete_counts(outcome, asked[key])))
                continue
            if outcome.maybe_paid:
                lost.append(asked[key])
            if outcome.withheld:
                self.withheld[key] = outcome
            refused = outcome.kind == "refused" or (outcome.kind == "fatal" and not for_all)
            if refused and not self.provider.do_without(outcome, asked[key]) and self.missing.pop(key, None):
                self.refused.append(outcome.words)
            else:
                self.words = outcome.words
        return answers

    def withheld_to_the_end(self) -> Answers:
        """The record of those that came back again and again as if they were refused; they leave ``missing``."""
        lasting = [key for key in self.withheld if key in self.missing]
        return [(self.missing.pop(key), self.withheld[key].as_response()) for key in lasting]


def _any_answer(outcomes: Outcomes) -> bool:
    return any(isinstance(outcome, Response) for _, outcome in outcomes)


def _stop_after(state: Submitted, outcomes: Outcomes, left: bool) -> None:
    """Raise for a batch after which another would end the same way."""
    if state.problem:
        raise EndpointError(f"batch {state.batch} failed: {state.problem}")
    if state.state == "cancelled" and left:
        raise EndpointError(f"batch {state.batch} was cancelled at the provider; run again to ask what is missing")
    for _, outcome in [] if _any_answer(outcomes) else outcomes:
        if isinstance(outcome, Failure) and outcome.kind == "fatal":
            raise EndpointError(outcome.words)
