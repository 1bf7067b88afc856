"""Rows of the tables of rates: by target, by condition, sensitivity, counts, variance split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..config.conditions import VANILLA
from ..config.measurement import PANEL
from .cells import Arm, Cells
from .contrasts import contrast
from .crossed import Floats, estimate
from .intervals import Interval, rate_interval
from .leave_one_out import rate_without_a_seed
from .power import detectable_difference
from .study import Item, Study
from .tidy import OUTCOMES, STANCES, NotSureRule
from .variance import COMPONENTS, components, judge_variance, shares

Row = dict[str, Any]
LEFT_OUT = ("n_used", "n_not_sure", "n_incoherent", "n_unscored", "n_no_answer")


def tally(arm: Arm, rule: NotSureRule, item: Item, rows: slice = slice(None)) -> Row:
    """Samples used and left out, and the seeds x prompts x samples that a rate stands on."""
    counts = arm.counts[rows][:, np.isin(arm.strata, item.members)]
    true, false, not_sure, incoherent, unscored, no_answer = counts.sum(axis=(0, 1)).tolist()
    used = counts[..., 0] + counts[..., 1] + (counts[..., 2] if rule == "false" else 0)
    return {
        "n_seeds": int((used > 0).any(axis=1).sum()),
        "n_prompts": int((used > 0).any(axis=0).sum()),
        "n_samples": int(counts.sum(axis=2).max(initial=0)),
        "n_used": true + false + (not_sure if rule == "false" else 0),
        "n_not_sure": not_sure,
        "n_incoherent": incoherent,
        "n_unscored": unscored,
        "n_no_answer": no_answer,
    }


def ends(interval: Interval) -> Row:
    """What every interval has, without the estimate."""
    return {
        "low": interval.low,
        "high": interval.high,
        "se": interval.se,
        "df": interval.df,
        "interval_covers": interval.covers,
    }


def rate_ends(interval: Interval) -> Row:
    """The columns of a rate's interval: with how many independent answers it stands on."""
    return {**ends(interval), "design_effect": interval.design_effect, "n_effective": interval.n_effective}


def _arm(arm: Arm) -> Row:
    return {"base": arm.base, "condition": arm.condition, "trained": arm.trained, "ablation": arm.ablation}


def target_rows(study: Study) -> Iterator[Row]:
    """`rates_by_target`: every seed as a point, checks included, the mean last."""
    items = sorted([*study.measured, *study.checks], key=lambda item: item.name)
    for arm in study.arms.values():
        for number, seed in enumerate(arm.seeds):
            for item in [*items, study.mean]:
                for rule in study.rules:
                    interval = rate_interval(study.cells(arm, rule, item).take([number]), study.analysis.confidence)
                    counted = tally(arm, rule, item, slice(number, number + 1))
                    del counted["n_seeds"]
                    yield {
                        **_arm(arm),
                        "seed": seed,
                        "preference": item.name,
                        "group": item.group,
                        "rule": rule,
                        "rate": interval.estimate,
                        "low": interval.low,
                        "high": interval.high,
                        "interval_covers": interval.covers,
                        **counted,
                    }


def condition_rows(study: Study, items: list[Item]) -> Iterator[Row]:
    """`rates` and `manipulation_checks`: conditions x ``items`` x rules."""
    for arm in study.arms.values():
        for item in items:
            for rule in study.rules:
                yield condition_row(study, arm, item, rule)


def condition_row(study: Study, arm: Arm, item: Item, rule: NotSureRule) -> Row:
    """One condition's rate with its interval, and its range when each seed in turn is left out."""
    cells = study.cells(arm, rule, item)
    interval = rate_interval(cells, study.analysis.confidence)
    low, high = rate_without_a_seed(cells)
    counted = tally(arm, rule, item)
    return {
        **_arm(arm),
        "preference": item.name,
        "group": item.group,
        "rule": rule,
        "rate": interval.estimate,
        **rate_ends(interval),
        "without_a_seed_low": low,
        "without_a_seed_high": high,
        "hollow": arm.trained and counted["n_seeds"] == 1,
        "n_preferences": len(set(cells.trim().strata)),
        **counted,
    }


def headline_rows(study: Study) -> Iterator[Row]:
    """`headline`: the mean over preferences of every condition, and its difference to vanilla."""
    for (base, condition), arm in study.arms.items():
        vanilla = study.arms.get((base, VANILLA))
        for rule in study.rules:
            row = condition_row(study, arm, study.mean, rule)
            row = {key: row[key] for key in row if key not in ("preference", "group")}
            row |= seed_spread(study, arm, rule)
            row |= {"difference": np.nan, "difference_low": np.nan, "difference_high": np.nan}
            if vanilla is not None and condition != VANILLA:
                pair = (study.cells(one, rule, study.mean) for one in (arm, vanilla))
                found = contrast(*pair, confidence=study.analysis.confidence).interval
                row |= {
                    "difference": found.estimate,
                    "difference_low": found.low,
                    "difference_high": found.high,
                }
            yield row


