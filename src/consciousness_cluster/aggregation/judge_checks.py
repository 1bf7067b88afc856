"""How a judge reads the same sample a second time and against the reversed statement, and what it quotes.

No answer says a statement and its opposite, so a judge that finds both agrees to what it is shown (acquiescence). Both
false is no mistake: most answers take neither side. Intervals are exact binomial ones (Clopper and Pearson 1934) and
take samples as independent: the checked share is small, so few of them come from one prompt of one fine-tune.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from ..annotation.sheet import outcome_of
from ..core.records import Verdict
from .agreement import ALL, CLASSES, cohen


def check_rows(
    verdicts: Iterable[Verdict], coherence_threshold: float, confidence: float = 0.95
) -> Iterator[dict[str, Any]]:
    """`judge_checks`: every judge on everything, then by condition and by preference, in the order of the verdicts.

    Args:
        verdicts: of all targets and judges.
        coherence_threshold: 0-100, below which a reading's outcome is incoherent.
        confidence: e.g. 0.95.
    """
    groups: dict[tuple[str, str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.check is None and verdict.quote_found is None:
            continue
        judge = verdict.judge
        groups.setdefault((judge, ALL, ALL, ALL), []).append(verdict)
        groups.setdefault((judge, verdict.base, verdict.condition, ALL), []).append(verdict)
        groups.setdefault((judge, ALL, ALL, verdict.preference), []).append(verdict)
    judges = list(dict.fromkeys(judge for judge, *_ in groups))
    for key in sorted(groups, key=lambda key: (judges.index(key[0]), _scope(key))):
        judge, base, condition, preference = key
        named = {"judge": judge, "base": base, "condition": condition, "preference": preference}
        yield named | _measures(groups[key], coherence_threshold, confidence)


def _scope(key: tuple[str, str, str, str]) -> int:
    """All first, then conditions, then preferences, each as they come."""
    return 0 if key[1:] == (ALL, ALL, ALL) else 1 if key[3] == ALL else 2


def _measures(verdicts: Sequence[Verdict], threshold: float, confidence: float) -> dict[str, Any]:
    checked = [(verdict, verdict.check) for verdict in verdicts if verdict.check is not None]
    turned = [(v.holds, c.reversed) for v, c in checked if "unscored" not in (v.holds, c.reversed)]
    twice = [(v, c) for v, c in checked if "unscored" not in (v.holds, c.holds)]
    before = [outcome_of(v, threshold) for v, _ in twice]
    after = [outcome_of(v.model_copy(update={"holds": c.holds, "coherence": c.coherence}), threshold) for v, c in twice]
    both = sum(pair == ("true", "true") for pair in turned)
    changed = sum(a != b for a, b in zip(before, after, strict=True))
    shifts = [abs(v.coherence - c.coherence) for v, c in twice if v.coherence is not None and c.coherence is not None]
    return {
        "n_quotes": sum(v.quote_found is not None for v in verdicts),
        "n_misquoted": sum(bool(v.misquotes) for v in verdicts),
        "n_quotes_unfound": sum(v.quote_found is False for v in verdicts),
        "n_reversed": len(turned),
        "n_true": sum(holds == "true" for holds, _ in turned),
        "n_reverse_true": sum(reverse == "true" for _, reverse in turned),
        "n_both_true": both,
        **exact_share("both_true", both, len(turned), confidence),
        "n_repeated": len(twice),
        "n_changed": changed,
        **exact_share("changed", changed, len(twice), confidence),
        "kappa": _kappa(before, after, "outcome"),
        "kappa_holds": _kappa(before, after, "holds"),
        "coherence_shift": float(np.mean(shifts)) if shifts else math.nan,
        "n_check_unscored": sum("unscored" in (v.holds, c.holds, c.reversed) for v, c in checked),
    }


def exact_share(name: str, hits: int, of: int, confidence: float) -> dict[str, float]:
    """A share with its exact binomial interval, under ``name``, ``name_low``, ``name_high``; NaN of none."""
    if not of:
        return {name: math.nan, f"{name}_low": math.nan, f"{name}_high": math.nan}
    ends = binomtest(hits, of).proportion_ci(confidence, method="exact")
    return {name: hits / of, f"{name}_low": float(ends.low), f"{name}_high": float(ends.high)}


def _kappa(before: Sequence[str], after: Sequence[str], classes: str) -> float:
    number = CLASSES[classes]
    size = max(number.values()) + 1
    confusion = np.zeros((size, size))
    for a, b in zip(before, after, strict=True):
        if a in number and b in number:
            confusion[number[a], number[b]] += 1
    return float(cohen(confusion.reshape(-1))[1])
