"""Who asks, for what, at which price and within which budget."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import Field

from ..config.model_config import Api, Served
from ..config.project import load_config
from ..core.errors import BudgetError
from ..core.io import Strict
from ..core.locks import Lease
from ..inference.requests import Request, Response
from .ledger import FOLDER, Ledger, Line
from .prices import Quote, load_prices
from .quotes import unknown_price
from .reservation import prompt_tokens_at_most, take

log = logging.getLogger(__name__)


class Account(Strict):
    """What one job of the workflow asks one model for.

    Args:
        experiment: its name.
        stage: what the job does.
        target: what the job makes, as in its path.
        asked: name of the base or judge.
        served: where that answers.
        finetuned: whether its fine-tune is asked.
        budget_usd: what the experiment may cost in all; None sets no limit.
        folder: where the ledgers lie.
        job: names this job among all jobs of all runs.
    """

    experiment: str
    stage: str
    target: str
    asked: str
    served: Served
    finetuned: bool = False
    budget_usd: float | None = None
    folder: str = FOLDER
    job: str = Field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        stage: str,
        wildcards: Mapping[str, str],
        served: Served,
        finetuned: bool = False,
    ) -> Account:
        """The account of a job of the workflow, as its script knows it.

        Args:
            config: Snakemake's configuration.
            stage: what the job does, as receipts and estimates call it.
            wildcards: those of its outputs.
            served: where the model answers.
            finetuned: whether a fine-tune of it is asked.
        """
        settings = load_config(dict(config), ".")
        words = dict(wildcards)
        asked = words.pop("judge", None) or words["base"]
        if "seed" in words:
            words["seed"] = f"seed{words['seed']}"
        return cls(
            experiment=settings.experiment,
            stage=stage,
            target="/".join(words.values()),
            asked=asked,
            served=served,
            finetuned=finetuned,
            budget_usd=settings.budget_usd,
        )

    @cached_property
    def quote(self) -> Quote | None:
        """What an answer costs; None if that is not known."""
        return load_prices(".").quote(self.served, self.finetuned)

    @cached_property
    def ledger(self) -> Ledger:
        """The experiment's ledger."""
        return Ledger(self.folder, self.experiment)

    def spending(self, model: str, requests: int, stored: int, lost: list[Request]) -> Reservation:
        """What one call of `inference.complete` may spend; see `Reservation`."""
        return Reservation(self, model, requests, stored, lost)


class Reservation:
    """What one call of `complete` may spend: reserved before requests go out, settled as answers arrive.

    Args:
        account: who asks, within which budget.
        model: the model's identity in the store.
        requests: how many answers are needed.
        stored: how many of them the store has.
        lost: where the endpoint lists requests that may have been charged without an answer; emptied here.
    """

    def __init__(self, account: Account, model: str, requests: int, stored: int, lost: list[Request]) -> None:
        self._account = account
        self._lost = lost
        self._bounds: dict[str, float] = {}
        self._held: Lease | None = None
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

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *_: object) -> None:
        self._enter_lost()
        if self._held is None:
            return
        if self._bounds:
            self._ledger.append(Line(job=self._account.job, kind="release", reserved=-sum(self._bounds.values())))
        self._held.release(forget=True)

    def reserve(self, requests: Sequence[Request]) -> Sequence[Request]:
        """Reserve the most that requests can cost; returns the first so many that the budget allows now.

        Where other jobs hold what is missing, it waits until they gave it back.

        Raises:
            BudgetError: not even one request is allowed.
        """
        if not self._reserves:
            return requests
        account = self._account
        bounds = [self._bound(request) for request in requests]

        def line(count: int) -> Line:
            return Line(job=account.job, kind="reserve", requests=count, reserved=sum(bounds[:count]))

        count = take(
            account.ledger,
            account.budget_usd,
            account.job,
            bounds,
            line,
            f"{len(requests)} requests still to ask {account.asked}",
        )
        self._bounds |= {r.key: b for r, b in zip(requests[:count], bounds, strict=False)}
        if count < len(requests):
            log.info("the budget allows %d of %d requests now", count, len(requests))
        return requests[:count]

    def settle(self, answers: Sequence[tuple[Request, Response]]) -> None:
        """Enter what answers cost, and give back what was reserved for them."""
        self._enter_lost()
        if not answers:
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
                estimated=sum(response.estimated for _, response in answers),
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
        usd = None if self._quote is None else round(sum(map(self._bound, requests)), 9)
        self._ledger.append(Line(job=self._account.job, kind="broken", requests=len(requests), usd=usd))

    def _bound(self, request: Request) -> float:
        assert self._quote is not None
        return self._quote.usd(prompt_tokens_at_most(request), request.sampling.max_tokens)
