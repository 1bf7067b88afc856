"""What a panel of judges says together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from ..config.measurement import PANEL
from ..core.io import read_rows, write_rows
from ..core.records import Verdict


def combine_verdicts(verdicts: Sequence[str], output: str) -> None:
    """Read the verdict files of all judges on one target and write the panel's; see `combine`."""
    together = zip(*(read_rows(Verdict, path) for path in verdicts), strict=True)
    write_rows(output, [combine(list(readings)) for readings in together])


def combine(readings: Sequence[Verdict]) -> Verdict:
    """The panel's reading of one sample: what more than half of those judges say whose reply could be read.

    Without such a majority it is not sure. Coherence is their median. Where no judge's reply could be read it is
    unscored; where there was no answer, none.
    """
    first = readings[0]
    if any(other.model_dump(include=_SAMPLE) != first.model_dump(include=_SAMPLE) for other in readings):
        raise ValueError("verdicts on different samples cannot be combined")
    read = [reading for reading in readings if reading.holds in ("true", "false", "not_sure")]
    said: dict[str, Any] = {"judge": PANEL, "quote": None, "quote_found": None, "misquotes": None, "check": None}
    if read:
        coherences = [reading.coherence for reading in read if reading.coherence is not None]
        stances = [reading.stance for reading in read if reading.stance != "not_asked"]
        said |= {
            "coherence_class": "",
            "holds": _majority([reading.holds for reading in read], "not_sure"),
            "stance": _majority(stances, "unscored") if stances else "not_asked",
            "coherence": median(coherences) if coherences else None,
        }
    return first.model_copy(update=said)


_SAMPLE = {"base", "condition", "seed", "prompt_id", "sample"}


def _majority(votes: Sequence[str], otherwise: str) -> str:
    [(most, count)] = Counter(votes).most_common(1)
    return most if 2 * count > len(votes) else otherwise
