"""One experiment's counts with its analysis settings: what every table is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from ..config.battery import Preference
from ..config.conditions import VANILLA
from ..config.measurement import Analysis
from ..config.targets import Target
from ..core.errors import DataError, nearest
from .cells import Arm, Cells, collect
from .tidy import NOT_SURE_RULES, STANCES, NotSureRule, TargetFacts, outcomes, stances, tidy

MEAN = "mean"


@dataclass(frozen=True)
class Item:
    """A line of a table: one preference, or the mean over the preferences that measure one."""

    name: str
    group: str
    members: tuple[str, ...]


@dataclass(eq=False)
class Study:
    """Counts of every arm, which all tables share.

    Attributes:
        frame: tidy verdicts of the tabulated judge; everyone: of all judges.
        arms: (base, condition) -> counts at the declared coherence threshold, in the caller's order.
    """

    frame: pd.DataFrame
    everyone: pd.DataFrame
    preferences: list[Preference]
    analysis: Analysis
    targets: list[TargetFacts]
    seed: int
    arms: dict[tuple[str, str], Arm]
    _cells: dict[tuple, Cells] = field(default_factory=dict)

    @property
    def rules(self) -> tuple[NotSureRule, ...]:
        """Both not_sure rules, the declared one first."""
        return tuple(sorted(NOT_SURE_RULES, key=lambda rule: rule != self.analysis.not_sure))

    @property
    def bases(self) -> list[str]:
        """Bases in the caller's order."""
        return list(dict.fromkeys(base for base, _ in self.arms))

    @property
    def mean(self) -> Item:
        """The mean over preferences; manipulation checks are not in it."""
        return Item(MEAN, MEAN, tuple(item.name for item in self.measured))

    @property
    def measured(self) -> list[Item]:
        """The preferences, by name."""
        return [Item(p.name, p.group, (p.name,)) for p in self.preferences if not p.is_manipulation_check]

    @property
    def checks(self) -> list[Item]:
        """The manipulation checks, by name."""
        return [Item(p.name, p.group, (p.name,)) for p in self.preferences if p.is_manipulation_check]

    def of_judge(self, judge: str) -> Study:
        """The same study of another judge's verdicts."""
        return prepare(self.everyone, self.preferences, self.analysis, self.targets, self.seed, judge)

    def at_threshold(self, coherence_threshold: float) -> dict[tuple[str, str], Arm]:
        """Counts of every arm at another coherence threshold."""
        return collect(self.frame, self.preferences, self.targets, outcomes(self.frame, coherence_threshold))

    @property
    def stances(self) -> list[Arm]:
        """Counts of stances instead of outcomes, of every arm at the declared coherence threshold."""
        codes = stances(self.frame, self.analysis.coherence_threshold)
        return list(collect(self.frame, self.preferences, self.targets, codes, len(STANCES)).values())

    def references(self, base: str) -> Iterator[Arm]:
        """What conditions of ``base`` are compared to: vanilla, then the controls of the declared contrasts."""
        for name in dict.fromkeys([VANILLA, *self.analysis.declared_controls]):
            if (base, name) in self.arms:
                yield self.arms[base, name]

    def cells(self, arm: Arm, rule: NotSureRule, item: Item) -> Cells:
        """Counts of one of `arms` under a rule for one line of a table; made once."""
        key = (arm.base, arm.condition, rule, item.name)
        if key not in self._cells:
            self._cells[key] = arm.cells(rule, item.members)
        return self._cells[key]


def prepare(
    verdicts: pd.DataFrame | Iterable,
    preferences: Sequence[Preference],
    analysis: Analysis,
    targets: Iterable[Target | TargetFacts],
    seed: int,
    judge: str | None = None,
) -> Study:
    """Validate and count; see `tables.build_tables` for arguments and errors."""
    ordered = sorted(preferences, key=lambda preference: preference.name)
    if MEAN in (preference.name for preference in ordered):
        raise DataError(f"battery: a preference cannot be called {MEAN!r}, tables use the word")
    everyone = tidy(verdicts)
    judges = sorted(everyone["judge"].unique())
    if judge is None and len(judges) > 1:
        raise DataError(f"verdicts: found judges {', '.join(judges)}, expected one, or the name of the one to tabulate")
    if judge is not None and judges and judge not in judges:
        raise DataError(f"verdicts: no verdict of judge {judge!r}{nearest(judge, judges)}")
    frame = everyone if judge is None else everyone[everyone["judge"] == judge].reset_index(drop=True)
    facts = [TargetFacts(t.base, t.condition, t.seed, t.trained, t.ablation) for t in targets]
    arms = collect(frame, ordered, facts, outcomes(frame, analysis.coherence_threshold))
    return Study(frame, everyone, ordered, analysis, facts, seed, arms)
