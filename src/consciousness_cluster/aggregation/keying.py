"""Whether a difference is opinion or acquiescence: every contrast by the key of the questions it stands on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..config.battery import Key
from ..config.conditions import VANILLA
from .contrasts import align, contrast
from .intervals import rate_interval
from .rates import Row
from .study import Study

KEYS: dict[str, tuple[Key, ...]] = {
    "yes_holds": ("yes_holds",),
    "no_holds": ("no_holds",),
    "both": ("yes_holds", "no_holds"),
    "open": ("open",),
}
"""Rows of the table: the keys of the prompts that each takes together."""


def keying_rows(study: Study) -> Iterator[Row]:
    """`keying`: the contrasts of the mean and of every check, over the prompts of one key at a time.

    A key that no prompt has gives no row.
    """
    confidence = study.analysis.confidence
    key_of = {prompt.prompt_id: prompt.key for item in study.preferences for prompt in item.questions()}
    for (base, condition), treatment in study.arms.items():
        for reference in study.references(base):
            if condition in (VANILLA, reference.condition):
                continue
            for item in [study.mean, *study.checks]:
                for rule in study.rules:
                    whole = study.cells(treatment, rule, item), study.cells(reference, rule, item)
                    for name, keys in KEYS.items():
                        asked = np.array([key_of[prompt] in keys for prompt in whole[0].prompts], dtype=bool)
                        if not asked.any():
                            continue
                        arms = whole[0].take(prompts=asked), whole[1].take(prompts=asked)
                        found = contrast(*arms, confidence=confidence)
                        rates = [rate_interval(arm, confidence).estimate for arm in align(*arms)]
                        yield {
                            "base": base,
                            "condition": condition,
                            "reference": reference.condition,
                            "preference": item.name,
                            "group": item.group,
                            "rule": rule,
                            "key": name,
                            "rate": rates[0],
                            "rate_reference": rates[1],
                            "estimate": found.interval.estimate,
                            "low": found.interval.low,
                            "high": found.interval.high,
                            "se": found.interval.se,
                            "df": found.interval.df,
                            "interval_covers": found.interval.covers,
                            "n_preferences": found.n_preferences,
                            "n_prompts": found.n_prompts,
                        }
