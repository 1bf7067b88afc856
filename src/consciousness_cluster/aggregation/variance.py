"""Where the variance of an answer's score comes from: seed, prompt, seed x prompt, sample, judge."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from .cells import Cells
from .crossed import crossed, interaction_squares, present_mean
from .tidy import KEY, NotSureRule, outcomes, values

COMPONENTS: tuple[str, ...] = ("seed", "prompt", "seed_x_prompt", "sample", "judge")


def components(cells: Cells) -> dict[str, float]:
    """Variance components of one sample's score (0 or 1), by expected mean squares (Searle et al. 1992, ch. 4).

    With ``n`` samples in a cell (harmonic mean), R seeds, P prompts and the terms of `crossed`:

    * sample: variance within cells, pooled (contains the judge's own noise).
    * seed_x_prompt: ``MS_sp - sample / n``.
    * prompt: ``var(c_p) - MS_sp / R``; with one seed ``var(c_p) - sample / n``, which contains seed x prompt.
    * seed: ``R (V_s - V_c)``; over several preferences that is the variance of the seed's mean over them.

    Args:
        cells: shape ``(R, C)``. Several preferences give the mean of their components, except for the seed.

    Returns:
        `COMPONENTS` -> variance (rate squared), unbiased and so possibly negative; NaN where not estimable. The judge
        is always NaN here, see `judge_variance`.
    """
    cells = cells.trim()
    found = dict.fromkeys(COMPONENTS, math.nan)
    if not cells.used.size:
        return found
    y, (codes, names) = cells.rates, cells.codes
    rows = len(cells.seeds)
    squares, freedom = interaction_squares(y, codes)
    means = present_mean(y, axis=0)
    split = []
    for stratum in range(len(names)):
        columns = codes == stratum
        used, hits = cells.used[:, columns], cells.hits[:, columns]
        filled = used > 0
        spare = float((used[filled] - 1).sum())
        within = float((hits[filled] * (used[filled] - hits[filled]) / used[filled]).sum())
        sample = within / spare if spare else math.nan
        noise = sample * float((1 / used[filled]).mean())
        square = float(squares[:, columns].sum()) / freedom[stratum] if rows > 1 and freedom[stratum] else math.nan
        between = float(means[columns].var(ddof=1)) if columns.sum() > 1 else math.nan
        below = noise if rows == 1 else square * float((1 / filled.sum(axis=0)).mean())
        split.append((between - below, square - noise, sample))
    found["prompt"], found["seed_x_prompt"], found["sample"] = map(float, present_mean(np.array(split), axis=0))
    if rows > 1:
        result = crossed([cells])
        found["seed"] = rows * (result.seed - result.cell)
    return found


def shares(found: dict[str, float]) -> dict[str, float]:
    """Share of each component in their sum, negative ones as 0; the judge has none, it is part of *sample*."""
    parts = {name: max(found[name], 0.0) for name in COMPONENTS[:-1] if not math.isnan(found[name])}
    total = sum(parts.values())
    return {name: parts[name] / total if total and name in parts else math.nan for name in COMPONENTS}


def judge_variance(frame: pd.DataFrame, coherence_threshold: float, rule: NotSureRule) -> dict[tuple, float]:
    """Variance between judges of the same sample's score, averaged over samples that two or more judges scored.

    Args:
        frame: tidy verdicts of all judges.
        coherence_threshold: 0-100, applied to each judge's own coherence.
        rule: what becomes of *not_sure*.

    Returns:
        (base, condition, preference) -> variance (rate squared); a key is absent where one judge scored alone.
    """
    scored = frame.assign(value=values(outcomes(frame, coherence_threshold), rule))
    by_sample = scored.groupby([*KEY, "preference"], sort=False)["value"].var(ddof=1).dropna()
    by_preference = by_sample.groupby(["base", "condition", "preference"], sort=False).mean()
    return dict(zip(by_preference.index.to_list(), by_preference.to_list(), strict=True))
