"""What may be spent is reserved in the ledger before it is, over all jobs of an experiment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from ..core.errors import BudgetError
from ..inference.requests import Request
from .ledger import Ledger, Line

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.5
"""Between two looks whether other jobs gave back what they had reserved."""


def take(
    ledger: Ledger, budget: float | None, job: str, bounds: Sequence[float], line: Callable[[int], Line], left: str
) -> int:
    """Write ``line(n)`` to the ledger for the largest n whose first n ``bounds`` (USD) the budget allows; returns n.

    Where other jobs hold what is missing, it waits until they gave it back.

    Raises:
        BudgetError: not even one is allowed; the message says what is ``left`` to do.
    """
    said = False
    while True:
        with ledger.locked():
            ledger.bury()
            count = len(bounds) if budget is None else _how_many(bounds, budget - ledger.spent - ledger.reserved)
            if count:
                ledger.write(line(count))
                return count
            if not ledger.reserved_by_others(job):
                raise BudgetError(
                    f"budget_usd: {ledger.spent:.4f} of {budget:.4f} USD are spent by experiment {ledger.experiment}, "
                    f"and the next answer or training may cost up to {bounds[0]:.4f}: stopped before"
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
