"""Fine-tunes that a service sells: booked before the job is made, settled when the service says what it trained on.

A job runs at the service, whatever becomes of this process: what is booked stays spent until the job ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import BudgetError
from ..core.records import TrainingRow
from .account import Account
from .ledger import Line
from .quotes import unknown_price
from .reservation import take


def training_tokens_at_most(rows: Sequence[TrainingRow], epochs: int) -> int:
    """More tokens than a service will count: half a token per byte (English has a quarter), and 16 per message."""
    messages = [message for row in rows for message in row.messages]
    return epochs * sum(len(message.content.encode()) // 2 + 16 for message in messages)


def book_training(account: Account, key: str, tokens_at_most: int) -> None:
    """Enter what a job may cost, before it is made. Booking the same job again, until it is settled, changes nothing.

    Args:
        account: who trains; its ``served`` is the base.
        key: content hash of the job.
        tokens_at_most: tokens of the training data, all epochs.

    Raises:
        BudgetError: the budget does not allow it, or there is a budget and the price is not known.
    """
    usd = account.quote.usd_training(tokens_at_most) if account.quote else None
    if usd is None and account.budget_usd is not None:
        raise BudgetError(unknown_price(f"fine-tuning {account.asked}", account.served, account.budget_usd))
    line = Line(
        job=key,
        kind="training",
        stage=account.stage,
        target=account.target,
        asked=account.asked,
        model=account.served.model or "",
        requests=1,
        usd=None if usd is None else round(usd, 9),
    )
    account.ledger.refresh()
    if _booked(account, key) is None:
        take(
            account.ledger,
            account.budget_usd,
            key,
            [usd or 0.0],
            lambda _: line,
            f"this fine-tune of {account.asked} not yet submitted",
        )


def settle_training(account: Account, key: str, tokens: int) -> None:
    """Put in place of what was booked what the service counted; 0 tokens where it sold nothing (a job that failed).

    A job that was not booked in this experiment (another one paid for it) is left alone.
    """
    with account.ledger.locked():
        booked = _booked(account, key)
        if booked is None:
            return
        usd, before = account.quote.usd_training(tokens) if account.quote else None, booked.usd
        difference = None if usd is None or before is None else round(usd - before, 9)
        account.ledger.write(booked.model_copy(update={"requests": -1, "input_tokens": tokens, "usd": difference}))


def _booked(account: Account, key: str) -> Line | None:
    """The booking of a job that is not settled yet."""
    mine = [line for line in account.ledger.lines if line.job == key and line.kind == "training"]
    return mine[-1] if mine and mine[-1].requests > 0 else None
