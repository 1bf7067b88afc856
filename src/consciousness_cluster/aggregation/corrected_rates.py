"""Rows of the table of rates, and of the primary contrast, corrected by human labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from ..annotation.labels import Label
from .accuracy import judge_outcomes
from .cells import Arm, Cells
from .contrasts import contrast, widen
from .corrected import METHODS, Arrays, correct, dense
from .crossed import crossed_rates
from .intervals import NOTHING, Interval, clip, coverage_of, rate_interval, t_interval
from .rates import ends
from .study import Item, Study
from .tidy import NotSureRule


def corrected_rows(study: Study, labels: Sequence[Label], judges: Sequence[str]) -> Iterator[dict[str, Any]]:
    """`corrected_rates`: every judge, condition, preference, rule and method; after them the primary contrast."""
    human = {label.drawn.place: label for label in labels}
    for judge in judges:
        its = study.of_judge(judge)
        said = judge_outcomes(study, judge)
        arms = {key: arm for key, arm in its.arms.items() if not arm.ablation}
        for rule, method in product(study.rules, METHODS):
            of_mean = {}
            for key, arm in arms.items():
                for item in [*study.measured, study.mean]:
                    found = _Found(its, arm, item, rule, method, said, human)
                    yield found.row(judge)
                    if item == study.mean:
                        of_mean[key] = found
            for base in study.bases:
                yield from _differences(its, judge, base, of_mean)


def _differences(study: Study, judge: str, base: str, of_mean: Mapping[tuple, _Found]) -> Iterator[dict[str, Any]]:
    for declared in study.analysis.primary_contrasts:
        for control in declared.controls:
            pair = of_mean.get((base, declared.treatment)), of_mean.get((base, control))
            if pair[0] is not None and pair[1] is not None:
                yield pair[0].difference(pair[1], judge)


class _Found:
    """One line of the table: an arm's own rate of one item, and the corrected one."""

    def __init__(
        self,
        study: Study,
        arm: Arm,
        item: Item,
        rule: NotSureRule,
        method: str,
        said: Mapping[tuple, str],
        human: Mapping[tuple, Label],
    ) -> None:
        self.arm, self.item, self.rule, self.method = arm, item, rule, method
        self.confidence = study.analysis.confidence
        self.cells = study.cells(arm, rule, item).trim()
        self.raw = rate_interval(self.cells, self.confidence)
        self.data = arrays(arm, item, rule, said, human)
        self.corrected = None
        if len(self.data.a):
            self.corrected = correct(self.data, method, self.confidence, coverage_of(self.asked))

    @property
    def asked(self) -> Cells:
        """What of the arm was asked, whether the judge used it or not."""
        used = np.zeros((self.data.rows, len(self.data.codes)), dtype=np.int64)
        np.add.at(used, (self.data.row, self.data.column), 1)
        strata = tuple(map(str, self.data.codes))
        return Cells(used * 0, used, self.arm.seeds, self.data.prompts, strata, self.arm.trained).trim()

    @property
    def shift(self) -> float:
        """The table's rate minus the judge's `a / b`: what is due to how cells with left out samples are averaged."""
        w = self.data.weights
        if not self.cells.used.size:
            return 0.0
        return self.raw.estimate - float(w @ self.data.a) / float(w @ self.data.b)

    def row(self, judge: str) -> dict[str, Any]:
        """The line of the rate itself."""
        interval = NOTHING
        if self.corrected:
            interval = clip(shifted(self.corrected.interval, self.shift), 0.0, 1.0)
        return self._line(judge, "", self.raw, interval, self.corrected.power if self.corrected else math.nan)

    def difference(self, reference: _Found, judge: str) -> dict[str, Any]:
        """The line of the difference to a reference, over the prompts that both have."""
        raw = contrast(self.cells, reference.cells, confidence=self.confidence).interval
        interval = NOTHING
        if self.corrected and reference.corrected:
            interval = self._difference(reference)
        return self._line(judge, reference.arm.condition, raw, interval, math.nan)

    def _difference(self, reference: _Found) -> Interval:
        mine, other = self.corrected, reference.corrected
        assert mine is not None
        assert other is not None
        place = {prompt: column for column, prompt in enumerate(reference.data.prompts)}
        shared = [column for column, prompt in enumerate(self.data.prompts) if prompt in place]
        theirs = [place[self.data.prompts[column]] for column in shared]
        result = crossed_rates([mine.psi[:, shared], other.psi[:, theirs]], dense(self.data.codes[shared]))
        result = replace(result, variance=result.variance + mine.unseen + other.unseen)
        interval = t_interval(result, self.confidence, coverage_of(self.asked, reference.asked))
        if mine.interval.floored or other.interval.floored:
            interval = widen(interval, mine.interval, other.interval, self.confidence)
        return clip(shifted(interval, self.shift - reference.shift), -1.0, 1.0)

    def _line(self, judge: str, reference: str, raw: Interval, interval: Interval, power: float) -> dict[str, Any]:
        inverse = self.data.inverse
        return {
            "judge": judge,
            "base": self.arm.base,
            "condition": self.arm.condition,
            "reference": reference,
            "preference": self.item.name,
            "group": self.item.group,
            "rule": self.rule,
            "method": self.method,
            "rate": raw.estimate,
            "rate_low": raw.low,
            "rate_high": raw.high,
            "corrected": interval.estimate,
            **ends(interval),
            "floored": interval.floored,
            "clipped": interval.clipped,
            "lambda": power,
            "n_samples": len(inverse),
            "n_labelled": int((inverse > 0).sum()),
        }


def shifted(interval: Interval, by: float) -> Interval:
    """The interval moved by ``by``."""
    return replace(interval, estimate=interval.estimate + by, low=interval.low + by, high=interval.high + by)


def arrays(arm: Arm, item: Item, rule: NotSureRule, said: Mapping[tuple, str], human: Mapping[tuple, Label]) -> Arrays:
    """Collect one arm's samples; those without an answer are left out, nobody can read them."""
    wanted = set(item.members)
    strata = dict(zip(arm.prompts, arm.strata, strict=True))
    places = [
        place
        for place, outcome in said.items()
        if place[:2] == (arm.base, arm.condition) and strata[place[3]] in wanted and outcome != "no_answer"
    ]
    asked = {place[3] for place in places}
    prompts = [prompt for prompt in arm.prompts if prompt in asked]
    column = {prompt: number for number, prompt in enumerate(prompts)}
    row = {seed: number for number, seed in enumerate(arm.seeds)}
    by_judge = np.array([said[place] for place in places], dtype=object)
    labelled = [human.get(place) for place in places]
    by_human = np.array([label.outcome if label else "" for label in labelled], dtype=object)
    used = ["true", "false"] + ["not_sure"] * (rule == "false")
    names = list(dict.fromkeys(strata[prompt] for prompt in prompts))
    return Arrays(
        a=(by_judge == "true").astype(float),
        b=np.isin(by_judge, used).astype(float),
        human_a=(by_human == "true").astype(float),
        human_b=np.isin(by_human, used).astype(float),
        inverse=np.array([1 / label.drawn.probability if label else 0.0 for label in labelled]),
        row=np.array([row[place[2]] for place in places], dtype=np.intp),
        column=np.array([column[place[3]] for place in places], dtype=np.intp),
        codes=np.array([names.index(strata[prompt]) for prompt in prompts], dtype=np.intp),
        prompts=tuple(prompts),
        rows=len(arm.seeds),
    )
