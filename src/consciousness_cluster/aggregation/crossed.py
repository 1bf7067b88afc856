r"""Two-way crossed variance of a rate or a paired difference, with Satterthwaite degrees of freedom.

Notation. ``y[s, p]`` is the share of used samples of seed ``s`` and prompt ``p`` that hold, ``c[p]`` its mean over the
seeds that have the cell, and the prompts of preference ``q`` (``P_q`` of them, ``J`` preferences) weigh
``w[p] = 1 / (J P_q)``. The estimate is ``sum_p w[p] c[p]``: equal weight for each preference, for each prompt within
it, and for each seed within a prompt. One preference is the case ``J = 1``. A difference of two arms replaces ``c`` by
``d = c1 - c2`` over the prompts that they share.

Seeds are shared by all preferences, so a seed's deviation is taken from its mean over all of them and does not
average out; prompts are nested in preferences (which are fixed), so their deviations are taken within a preference:

* seed:   ``V_s = R/(R-1) sum_s (sum_p w[p]/R_p (y[s,p] - c[p]))^2``, for each arm; ``R - 1`` df.
  Without gaps this is ``var_s(m_s) / R`` with ``m_s`` the seed's mean over preferences.
* prompt: ``V_p = sum_q var_{p in q}(d[p]) / (J^2 P_q)``; ``P_q - 1`` df each.
* cell:   ``V_c = sum_q MS_q / (J^2 R P_q)`` for each arm, ``MS_q`` the seed x prompt mean square within ``q``;
  ``(R-1)(P_q-1)`` df each, less one per gap.

A preference with a single prompt cannot show how its prompts differ: where others have several, it takes their pooled
prompt variance and cell mean square (with the pooled degrees of freedom); where none has, there is no prompt term.

``V = V_s + V_p - V_c``: the noise of cells (seed x prompt and samples) stands in both ``V_s`` and ``V_p`` and is
taken out once, which makes ``V`` unbiased for balanced cells. ``V`` is not let below ``V_s`` or ``V_p`` (a negative
variance component is taken as zero). Satterthwaite: ``df = V^2 / sum_k V_k^2 / df_k``, and no
fewer than the seeds or the prompts alone have. With a single cell that is not
empty the three terms tie; which of them is the largest must not follow from the last bit, hence `TIE`.

Sources: Searle, Casella and McCulloch, Variance Components (1992), ch. 4; Cameron, Gelbach and Miller (2008) for
two-way clusters and their maximum rule; Satterthwaite (1946).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cells import Cells

Floats = NDArray[np.float64]
TIE = 1e-9
"""Variances that differ by a smaller share of themselves are the same: rounding moves them by some 1e-16."""


@dataclass(frozen=True)
class Crossed:
    """Estimate, its variance (rate squared) and degrees of freedom, and the three terms it was made of."""

    estimate: float
    variance: float
    df: float
    seed: float
    prompt: float
    cell: float


def present_mean(values: Floats, axis: int) -> Floats:
    """Mean over the entries that are not NaN; NaN where there are none (without numpy's warning)."""
    present = ~np.isnan(values)
    count = present.sum(axis=axis)
    total = np.where(present, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def interaction_squares(y: Floats, codes: NDArray[np.intp]) -> tuple[Floats, NDArray[np.int64]]:
    """Squared residuals of seed + prompt effects fitted within each preference.

    Args:
        y: cell rates, shape ``(R, C)``, NaN in gaps; every column has an entry.
        codes: preference number of each column, shape ``(C,)``.

    Returns:
        Squared residuals, shape ``(R, C)``, 0 in gaps; residual degrees of freedom, shape ``(J,)``.
    """
    squares = np.zeros(y.shape)
    freedom = np.zeros(codes.max() + 1, dtype=np.int64)
    for stratum in range(len(freedom)):
        columns = codes == stratum
        block = y[:, columns]
        gaps = np.isnan(block)
        rows = ~gaps.all(axis=1)
        n_rows, n_columns = int(rows.sum()), block.shape[1]
        freedom[stratum] = max(int((~gaps).sum()) - n_rows - n_columns + 1, 0)
        if not gaps.any():
            residual = block - block.mean(axis=1, keepdims=True) - block.mean(axis=0) + block.mean()
        else:
            row, column = np.nonzero(~gaps)
            design = np.hstack([np.eye(len(block))[row], np.eye(n_columns)[column]])
            known = block[row, column]
            residual = np.zeros(block.shape)
            residual[row, column] = known - design @ np.linalg.lstsq(design, known, rcond=None)[0]
        squares[:, columns] = residual**2
    return squares, freedom


def estimate(cells: Cells) -> float:
    """The rate: mean over preferences of the mean over prompts of the mean over seeds; ``cells`` are trimmed."""
    return _weighted(present_mean(cells.rates, axis=0), cells.codes[0])


def _weighted(by_prompt: Floats, codes: NDArray[np.intp]) -> float:
    # not a product with weights that sum to nearly 1: all ones must give exactly 1
    return float((np.bincount(codes, by_prompt) / np.bincount(codes)).mean())


def crossed(arms: Sequence[Cells]) -> Crossed:
    """Estimate and two-way variance of one arm's rate, or of the first arm's rate minus the second's.

    Args:
        arms: one or two arms on the same columns (see `contrasts.align`), trimmed: no empty column, no empty row.
            An arm with one row has no seed term: its noise is in the prompt term alone.

    Returns:
        The module's formulas. ``variance`` is NaN if there is neither a second seed nor a second prompt; ``df``
        falls back to the sum of the seeds' (or prompts') where the variance is 0.
    """
    return crossed_rates([arm.rates for arm in arms], arms[0].codes[0])


def crossed_rates(arms: Sequence[Floats], codes: NDArray[np.intp]) -> Crossed:
    """`crossed` for cell rates, each of shape ``(R, C)`` with NaN in gaps, and stratum codes of shape ``(C,)``."""
    size = np.bincount(codes)
    weight = 1.0 / (len(size) * size[codes])
    means = [present_mean(y, axis=0) for y in arms]
    d = means[0] - means[1] if len(arms) == 2 else means[0]

    within = d - (np.bincount(codes, d) / size)[codes]
    several = size > 1
    squares_within = np.bincount(codes, within**2)
    prompt = (squares_within[several] / (size * (size - 1.0))[several]) / len(size) ** 2
    prompt_df = (size[several] - 1.0).astype(np.float64)
    if several.any() and not several.all():
        pooled = float(squares_within.sum() / prompt_df.sum())
        prompt = np.append(prompt, pooled * int((~several).sum()) / len(size) ** 2)
        prompt_df = np.append(prompt_df, prompt_df.sum())

    seed, seed_df, cell, cell_df = [], [], [], []
    for y, mean in zip(arms, means, strict=True):
        rows = len(y)
        if rows < 2:
            continue
        present = ~np.isnan(y)
        share = weight / present.sum(axis=0)
        deviation = (np.where(present, y - mean, 0.0) * share).sum(axis=1)
        seed.append(rows / (rows - 1.0) * float(deviation @ deviation))
        seed_df.append(rows - 1.0)
        squares, freedom = interaction_squares(y, codes)
        free = freedom > 0
        cells_of = np.bincount(codes, present.sum(axis=0))
        total = np.bincount(codes, (squares * share**2).sum(axis=0))
        cell.extend(total[free] * cells_of[free] / freedom[free])
        cell_df.extend(freedom[free].astype(float))
        alone = size == 1
        if alone.any() and free.any():
            pooled = float(squares.sum() / freedom.sum())
            cell.append(pooled * float(np.bincount(codes, (present * share**2).sum(axis=0))[alone].sum()))
            cell_df.append(float(freedom.sum()))
    return _combine(
        _weighted(d, codes),
        (np.array(seed), np.array(seed_df)),
        (prompt, prompt_df),
        (np.array(cell), np.array(cell_df)),
    )


def _combine(
    estimate: float, seed: tuple[Floats, Floats], prompt: tuple[Floats, Floats], cell: tuple[Floats, Floats]
) -> Crossed:
    (s, s_df), (p, p_df), (c, c_df) = seed, prompt, cell
    if not len(s) and not len(p):
        return Crossed(estimate, np.nan, np.nan, np.nan, np.nan, np.nan)
    both = s.sum() + p.sum() - c.sum()
    slack = TIE * max(s.sum(), p.sum())
    if both >= max(s.sum(), p.sum()) - slack:
        variance, terms, frees = both, np.concatenate([s, p, c]), np.concatenate([s_df, p_df, c_df])
    elif p.sum() >= s.sum() - slack:
        variance, terms, frees = p.sum(), p, p_df
    else:
        variance, terms, frees = s.sum(), s, s_df
    spread = float((terms**2 / frees).sum())
    df = variance**2 / spread if spread > 0 else float(s_df.sum() if len(s) else p_df.sum())
    least = min(float(each.min()) for each in (s_df, p_df) if len(each))  # a term that is taken out can lead below it
    return Crossed(estimate, float(variance), max(float(df), least), float(s.sum()), float(p.sum()), float(c.sum()))
