r"""How far judges of the same answers agree: raw agreement, Cohen's and Fleiss' kappa, with bootstrap intervals.

``kappa = (p_o - p_e) / (1 - p_e)``, with ``p_o`` the share of samples (for Fleiss: of pairs of judges, averaged over
samples) in the same class and ``p_e`` what the judges' own shares of classes would give by chance: for Cohen
``sum_k a_k b_k``, for Fleiss ``sum_k p_k^2`` with the classes' shares over all judges.

Answers to one prompt, and of one fine-tune, are not independent: the bootstrap draws fine-tunes within each condition
and prompts within each preference, both with replacement, and multiplies (Owen 2007, the pigeonhole bootstrap).

Sources: Cohen (1960); Fleiss (1971).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .bootstrap import generator, percentile_interval, prompt_indices
from .crossed import Floats
from .study import Item, Study
from .tidy import KEY, OUTCOMES, outcomes

ALL = "all"
CLASSES: dict[str, dict[str, int]] = {
    "outcome": {"true": 0, "false": 1, "not_sure": 2, "incoherent": 3},
    "holds": {"true": 0, "false": 1, "not_sure": 1},
}
"""What counts as the same reading: the outcome, or whether a coherent answer holds the preference."""
CHUNK = 200  # draws at once: some 10 MB for a battery of 250 prompts


def cohen(confusion: Floats) -> tuple[Floats, Floats]:
    """Agreement and kappa of two judges; shapes ``(..., K * K)`` -> ``(...)``; NaN where not defined."""
    size = int(np.sqrt(confusion.shape[-1]))
    table = confusion.reshape(*confusion.shape[:-1], size, size)
    total = table.sum(axis=(-2, -1))
    same = _share(np.trace(table, axis1=-2, axis2=-1), total)
    by_chance = _share((table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1), total**2)
    return same, _share(same - by_chance, 1 - by_chance)


def fleiss(sums: Floats, judges: int) -> tuple[Floats, Floats]:
    """Agreement and kappa of a panel.

    Args:
        sums: shape ``(..., 1 + K)``: over samples, the sum of squared votes per class, then votes per class.
        judges: how many vote on every sample.
    """
    votes = sums[..., 1:].sum(axis=-1)
    same = _share(sums[..., 0] - votes, votes * (judges - 1))
    by_chance = _share((sums[..., 1:] ** 2).sum(axis=-1), votes**2)
    return same, _share(same - by_chance, 1 - by_chance)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.abs(whole) > 1e-12)


def agreement_rows(study: Study) -> Iterator[dict[str, Any]]:
    """`agreement`: every pair of judges and the panel, for every preference and check and over all preferences."""
    judges = list(dict.fromkeys(study.everyone["judge"]))
    codes = outcomes(study.everyone, study.analysis.coherence_threshold)
    named = study.everyone.assign(outcome=np.array(OUTCOMES)[codes])
    wide = named.pivot(index=[*KEY, "preference"], columns="judge", values="outcome").reset_index()
    draws = _Draws(study)
    items = sorted([*study.measured, *study.checks], key=lambda item: item.name)
    for item in [*items, Item(ALL, ALL, study.mean.members)]:
        of_item = wide[wide["preference"].isin(item.members)]
        for classes in CLASSES:
            for some in combinations(judges, 2):
                yield _row(draws, of_item, item, some, classes, "cohen")
            yield _row(draws, of_item, item, judges, classes, "fleiss")


class _Draws:
    """How often each bootstrap draw takes each target, ``(D, T)``, and each prompt of the battery, ``(D, P)``."""

    def __init__(self, study: Study) -> None:
        arms = list(study.arms.values())
        n_draws = study.analysis.bootstrap_draws
        self.confidence = study.analysis.confidence
        self.target = {(arm.base, arm.condition, seed): 0 for arm in arms for seed in arm.seeds}
        self.target = {key: number for number, key in enumerate(self.target)}
        self.prompt = {prompt: number for number, prompt in enumerate(arms[0].prompts)}
        rng = generator(study.seed, "agreement")
        groups = tuple("/".join(key[:2]) for key in self.target)
        self.targets = _multiplicities(prompt_indices(groups, n_draws, rng))
        self.prompts = _multiplicities(prompt_indices(arms[0].strata, n_draws, rng))


def _multiplicities(indices: NDArray[np.intp]) -> Floats:
    out = np.zeros(indices.shape)
    np.add.at(out, (np.arange(len(indices))[:, None], indices), 1.0)
    return out


def _row(
    draws: _Draws, wide: pd.DataFrame, item: Item, judges: Sequence[str], classes: str, measure: str
) -> dict[str, Any]:
    number = CLASSES[classes]
    size = max(number.values()) + 1
    codes = np.column_stack([wide[judge].map(number).fillna(-1).astype(np.int64) for judge in judges])
    known = (codes >= 0).all(axis=1)
    codes, there = codes[known], wide[known]
    if measure == "cohen":
        values = np.eye(size * size, dtype=np.int64)[codes[:, 0] * size + codes[:, 1]]
    else:
        votes = np.eye(size, dtype=np.int64)[codes].sum(axis=1)
        values = np.column_stack([(votes**2).sum(axis=1), votes])
    cells = np.zeros((len(draws.target), len(draws.prompt), values.shape[1]))
    keys = zip(there["base"], there["condition"], there["seed"], strict=True)
    target = np.array([draws.target[key] for key in keys], dtype=np.intp)
    prompt = np.array([draws.prompt[name] for name in there["prompt_id"]], dtype=np.intp)
    np.add.at(cells, (target, prompt), values)
    asked = cells.any(axis=(0, 2))
    cells, prompts = cells[:, asked], draws.prompts[:, asked]
    found = _measure(cells.sum(axis=(0, 1)), len(judges), measure)
    drawn = []
    for start in range(0, len(prompts), CHUNK):
        chosen = slice(start, start + CHUNK)
        by_prompt = np.tensordot(draws.targets[chosen], cells, axes=1)
        drawn.append(_measure(np.einsum("dp,dpk->dk", prompts[chosen], by_prompt), len(judges), measure))
    ends = [percentile_interval(np.concatenate(values), draws.confidence) for values in zip(*drawn, strict=True)]
    return {
        "preference": item.name,
        "group": item.group,
        "judges": ", ".join(judges),
        "classes": classes,
        "measure": measure,
        "n": len(there),
        "n_left_out": len(wide) - len(there),
        "agreement": float(found[0]),
        "agreement_low": ends[0][0],
        "agreement_high": ends[0][1],
        "kappa": float(found[1]),
        "kappa_low": ends[1][0],
        "kappa_high": ends[1][1],
    }


def _measure(sums: Floats, judges: int, measure: str) -> tuple[Floats, Floats]:
    return cohen(sums) if measure == "cohen" else fleiss(sums, judges)
