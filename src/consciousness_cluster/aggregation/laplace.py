r"""Logistic mixed model by Laplace's approximation, as a sensitivity analysis of the contrasts.

``logit P(hold) = X beta + sd Z b`` with independent standard normal ``b``: effects of blocks (prompts), and few effects
that cross them (fine-tunes). The likelihood with ``b`` integrated out is approximated at the mode of ``b`` (penalised
iteratively reweighted least squares) and maximised over ``beta`` and ``sd`` together, as `glmer` of the R package lme4
does by default (Bates et al. 2015, Journal of Statistical Software 67); standard errors are from the curvature at the
maximum. The blocks are eliminated one by one, so that a fit takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse, special

from .crossed import Floats

MOST_STEPS = 100
STEP = 1e-2
"""Of the numerical curvature, in units of the parameters (log odds)."""
CONVERGED = 1e-16
"""Newton decrement: the curvature divides what the mode is off by the step squared, so it must be tiny."""
LARGEST = 20.0
"""Bound of every parameter, in log odds: beyond it the data only say that it is large."""


@dataclass(frozen=True)
class Effects:
    """Random effects.

    Attributes:
        block: number of each row's block, shape ``(N,)``, from 0 without gaps.
        local: which of the block's own K effects each row has, shape ``(N, K)``, 0 or 1.
        local_sd: number of the standard deviation of each of the K, shape ``(K,)``.
        crossing: which of the S effects that cross blocks each row has, shape ``(N, S)``, 0 or 1; S may be 0.
        crossing_sd: number of their standard deviation.
        n_sd: how many standard deviations there are.
    """

    block: NDArray[np.intp]
    local: Floats
    local_sd: NDArray[np.intp]
    crossing: Floats
    crossing_sd: int
    n_sd: int


@dataclass(frozen=True)
class MixedFit:
    """A fitted model.

    Attributes:
        beta: coefficients of ``X``, log odds; se: their standard errors.
        sd: standard deviations of the random effects, log odds.
        deviance: -2 log likelihood by Laplace, without the binomial coefficients.
        converged: whether the optimiser says so and no coefficient ran to its bound.
    """

    beta: Floats
    se: Floats
    sd: Floats
    deviance: float
    converged: bool


def fit(hits: Floats, used: Floats, design: Floats, effects: Effects) -> MixedFit:
    """Fit the model.

    Args:
        hits: answers that hold, of each row, shape ``(N,)``.
        used: answers of it, shape ``(N,)``, above 0.
        design: ``X``, shape ``(N, B)``.
        effects: of the same rows.
    """
    model = _Model(hits.astype(float), used.astype(float), design.astype(float), effects)
    pooled = float(special.logit((hits.sum() + 0.5) / (used.sum() + 1.0)))
    start = np.concatenate([np.linalg.lstsq(design, np.full(len(hits), pooled), rcond=None)[0], np.ones(effects.n_sd)])
    n_beta = design.shape[1]
    bounds = [(-LARGEST, LARGEST)] * n_beta + [(0.0, LARGEST)] * effects.n_sd
    options = {"maxiter": 200, "ftol": 1e-12, "gtol": 1e-5}
    gradient = partial(_gradient, model.deviance)
    found = optimize.minimize(model.deviance, start, jac=gradient, method="L-BFGS-B", bounds=bounds, options=options)
    at: Floats = found.x
    free = np.flatnonzero((np.arange(len(at)) < n_beta) | (at > 0.02))  # a variance of 0 has no curvature
    covariance = np.linalg.pinv(_curvature(model.deviance, at, free) / 2)
    se = np.sqrt(np.maximum(np.diag(covariance)[:n_beta], 0.0))
    inside = bool((np.abs(at[:n_beta]) < LARGEST * 0.99).all())
    return MixedFit(at[:n_beta], se, at[n_beta:], float(found.fun), bool(found.success) and inside)


class _Model:
    """The deviance by parameters; local effects are of shape ``(blocks, K)``, crossing ones ``(S,)``."""

    def __init__(self, hits: Floats, used: Floats, design: Floats, effects: Effects) -> None:
        self.hits, self.used, self.design, self.effects = hits, used, design, effects
        rows, n_blocks = len(hits), int(effects.block.max()) + 1
        self.sum_blocks = sparse.csr_matrix((np.ones(rows), (effects.block, np.arange(rows))), shape=(n_blocks, rows))
        self.local_mode = np.zeros((n_blocks, effects.local.shape[1]))
        self.crossing_mode = np.zeros(effects.crossing.shape[1])

    def deviance(self, parameters: Floats) -> float:
        """-2 log likelihood; the mode that it finds is where the next call begins."""
        n_beta, effects = self.design.shape[1], self.effects
        sd = parameters[n_beta:]
        fixed = self.design @ parameters[:n_beta]
        local, crossing = effects.local * sd[effects.local_sd], effects.crossing * sd[effects.crossing_sd]
        outer = (local[:, :, None] * np.concatenate([local, crossing], axis=1)[:, None, :]).reshape(len(local), -1)
        mode = self.local_mode, self.crossing_mode
        value, probability = self._penalised(mode, fixed, local, crossing)
        logdet = 0.0
        for _ in range(MOST_STEPS):
            residual = self.hits - self.used * probability
            gradient = mode[0] - self.sum_blocks @ (local * residual[:, None]), mode[1] - crossing.T @ residual
            step, logdet = self._newton(gradient, self.used * probability * (1 - probability), outer, crossing)
            if float((gradient[0] * step[0]).sum() + gradient[1] @ step[1]) < CONVERGED:
                break
            mode, value, probability = self._descend(mode, step, value, (fixed, local, crossing))
        self.local_mode, self.crossing_mode = mode
        return 2 * value + logdet

    def _newton(
        self, gradient: tuple[Floats, Floats], weight: Floats, outer: Floats, crossing: Floats
    ) -> tuple[tuple[Floats, Floats], float]:
        """Newton's step and the log determinant of the curvature, by eliminating the blocks (Schur complement)."""
        n_blocks, size = gradient[0].shape
        curvature = np.asarray(self.sum_blocks @ (outer * weight[:, None])).reshape(n_blocks, size, -1)
        own, mixed = curvature[:, :, :size] + np.eye(size), curvature[:, :, size:]
        solved = np.linalg.solve(own, np.concatenate([gradient[0][:, :, None], mixed], axis=2))
        rest = crossing.T @ (crossing * weight[:, None]) + np.eye(crossing.shape[1])
        rest -= np.einsum("bks,bkt->st", mixed, solved[:, :, 1:])
        of_crossing = np.linalg.solve(rest, gradient[1] - np.einsum("bks,bk->s", mixed, solved[:, :, 0]))
        of_local = solved[:, :, 0] - solved[:, :, 1:] @ of_crossing
        return (of_local, of_crossing), float(np.linalg.slogdet(own)[1].sum() + np.linalg.slogdet(rest)[1])

    def _penalised(
        self, mode: tuple[Floats, Floats], fixed: Floats, local: Floats, crossing: Floats
    ) -> tuple[float, Floats]:
        eta = fixed + (local * mode[0][self.effects.block]).sum(axis=1) + crossing @ mode[1]
        log_likelihood = float((self.hits * eta - self.used * np.logaddexp(0, eta)).sum())
        return 0.5 * float((mode[0] ** 2).sum() + mode[1] @ mode[1]) - log_likelihood, special.expit(eta)

    def _descend(
        self,
        mode: tuple[Floats, Floats],
        step: tuple[Floats, Floats],
        value: float,
        model: tuple[Floats, Floats, Floats],
    ) -> tuple[tuple[Floats, Floats], float, Floats]:
        """A Newton step, halved until it goes down."""
        for halving in range(30):
            nearer = mode[0] - step[0] * 0.5**halving, mode[1] - step[1] * 0.5**halving
            found, probability = self._penalised(nearer, *model)
            if found <= value + 1e-12 * abs(value):
                return nearer, found, probability
        return mode, *self._penalised(mode, *model)


def _gradient(function: Callable[[Floats], float], at: Floats) -> Floats:
    """First derivatives by central differences; a standard deviation's sign does not matter, so 0 is no end."""
    steps = np.eye(len(at)) * STEP / 100
    return np.array([(function(at + step) - function(at - step)) * 50 / STEP for step in steps])


def _curvature(function: Callable[[Floats], float], at: Floats, free: NDArray[np.intp]) -> Floats:
    """Second derivatives by central differences over the parameters ``free``."""
    size = len(free)
    out = np.empty((size, size))
    steps = np.eye(len(at))[free] * STEP
    middle = function(at)
    for i in range(size):
        out[i, i] = (function(at + steps[i]) - 2 * middle + function(at - steps[i])) / STEP**2
        for j in range(i):
            corners = [function(at + a * steps[i] + b * steps[j]) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            out[i, j] = out[j, i] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * STEP**2)
    return out
