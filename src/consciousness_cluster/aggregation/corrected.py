r"""A rate corrected for the judge's errors by human labels: prediction-powered inference (PPI).

A human read some of an arm's samples, drawn with known probabilities ``pi``; the judge read all of them. Of sample
``i`` the judge says whether it is used, ``b_i``, and holds, ``a_i`` (0 or 1), a human ``B_i`` and ``A_i``. Prompts
weigh equally within a preference and preferences equally in the mean, so each sample has a weight ``w_i`` (they add up
to 1); ``l_i = 1 / pi_i`` where a human read it, else 0, scaled so that ``sum_i w_i l_i = 1``. Then

    A = sum_i w_i (lambda a_i + l_i (A_i - lambda a_i)),   B likewise,   corrected rate = A / B

With ``lambda = 1`` this is PPI (Angelopoulos et al. 2023, Science 382; in survey words the difference estimator,
Sarndal et al. 1992). PPI++ (Angelopoulos, Duchi and Zrnic 2023, arXiv:2311.01453) chooses the lambda of the least
variance. The labelled samples are part of those that the judge read, not others beside them, so that this is ``lambda
= cov(e, f) / var f`` (the survey's regression estimator) and not the paper's ``cov / ((1 + n/N) var)``, with ``e =
A_i - rate B_i`` and ``f = a_i - rate b_i``, cut to [0, 1]: a judge that is no better than chance is ignored. Either
is right on average whatever the judge does; a good judge makes it narrow.

The interval. Each sample has a pseudo-outcome

    psi_i = rate + (lambda u_i + l_i (r_i - r) + r) / B,   u = a - rate b,   r_i = (A_i - lambda a_i) - rate (B_i - ...)

(``r`` the weighted mean of ``l_i r_i``; Taylor linearisation of the ratio), whose weighted mean is the corrected rate.
Their means by seed and prompt enter the two-way crossed variance of `crossed`, as the judge's own rates do. So the
interval covers seeds and prompts like these *and* that only some samples were labelled, with Satterthwaite's degrees of
freedom, and a little more for errors that so few labels could not show (`_unseen`). It does not cover that people err
or disagree. Where less than one effective label holds, or less than one does not, it is widened to the Jeffreys
interval of the labels alone (`floored`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .accuracy import effective_size
from .crossed import Floats, crossed_rates
from .intervals import Interval, jeffreys, t_interval

LEAST_LABELS = 10
"""An arm with fewer labels has no corrected rate."""
METHODS = ("ppi", "ppi++")


@dataclass(frozen=True)
class Arrays:
    """The samples of one arm and item.

    Attributes:
        a: judge says it holds, shape ``(n,)``; b: judge says it is used.
        human_a: the same by a human, 0 where nobody looked; human_b.
        inverse: inverse probability of having been labelled; 0 where it was not.
        row: number of its seed; column: number of its prompt.
        codes: preference number of each prompt, shape ``(C,)``.
        prompts: their ids; each has a sample.
        rows: how many seeds.
    """

    a: Floats
    b: Floats
    human_a: Floats
    human_b: Floats
    inverse: Floats
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    codes: NDArray[np.intp]
    prompts: tuple[str, ...]
    rows: int

    @property
    def weights(self) -> Floats:
        """Weight of each sample, shape ``(n,)``: equal for preferences, prompts, and seeds within a prompt."""
        cells = np.zeros((self.rows, len(self.codes)))
        np.add.at(cells, (self.row, self.column), 1.0)
        seeds = (cells > 0).sum(axis=0)
        prompts = np.bincount(self.codes)
        each = 1 / (len(prompts) * prompts[self.codes] * seeds)
        return each[self.column] / cells[self.row, self.column]

    def cell_means(self, values: Floats) -> Floats:
        """Means by seed and prompt, shape ``(R, C)``, NaN where there is no sample."""
        total, count = (np.zeros((self.rows, len(self.codes))) for _ in range(2))
        np.add.at(total, (self.row, self.column), values)
        np.add.at(count, (self.row, self.column), 1.0)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


@dataclass(frozen=True)
class Corrected:
    """A corrected rate.

    Attributes:
        interval: of the corrected rate.
        power: the weight that the judge got (lambda).
        psi: pseudo-outcomes by seed and prompt, shape ``(R, C)``.
        unseen: variance of errors that the labels are too few to show.
    """

    interval: Interval
    power: float
    psi: Floats
    unseen: float


def correct(data: Arrays, method: str, confidence: float, covers: str) -> Corrected | None:
    """The corrected rate; None with fewer than `LEAST_LABELS` labels, or if people found no used sample."""
    labelled = data.inverse > 0
    if labelled.sum() < LEAST_LABELS:
        return None
    w = data.weights
    l = data.inverse / (w @ data.inverse)  # noqa: E741
    power = 1.0
    rate = _rate(data, w, l, power)
    if math.isnan(rate):
        return None
    if method == "ppi++":
        power = _power(data, w * l, rate, labelled)
        rate = _rate(data, w, l, power)
    u = data.a - rate * data.b
    r = (data.human_a - power * data.a) - rate * (data.human_b - power * data.b)
    mean_r = float(w @ (l * r))
    b = float(w @ (power * data.b + l * (data.human_b - power * data.b)))
    psi = data.cell_means(rate + (power * u + l * (r - mean_r) + mean_r) / b)
    seen = ~np.isnan(psi).all(axis=1)
    result = crossed_rates([psi[seen]], data.codes)
    if math.isnan(result.variance):
        return None
    unseen = _unseen(data, w, labelled) / b**2
    result = replace(result, variance=result.variance + unseen)
    interval = t_interval(result, confidence, covers)
    size = effective_size((w * l)[labelled])
    if size * min(rate, 1 - rate) < 1:
        low, high = jeffreys(rate, size, confidence)
        wider = low < interval.low or high > interval.high
        interval = replace(interval, low=min(low, interval.low), high=max(high, interval.high), floored=wider)
    return Corrected(interval, power, psi[seen], unseen)


def _unseen(data: Arrays, w: Floats, labelled: NDArray[np.bool_]) -> float:
    """Variance of errors that the labels are too few to show: of each class of the judge with its own share of weight.

    The difference of ``p (1 - p) / n`` between the Jeffreys mean ``p = (k + .5) / (n + 1)`` and ``p = k / n``,
    none where all were read.
    """
    total = 0.0
    for says in (0.0, 1.0):
        of_class = data.a == says
        read = data.human_a[of_class & labelled]
        n = len(read)
        if n:
            p, smooth = read.mean(), (read.sum() + 0.5) / (n + 1)
            more = max(smooth * (1 - smooth) - p * (1 - p), 0.0) / n * (1 - n / of_class.sum())
            total += float(w[of_class].sum() ** 2 * more)
    return total


def dense(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number the preferences that are left from 0."""
    return np.unique(codes, return_inverse=True)[1]


def _rate(data: Arrays, w: Floats, l: Floats, power: float) -> float:  # noqa: E741
    a = float(w @ (power * data.a + l * (data.human_a - power * data.a)))
    b = float(w @ (power * data.b + l * (data.human_b - power * data.b)))
    return a / b if b > 1e-9 else math.nan


def _power(data: Arrays, v: Floats, rate: float, labelled: NDArray[np.bool_]) -> float:
    v = v[labelled]
    e = (data.human_a - rate * data.human_b)[labelled]
    f = (data.a - rate * data.b)[labelled]
    f = f - v @ f
    variance = float(v @ f**2)
    if variance < 1e-12:
        return 1.0
    return float(np.clip((v @ (e * f)) / variance, 0.0, 1.0))
