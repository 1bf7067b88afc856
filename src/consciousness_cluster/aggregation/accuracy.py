"""How far a judge is right, by human labels.

Samples were drawn for labelling by what a judge had said, so raw shares among the labelled ones would be biased
(Begg and Greenes 1983, verification bias): each counts with the inverse of its probability of being drawn. Intervals
are Jeffreys intervals at Kish's effective sample size of these weights (1965). They cover the draw of samples; they do
not know that answers of one fine-tune, or to one prompt, may be misread together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..annotation.labels import Label
from .crossed import Floats
from .intervals import jeffreys
from .study import Study
from .tidy import KEY, OUTCOMES, outcomes

ALL = "all"


def judge_outcomes(study: Study, judge: str) -> dict[tuple, str]:
    """A judge's outcome of every sample, by (base, condition, seed, prompt id, number)."""
    its = study.everyone[study.everyone["judge"] == judge]
    codes = outcomes(its, study.analysis.coherence_threshold)
    return dict(zip(its[KEY].itertuples(index=False, name=None), np.array(OUTCOMES)[codes].tolist(), strict=True))


def accuracy_rows(study: Study, labels: Sequence[Label], judges: Sequence[str]) -> Iterator[dict[str, Any]]:
    """`judge_accuracy`: every judge on every preference and check, and on all of them together."""
    for judge in judges:
        said = judge_outcomes(study, judge)
        for name in [*dict.fromkeys(sorted(label.drawn.preference for label in labels)), ALL]:
            of_item = [label for label in labels if name in (ALL, label.drawn.preference)]
            read = [label for label in of_item if said[label.drawn.place] != "unscored"]
            yield {
                "judge": judge,
                "preference": name,
                **_measures(read, said, study.analysis.confidence),
                "n_unscored": len(of_item) - len(read),
            }


def _measures(labels: Sequence[Label], said: Mapping[tuple, str], confidence: float) -> dict[str, Any]:
    weight = np.array([1 / label.drawn.probability for label in labels])
    human = np.array([label.outcome for label in labels], dtype=object)
    judge = np.array([said[label.drawn.place] for label in labels], dtype=object)
    holds, says = human == "true", judge == "true"
    out: dict[str, Any] = {"n": len(labels), "n_holds": int(holds.sum())}
    for name, right, among in [
        ("sensitivity", says, holds),
        ("specificity", ~says, ~holds),
        ("accuracy", human == judge, np.ones(len(labels), dtype=bool)),
    ]:
        share, low, high = weighted_share(right[among], weight[among], confidence)
        out |= {name: share, f"{name}_low": low, f"{name}_high": high}
    return out


def weighted_share(hits: NDArray[np.bool_], weight: Floats, confidence: float) -> tuple[float, float, float]:
    """Weighted share of ``hits`` with its Jeffreys interval at the effective sample size; all NaN of none."""
    if not len(hits):
        return math.nan, math.nan, math.nan
    share = float((weight * hits).sum() / weight.sum())
    low, high = jeffreys(share, effective_size(weight), confidence)
    return share, low, high


def effective_size(weight: Floats) -> float:
    """How many equally weighted samples these are worth (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight**2).sum())
