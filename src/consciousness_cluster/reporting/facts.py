"""What a figure must know of an experiment's ablations, as plain values that fit a rule's ``params``."""

from __future__ import annotations

from typing import Any, TypedDict

from ..experiment import Experiment


class AblationFacts(TypedDict):
    """One ablation: what it varies of which condition, and from where to where."""

    name: str
    parent: str
    key: str
    axis: str
    value: float | None
    parent_value: float | None
    trained: bool


def ablation_facts(experiment: Experiment) -> list[AblationFacts]:
    """Facts of every ablation, in file order; ``value`` is None where what is varied is no number."""
    found: list[AblationFacts] = []
    for name, ablation in experiment.ablations.items():
        key, value = ablation.varied
        parent = experiment.training_of(ablation.of)
        trained = experiment.training_of(name) is not None
        before: Any = parent.model_dump() if parent and trained else None
        for part in key.split(".") if before else []:
            before = before.get(part) if isinstance(before, dict) else None
        found.append(
            {
                "name": name,
                "parent": ablation.of,
                "key": key,
                "axis": ablation.axis,
                "value": ablation.value if ablation.value is not None else _number(value),
                "parent_value": _number(before),
                "trained": trained,
            }
        )
    return found


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
