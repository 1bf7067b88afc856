"""Rows of the table `mixed_model`: the differences again, as odds ratios of a logistic mixed model.

A check of the contrasts by other assumptions: `laplace.fit` with a fixed effect of the treatment and random ones of the
prompt, of the prompt in each condition, and of the fine-tune. It weighs answers, not prompts, is on the logit, and
takes every effect as normal, so rare outliers among fine-tunes are no more in it than in an interval. Intervals are
those of Student's t with as many degrees of freedom as the seeds have; the normal ones would be too short.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .cells import Cells
from .contrasts import align
from .intervals import seed_df, t_quantile
from .laplace import Effects, MixedFit, fit
from .rates import Row
from .study import Study

EFFECTS = ("prompt", "prompt_x_condition", "seed")


def mixed_model_rows(study: Study) -> Iterator[Row]:
    """`mixed_model`: every condition that is no ablation, against vanilla and the controls, under the declared rule."""
    rule = study.analysis.not_sure
    for (base, condition), treatment in study.arms.items():
        references = list(study.references(base))
        names = [arm.condition for arm in references]
        for number, reference in enumerate(references):
            if condition in names[: number + 1] or treatment.ablation:
                continue  # two references are compared once
            cells = [study.cells(arm, rule, study.mean) for arm in (treatment, reference)]
            found, df = compare(*cells)
            yield {
                "base": base,
                "condition": condition,
                "reference": reference.condition,
                "rule": rule,
                **_odds(found, df, study.analysis.confidence),
            }


def compare(treatment: Cells, reference: Cells) -> tuple[MixedFit | None, float]:
    """Fit the model to both arms' answers to the prompts in common, and the degrees of freedom of its seeds.

    Returns:
        The fit, whose second coefficient is the log odds ratio; None where an arm has no answer that holds, or none
        that does not, so that the ratio has no estimate.
    """
    arms = align(treatment, reference)
    if any(not arm.used.size or arm.hits.sum() in (0, arm.used.sum()) for arm in arms):
        return None, math.nan
    hits, used, treated, target, prompt = [], [], [], [], []
    n_seeds = 0
    for number, arm in enumerate(arms):
        row, column = np.nonzero(arm.used)
        hits.append(arm.hits[row, column])
        used.append(arm.used[row, column])
        treated.append(np.full(len(row), 1 - number))
        target.append(row + n_seeds if arm.trained else np.full(len(row), -1))
        prompt.append(column)
        n_seeds += len(arm.seeds) * arm.trained
    is_treated = np.concatenate(treated).astype(float)
    ones = np.ones_like(is_treated)
    effects = Effects(
        block=np.concatenate(prompt),
        local=np.column_stack([ones, is_treated, 1 - is_treated]),
        local_sd=np.array([0, 1, 1]),
        crossing=(np.concatenate(target)[:, None] == np.arange(n_seeds)).astype(float),
        crossing_sd=2 if n_seeds else 0,
        n_sd=3 if n_seeds else 2,
    )
    design = np.column_stack([ones, is_treated])
    return fit(np.concatenate(hits), np.concatenate(used), design, effects), seed_df(*arms)


def _odds(found: MixedFit | None, df: float, confidence: float) -> Row:
    if found is None:
        names = ["odds_ratio", "low", "high", "log_odds_ratio", "se", "df", *(f"sd_{name}" for name in EFFECTS)]
        return {name: math.nan for name in names} | {"converged": False}
    log, se = float(found.beta[1]), float(found.se[1])
    half = t_quantile(confidence, df) * se
    sd = found.sd if len(found.sd) == len(EFFECTS) else [*found.sd, math.nan]
    return {
        "odds_ratio": math.exp(log),
        "low": math.exp(log - half),
        "high": math.exp(min(log + half, 700.0)),
        "log_odds_ratio": log,
        "se": se,
        "df": df,
        **{f"sd_{name}": float(value) for name, value in zip(EFFECTS, sd, strict=True)},
        "converged": found.converged,
    }