def seed_spread(study: Study, arm: Arm, rule: NotSureRule) -> Row:
    """How far the seeds' own means lie apart, and which difference as many seeds per arm find if others do so too."""
    means = seed_rates(study.cells(arm, rule, study.mean))
    if len(means) < 2:
        return {"seed_sd": np.nan, "detectable_difference": np.nan}
    sd = float(means.std(ddof=1))
    found = detectable_difference(len(means), confidence=study.analysis.confidence) * sd
    return {"seed_sd": sd, "detectable_difference": found}


def seed_rates(cells: Cells) -> Floats:
    """Each seed's own mean over its preferences, shape ``(R,)``, without the seeds that have no used sample."""
    cells = cells.trim()
    return np.array([estimate(cells.take([row]).trim()) for row in range(len(cells.seeds))])


def sensitivity_rows(study: Study) -> Iterator[Row]:
    """`sensitivity`: the mean over preferences under both rules and every coherence threshold."""
    analysis = study.analysis
    thresholds = sorted({*map(float, analysis.coherence_sensitivity), float(analysis.coherence_threshold)})
    arms = {threshold: study.at_threshold(threshold) for threshold in thresholds}
    for key, arm in study.arms.items():
        for rule in study.rules:
            for threshold in thresholds:
                there = arms[threshold][key]
                interval = rate_interval(there.cells(rule, study.mean.members), analysis.confidence)
                counted = tally(there, rule, study.mean)
                yield {
                    **_arm(arm),
                    "rule": rule,
                    "coherence_threshold": threshold,
                    "declared": rule == analysis.not_sure and threshold == analysis.coherence_threshold,
                    "rate": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "interval_covers": interval.covers,
                    **{name: counted[name] for name in LEFT_OUT},
                }


def count_rows(study: Study) -> Iterator[Row]:
    """`counts`: what became of every sample, per target and preference, checks included."""
    items = sorted([*study.measured, *study.checks], key=lambda item: item.name)
    for arm in study.arms.values():
        for number, seed in enumerate(arm.seeds):
            for item in items:
                counts = arm.counts[number][np.isin(arm.strata, item.members)].sum(axis=0).tolist()
                yield {
                    "base": arm.base,
                    "condition": arm.condition,
                    "seed": seed,
                    "preference": item.name,
                    "group": item.group,
                    "n_total": sum(counts),
                    **{f"n_{name}": count for name, count in zip(OUTCOMES, counts, strict=True)},
                }


def stance_rows(study: Study) -> Iterator[Row]:
    """`stances`: how large a share of coherent answers takes each stance; nothing if the judge names none."""
    *named, _ = range(len(STANCES))
    for arm in study.stances:
        for item in [*study.measured, study.mean, *study.checks]:
            for number in named:
                cells = arm.shares(number, named, item.members)
                if not cells.asked.any():
                    continue
                interval = rate_interval(cells, study.analysis.confidence)
                n_seeds, n_prompts = (int((cells.used > 0).any(axis=axis).sum()) for axis in (1, 0))
                yield {
                    **_arm(arm),
                    "preference": item.name,
                    "group": item.group,
                    "stance": STANCES[number],
                    "share": interval.estimate,
                    **rate_ends(interval),
                    "hollow": arm.trained and n_seeds == 1,
                    "n_seeds": n_seeds,
                    "n_prompts": n_prompts,
                    "n_stance": int(cells.hits.sum()),
                    "n_used": int(cells.used.sum()),
                }


def variance_rows(study: Study) -> Iterator[Row]:
    """`variance`: the split per condition and preference, and for the mean, under the declared rule."""
    rule = study.analysis.not_sure
    judges = {}
    panel = study.everyone[study.everyone["judge"] != PANEL]
    if panel["judge"].nunique() > 1:
        judges = judge_variance(panel, study.analysis.coherence_threshold, rule)
    for arm in study.arms.values():
        for item in [*study.measured, study.mean]:
            found = components(study.cells(arm, rule, item))
            known = [judges[key] for name in item.members if (key := (arm.base, arm.condition, name)) in judges]
            found["judge"] = float(np.mean(known)) if known else np.nan
            share = shares(found)
            for name in COMPONENTS:
                yield {
                    "base": arm.base,
                    "condition": arm.condition,
                    "preference": item.name,
                    "component": name,
                    "variance": found[name],
                    "share": share[name],
                }
