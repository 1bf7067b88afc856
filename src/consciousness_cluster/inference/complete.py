"""`complete`: requests in, responses out, through store, leases and budget."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from ..core.progress import Progress
from ..models.reasoning import is_json_object, without_reasoning
from .leases import RequestLeases
from .odd_answers import report
from .requests import Endpoint, Payer, Request, Response
from .store import Store

log = logging.getLogger(__name__)

FIRST_LOOK, LAST_LOOK = 0.1, 5.0
"""Seconds between looks whether another job has stored what it asks."""


def complete(
    requests: Sequence[Request],
    endpoint: Endpoint,
    store: Store,
    what: str = "answers",
    account: Payer | None = None,
) -> list[Response]:
    """Answer every request, asking ``endpoint`` only for what ``store`` lacks.

    Args:
        requests: in any order; a request that occurs twice is asked once.
        endpoint: answers requests of one model; it must be the model of every request.
        store: the shard of that model; answers are on disk before the next is waited for.
        what: the word for progress lines.
        account: who asks, within which budget; None records no costs and sets no limit.

    Returns:
        One response per request, in the order of ``requests``, without the reasoning that the store may hold.

    Raises:
        EndpointError: the endpoint gave up; the answers that arrived are in the store.
        BudgetError: the next request could pass the budget; the answers that arrived are in the store.
    """
    for request in requests:
        if request.model != endpoint.model:
            raise ValueError(f"request for model {request.model!r} sent to an endpoint of {endpoint.model!r}")
    store.refresh()
    missing = list({r.key: r for r in requests if r not in store}.values())
    known = len(requests) - len(missing)
    log.info("%s: %d requests, %d in the store, %d to ask", what, len(requests), known, len(missing))
    if missing and len(store) and log.isEnabledFor(logging.INFO):
        for reason in store.explain(missing):
            log.info("not in the store: %s", reason)
    lost = getattr(endpoint, "lost", [])
    spending = account.spending(endpoint.model, len(requests), known, lost) if account else _Unpaid(lost)
    with spending as paying, Progress(len(missing), what) as progress:
        claims, pause = RequestLeases(store.path.parent / "claims" / store.path.stem), FIRST_LOOK
        while missing:
            with claims.claimed(missing) as mine:
                store.refresh()  # whoever had claimed one of these has stored it
                mine = [request for request in mine if request not in store]
                while mine:
                    allowed = paying.reserve(mine)
                    for answers in endpoint.answer(allowed):
                        store.append(answers)
                        paying.settle(answers)
                        progress.advance(len(answers))
                    if unanswered := [request.key for request in allowed if request not in store]:
                        raise AssertionError(f"endpoint {endpoint.model!r} did not answer {unanswered[0]}")
                    mine = mine[len(allowed) :]
            left = [request for request in missing if request not in store]
            if left:
                if pause == FIRST_LOOK:
                    log.info("%s: waiting for %d that another job asks", what, len(left))
                time.sleep(pause)
                pause = min(LAST_LOOK, 1.5 * pause)
                store.refresh()
            missing = [request for request in left if request not in store]
            progress.advance(len(left) - len(missing))
    found = [without_thoughts(response) for response in store.read(requests) if response is not None]
    report(what, found)
    return found


def without_thoughts(response: Response) -> Response:
    """An answer without the reasoning before it; one whose reasoning did not end was cut, and has no text."""
    if is_json_object(response.text):  # a judge may quote a mark of reasoning
        return response
    answer = without_reasoning(response.text, cut=response.finish_reason == "length")
    if answer is None:
        withheld = response.finish_reason in ("refusal", "content_filter")
        reason = response.finish_reason if withheld else "length"
        return response.model_copy(update={"text": "", "finish_reason": reason})
    return response if answer == response.text else response.model_copy(update={"text": answer.strip()})


class _Unpaid:
    """Spending without an account: nothing is recorded and nothing is limited."""

    def __init__(self, lost: list[Request]) -> None:
        self._lost = lost

    def __enter__(self) -> _Unpaid:
        return self

    def __exit__(self, *_: object) -> None:
        self.settle(())

    def reserve(self, requests: Sequence[Request]) -> Sequence[Request]:
        return requests

    def settle(self, answers: Sequence[tuple[Request, Response]]) -> None:
        if self._lost:
            log.warning("%d calls broke off after they may have been answered, and charged for", len(self._lost))
            self._lost.clear()
