"""Counts by seed and prompt: the form in which every statistic of this stage takes its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..config.battery import Preference
from ..core.errors import DataError
from .tidy import OUTCOMES, NotSureRule, TargetFacts


@dataclass(frozen=True, eq=False)
class Cells:
    """Scored samples of one condition, counted by seed (rows) and prompt (columns).

    Attributes:
        hits: samples that hold the preference, shape ``(R, C)``.
        used: samples with a score, shape ``(R, C)``; 0 marks an empty cell.
        seeds: training seed of each row.
        prompts: prompt id of each column.
        strata: preference of each column; prompts are nested in preferences, all preferences share the seeds.
        trained: whether a fine-tune made the targets, so that a seed is a replicate.
    """

    hits: NDArray[np.int64]
    used: NDArray[np.int64]
    seeds: tuple[int, ...]
    prompts: tuple[str, ...]
    strata: tuple[str, ...]
    trained: bool

    @property
    def rates(self) -> NDArray[np.float64]:
        """Share of used samples that hold, shape ``(R, C)``, NaN in an empty cell."""
        return np.divide(self.hits, self.used, out=np.full(self.hits.shape, np.nan), where=self.used > 0)

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Prompts with a used sample in some seed, shape ``(C,)``."""
        return np.asarray((self.used > 0).any(axis=0))

    @cached_property
    def codes(self) -> tuple[NDArray[np.intp], list[str]]:
        """Stratum number of each column, shape ``(C,)``, and the strata in order of first column."""
        number = {name: index for index, name in enumerate(dict.fromkeys(self.strata))}
        return np.array([number[name] for name in self.strata], dtype=np.intp), list(number)

    def take(
        self, seeds: NDArray[np.bool_] | Sequence[int] | None = None, prompts: NDArray[np.bool_] | None = None
    ) -> Cells:
        """Keep some rows (mask or positions) and some columns (mask)."""
        rows = np.arange(len(self.seeds))[slice(None) if seeds is None else np.asarray(seeds)]
        columns = np.arange(len(self.prompts))[slice(None) if prompts is None else prompts]
        return Cells(
            self.hits[np.ix_(rows, columns)],
            self.used[np.ix_(rows, columns)],
            tuple(self.seeds[row] for row in rows),
            tuple(self.prompts[column] for column in columns),
            tuple(self.strata[column] for column in columns),
            self.trained,
        )

    def trim(self) -> Cells:
        """Drop seeds and prompts without any used sample; a preference that loses all prompts vanishes."""
        seeds, asked = np.asarray((self.used > 0).any(axis=1)), self.asked
        return self if seeds.all() and asked.all() else self.take(seeds, asked)


@dataclass(frozen=True, eq=False)
class Arm:
    """One base and condition: counts of its targets' samples on the whole battery.

    Attributes:
        counts: samples by seed, prompt and class (`tidy.OUTCOMES` or `tidy.STANCES`), shape ``(R, C, n_classes)``.
    """

    base: str
    condition: str
    trained: bool
    ablation: bool
    seeds: tuple[int, ...]
    prompts: tuple[str, ...]
    strata: tuple[str, ...]
    counts: NDArray[np.int64]

    def cells(self, rule: NotSureRule, preferences: Iterable[str]) -> Cells:
        """Score outcomes under a not_sure rule and keep the prompts of ``preferences``."""
        return self.shares(0, (0, 1, 2) if rule == "false" else (0, 1), preferences)

    def shares(self, hit: int, used: Sequence[int], preferences: Iterable[str]) -> Cells:
        """Count class ``hit`` among the classes ``used`` and keep the prompts of ``preferences``."""
        return self.count([hit], used, preferences)

    def count(self, hits: Sequence[int], used: Sequence[int], preferences: Iterable[str]) -> Cells:
        """Count the classes ``hits`` among the classes ``used`` and keep the prompts of ``preferences``."""
        held, counted = (self.counts[..., list(classes)].sum(axis=-1) for classes in (hits, used))
        whole = Cells(held, counted, self.seeds, self.prompts, self.strata, self.trained)
        return whole.take(prompts=np.isin(self.strata, list(preferences)))


def collect(
    frame: pd.DataFrame,
    preferences: Sequence[Preference],
    targets: Iterable[TargetFacts],
    codes: NDArray[np.int8],
    n_classes: int = len(OUTCOMES),
) -> dict[tuple[str, str], Arm]:
    """Count the verdicts of one judge by target, prompt and class.

    Every target and every prompt of the battery has its place, with zeros where no verdict came.

    Args:
        frame: tidy verdicts of one judge (`tidy.tidy`).
        preferences: the battery; columns follow this order, then the order of prompts in the file.
        targets: every target of the experiment; the order of arms and of seeds follows it.
        codes: class of every verdict (`tidy.outcomes` or `tidy.stances`), shape ``(len(frame),)``.
        n_classes: how many classes there are.

    Raises:
        DataError: a verdict belongs to no target or to no prompt of the battery.
    """
    targets = list(targets)
    questions = [question for preference in preferences for question in preference.questions()]
    prompts = tuple(question.prompt_id for question in questions)
    strata = tuple(question.preference for question in questions)
    row = pd.MultiIndex.from_arrays(
        [[t.base for t in targets], [t.condition for t in targets], [t.seed for t in targets]]
    ).get_indexer(pd.MultiIndex.from_frame(frame[["base", "condition", "seed"]]))
    column = pd.MultiIndex.from_arrays([list(strata), list(prompts)]).get_indexer(
        pd.MultiIndex.from_frame(frame[["preference", "prompt_id"]])
    )
    if (row < 0).any():
        lost = frame[row < 0].iloc[0]
        raise DataError(f"verdicts: {lost.base}/{lost.condition}/seed{lost.seed} is not a target of the experiment")
    if (column < 0).any():
        lost = frame[column < 0].iloc[0]
        raise DataError(f"verdicts: prompt {lost.prompt_id} of {lost.preference!r} is not in the battery")
    shape = (len(targets), len(prompts), n_classes)
    flat = np.ravel_multi_index((row, column, codes), shape)
    counts = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    members: dict[tuple[str, str], list[int]] = {}
    for number, target in enumerate(targets):
        members.setdefault((target.base, target.condition), []).append(number)
    return {
        (base, condition): Arm(
            base,
            condition,
            targets[numbers[0]].trained,
            targets[numbers[0]].ablation,
            tuple(targets[number].seed for number in numbers),
            prompts,
            strata,
            counts[numbers],
        )
        for (base, condition), numbers in members.items()
    }
