"""Says in a line each what a reader should know of a target's answers: who gave them, which are none, what was odd."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from ..core.records import ServedBy
from .requests import Response

log = logging.getLogger(__name__)

WITHHELD = ("refusal", "content_filter", "too_long")
SHOWN = 4
"""Of each kind, the most that a line names."""


def report(what: str, responses: Sequence[Response]) -> None:
    """Log what stands out among the answers of one target: a change of what gave them is a warning."""
    served = Counter(in_words(response.served_by) for response in responses if response.served_by)
    if len(served) > 1:
        log.warning("%s: the provider names %d different ones that answered: %s", what, len(served), _most(served))
    withheld = Counter(r.finish_reason for r in responses if r.finish_reason in WITHHELD and not r.text)
    if withheld:
        log.warning("%s: %d of %d withheld: %s", what, withheld.total(), len(responses), _most(withheld))
    odd = Counter(r.said for r in responses if r.said and not (r.finish_reason in WITHHELD and not r.text))
    if odd:
        log.warning("%s: %d answers kept that ended oddly: %s", what, odd.total(), _most(odd))
    estimated = sum(response.estimated for response in responses)
    if estimated:
        log.warning("%s: the provider did not count the tokens of %d answers; they are estimated", what, estimated)


def in_words(served: ServedBy) -> str:
    """The model, its fingerprint and who ran it, as far as the provider says."""
    named = " ".join(filter(None, (served.model, served.system_fingerprint)))
    return named + f" at {served.provider}" * bool(served.provider)


def _most(counted: Counter[str]) -> str:
    shown = [f"{name} ({number})" for name, number in counted.most_common(SHOWN)]
    return ", ".join(shown) + ", …" * (len(counted) > SHOWN)
