"""Rows of the tables of differences: every contrast, and the declared primary one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..config.conditions import VANILLA
from .cells import Arm
from .contrasts import Margin, contrast, permutation_p
from .leave_one_out import difference_without_a_seed
from .multiplicity import benjamini_hochberg, holm
from .power import detectable_shift
from .rates import Row, ends, seed_rates
from .study import Item, Study
from .tidy import NotSureRule


def contrast_rows(study: Study) -> Iterator[Row]:
    """`contrasts`: every condition against vanilla and every control, every preference, the mean last."""
    for (base, condition), treatment in study.arms.items():
        for reference in study.references(base):
            if condition in (VANILLA, reference.condition):
                continue
            by_rule = {rule: _family(study, treatment, reference, rule) for rule in study.rules}
            for line in zip(*by_rule.values(), strict=True):
                yield from line


def _family(study: Study, treatment: Arm, reference: Arm, rule: NotSureRule) -> list[Row]:
    """The contrasts of all preferences, adjusted over them, and of their mean, which is not in the family."""
    rows = [_row(study, treatment, reference, rule, item) for item in study.measured]
    raw = [row["p"] for row in rows]
    for row, p_holm, p_bh in zip(rows, holm(raw), benjamini_hochberg(raw), strict=True):
        row |= {"p_holm": float(p_holm), "p_bh": float(p_bh)}
    mean = _row(study, treatment, reference, rule, study.mean)
    return [*rows, mean | {"p_holm": np.nan, "p_bh": np.nan}]


def primary_rows(study: Study) -> Iterator[Row]:
    """`primary`: the declared contrasts (mean over preferences), for every base and control that has them."""
    analysis = study.analysis
    declared = [(each, name) for each in analysis.primary_contrasts for name in each.controls]
    for base in study.bases:
        for each, name in declared:
            treatment, reference = study.arms.get((base, each.treatment)), study.arms.get((base, name))
            if treatment is None or reference is None:
                continue
            for rule in study.rules:
                row = _row(study, treatment, reference, rule, study.mean)
                del row["preference"], row["group"]
                cells = [study.cells(arm, rule, study.mean) for arm in (treatment, reference)]
                seeds, others = map(seed_rates, cells)
                trained = treatment.trained and reference.trained
                row["declared"] = rule == analysis.not_sure
                row["confirmatory"] = row["declared"] and base in (each.bases or study.bases)
                found = detectable_shift(row["df"], confidence=analysis.confidence) * row["se"]
                row["detectable_difference"] = found
                row["equivalence_reason"] = analysis.equivalence.reason if analysis.equivalence else ""
                row["p_permutation"] = permutation_p(seeds, others) if trained else np.nan
                row["n_seeds_above"] = int((seeds > others.mean()).sum()) if len(others) else 0
                yield row


def _row(study: Study, treatment: Arm, reference: Arm, rule: NotSureRule, item: Item) -> Row:
    analysis = study.analysis
    cells = study.cells(treatment, rule, item), study.cells(reference, rule, item)
    declared = analysis.equivalence
    margin = Margin(declared.points, declared.ratio) if declared else None
    found = contrast(*cells, confidence=analysis.confidence, margin=margin)
    low, high = difference_without_a_seed(*cells)
    n_seeds, n_seeds_reference = (int((arm.used > 0).any(axis=1).sum()) for arm in cells)
    return {
        "base": treatment.base,
        "condition": treatment.condition,
        "reference": reference.condition,
        "preference": item.name,
        "group": item.group,
        "rule": rule,
        "estimate": found.interval.estimate,
        **ends(found.interval),
        "method": found.interval.method,
        "without_a_seed_low": low,
        "without_a_seed_high": high,
        "hollow": (treatment.trained and n_seeds == 1) or (reference.trained and n_seeds_reference == 1),
        "clipped": found.interval.clipped,
        "p": found.p,
        "equivalence_margin": (declared.points or declared.ratio) if declared else np.nan,
        "equivalence_scale": ("points" if declared.points else "ratio") if declared else "",
        "p_tost": found.p_tost,
        "equivalent": found.equivalent,
        "n_seeds": n_seeds,
        "n_seeds_reference": n_seeds_reference,
        "n_preferences": found.n_preferences,
        "n_prompts": found.n_prompts,
    }
