"""What stands between `complete` and an endpoint that costs money: what may be spent is reserved before it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import IO

from ..completion.requests import Request, Response
from ..endpoint import Api
from ..errors import BudgetError
from .account import Account, unknown_price
from .ledger import Line

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.5
"""Between two looks whether other jobs gave back what they had reserved."""


class Purse:
    """What one call of `complete` may spend: reserved before requests go out, settled as answers arrive.

    Args:
        account: None records nothing and sets no limit.
        model: the model's identity in the store.
        requests: how many answers are needed.
        stored: how many of them the store has.
        lost: where the endpoint lists requests that may have been charged without an answer; emptied here.
    """

    def __init__(
        self, account: Account | None, model: str, requests: int, stored: int, lost: list[Request] | None = None
    ) -> None:
        self._account = account
        self._lost = [] if lost is None else lost
        self._bounds: dict[str, float] = {}
        self._held: IO[str] | None = None
        if account is None:
            return
        self._quote = account.quote
        self._ledger = account.ledger
        api = account.served.api or Api()
        self._batch = api.batch
        self._reserves = requests > stored and self._quote is not None and not self._quote.free
        if requests > stored and self._quote is None and account.budget_usd is not None:
            raise BudgetError(unknown_price(account.asked, account.served, account.budget_usd))
        if self._reserves:
            self._held = self._ledger.hold(account.job)
        self._ledger.append(
            Line(
                job=account.job,
                kind="job",
                stage=account.stage,
                target=account.target,
                asked=account.asked,
                model=model,
                batch=self._batch,
                in_flight=0 if self._batch else api.concurrency,
                requests=requests,
                stored=stored,
            )
        )

    def __enter__(self) -> Purse:
        return self

    def __exit__(self, *_: object) -> None:
        self._enter_lost()
        if self._account is None or self._held is None:
            return
        if self._bounds:
            self._ledger.append(Line(job=self._account.job, kind="release", reserved=-sum(self._bounds.values())))
        self._ledger.let_go(self._account.job, self._held)

    def reserve(self, requests: Sequence[Request]) -> Sequence[Request]:
        """Reserve the most that requests can cost; returns the first so many that the budget allows now.

        Where other jobs hold what is missing, it waits until they gave it back.

        Raises:
            BudgetError: not even one request is allowed.
        """
        if self._account is None or not self._reserves:
            return requests
        account = self._account
        bounds = [self._bound(request) for request in requests]

        def line(count: int) -> Line:
            return Line(job=account.job, kind="reserve", requests=count, reserved=sum(bounds[:count]))

        count = take(account, account.job, bounds, line, f"{len(requests)} requests of this job still to ask")
        self._bounds |= {r.key: b for r, b in zip(requests[:count], bounds, strict=False)}
        if count < len(requests):
            log.info("the budget allows %d of %d requests now", count, len(requests))
        return requests[:count]

    def settle(self, answers: Sequence[tuple[Request, Response]]) -> None:
        """Enter what answers cost, and give back what was reserved for them."""
        self._enter_lost()
        if self._account is None or not answers:
            return
        spent = sum(response.prompt_tokens for _, response in answers)
        cached = sum(response.cached_tokens for _, response in answers)
        written = sum(response.completion_tokens for _, response in answers)
        self._ledger.append(
            Line(
                job=self._account.job,
                kind="answers",
                requests=len(answers),
                input_tokens=spent,
                cached_tokens=cached,
                output_tokens=written,
                usd=None if self._quote is None else round(self._quote.usd(spent, written, cached), 9),
                reserved=-sum(self._bounds.pop(request.key, 0.0) for request, _ in answers),
            )
        )

    def _enter_lost(self) -> None:
        """Enter calls whose answer never arrived at the most that they can have cost."""
        requests, self._lost[:] = list(self._lost), []
        if not requests:
            return
        log.warning("%d calls broke off after they may have been answered, and charged for", len(requests))
        if self._account is not None:
            usd = None if self._quote is None else round(sum(map(self._bound, requests)), 9)
            self._ledger.append(Line(job=self._account.job, kind="broken", requests=len(requests), usd=usd))

    def _bound(self, request: Request) -> float:
        assert self._quote is not None
        return self._quote.usd(prompt_tokens_at_most(request), request.sampling.max_tokens)


def take(account: Account, job: str, bounds: Sequence[float], line: Callable[[int], Line], left: str) -> int:
    """Write ``line(n)`` to the ledger for the largest n whose first n ``bounds`` (USD) the budget allows; returns n.

    Where other jobs hold what is missing, it waits until they gave it back.

    Raises:
        BudgetError: not even one is allowed; the message says what is ``left`` to do.
    """
    ledger, budget, said = account.ledger, account.budget_usd, False
    while True:
        with ledger.locked():
            ledger.bury()
            count = len(bounds) if budget is None else _how_many(bounds, budget - ledger.spent - ledger.reserved)
            if count:
                ledger.write(line(count))
                return count
            if not ledger.reserved_by_others(job):
                raise BudgetError(
                    f"budget_usd: {ledger.spent:.4f} of {budget:.4f} USD are spent by experiment {account.experiment}, "
                    f"and the next answer or training of {account.asked} may cost up to {bounds[0]:.4f}: stopped before"
                    f" it, with {left}. Everything so far is kept; raise the budget and start again to go on"
                )
        if not said:
            said = True
            log.info("waiting for what other jobs have reserved of the budget")
        time.sleep(WAIT_SECONDS)


def _how_many(bounds: Sequence[float], available: float) -> int:
    total, count = 0.0, 0
    for bound in bounds:
        total += bound
        if total > available + 1e-9:
            break
        count += 1
    return count


def prompt_tokens_at_most(request: Request) -> int:
    """More tokens than a prompt can have: one for each byte of it, and what a provider puts around messages."""
    text = sum(len(message.content.encode()) + 16 for message in request.messages)
    return text + (1000 + len(str(request.answer_schema).encode()) if request.answer_schema else 0)
