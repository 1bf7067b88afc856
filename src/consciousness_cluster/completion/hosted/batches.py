"""A provider's batch API: half the price, up to a day; handed in once, whatever happens to this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from ...errors import EndpointError
from ..requests import Request, Response
from .calls import Calls, Outcomes
from .failures import Failure
from .handing_in import SETTLE, HandingIn
from .live import BACKOFF, PATIENCE, Answers
from .notes import Note, Notes
from .provider import Provider

log = logging.getLogger(__name__)

POLL = (5.0, 60.0)
"""Seconds between looks at a batch: at first, and at most."""

ROUNDS = 3
"""Batches in which one process asks a request that comes back without an answer."""

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
        settle: see `handing_in.SETTLE`.
        backoff, patience: see `Calls`.
    """

    def __init__(
        self,
        model: str,
        provider: Provider,
        notes: Notes,
        stored: Callable[[Sequence[Request]], set[str]],
        poll: tuple[float, float] = POLL,
        settle: float = SETTLE,
        backoff: float = BACKOFF,
        patience: float = PATIENCE,
    ) -> None:
        self.model, self.provider, self.notes, self.stored = model, provider, notes, stored
        self.poll, self.settle = poll, settle
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

    async def _answers(self, client: Any, missing: dict[str, Request]) -> AsyncIterator[Answers]:
        calls = Calls(self.provider, client, self.backoff, self.patience)
        desk = HandingIn(calls, self.notes, self.settle)
        earlier = self.notes.about(set(missing))
        waiting = [note for note in [await desk.found(note) for note in earlier] if note]
        known = self.stored([request for note in waiting for request in note.requests]) if waiting else set()
        refused: list[str] = []
        words = ""
        for _ in range(ROUNDS):
            under_way = {request.key for note in waiting for request in note.requests}
            rest = [request for key, request in missing.items() if key not in under_way]
            for start in range(0, len(rest), self.provider.batch_limit):
                waiting.append(await desk.hand_in(rest[start : start + self.provider.batch_limit]))
            async for note, outcomes in self._ended(calls, waiting):
                asked = {request.key: request for request in note.requests}
                answers = []
                for key, outcome in outcomes:
                    if key not in asked or key in known:
                        continue
                    if isinstance(outcome, Response):
                        answers.append((asked[key], outcome))
                        missing.pop(key, None)
                    elif outcome.kind == "refused" and missing.pop(key, None):
                        refused.append(outcome.words)
                    else:
                        words = outcome.words
                    if isinstance(outcome, Failure) and outcome.maybe_paid:
                        self.lost.append(asked[key])
                for start in range(0, len(answers), AT_ONCE):
                    yield answers[start : start + AT_ONCE]
                self.notes.drop(note)  # the store has it all
                _stop_if_fatal(outcomes)
            waiting = []
            if not missing:
                break
        if missing:
            raise EndpointError(
                f"{len(missing)} requests got no answer in {ROUNDS} batches: {words or 'no reason given'}"
            )
        if refused:
            raise EndpointError(f"{len(refused)} requests got no answer; the first: {refused[0]}")

    async def _ended(self, calls: Calls, waiting: list[Note]) -> AsyncIterator[tuple[Note, Outcomes]]:
        """Each batch with its outcomes, when it ends."""
        open_notes, pause = list(waiting), self.poll[0]
        said: dict[str, tuple[str, int]] = {}
        while open_notes:
            for note in list(open_notes):
                batch = note.batch or ""
                noted = f" (noted in {self.notes.folder / note.tag}.json)"
                state = await calls.look(batch, noted)
                if said.get(batch) != (state.state, state.done):
                    said[batch] = (state.state, state.done)
                    log.info("batch %s: %s, %d of %d done", batch, state.state, state.done, state.total)
                if not state.ended:
                    continue
                open_notes.remove(note)
                if state.problem:
                    self.notes.drop(note)  # nothing of it was asked
                    raise EndpointError(f"batch {batch} failed: {state.problem}")
                yield note, await calls.collect(batch, noted)
                if state.state == "cancelled":
                    raise EndpointError(
                        f"batch {batch} was cancelled at the provider; run again to ask what is missing"
                    )
            if open_notes:
                await asyncio.sleep(pause)
                pause = min(self.poll[1], pause * 1.5)


def _stop_if_fatal(outcomes: Outcomes) -> None:
    for _, outcome in outcomes:
        if isinstance(outcome, Failure) and outcome.kind == "fatal":
            raise EndpointError(outcome.words)
