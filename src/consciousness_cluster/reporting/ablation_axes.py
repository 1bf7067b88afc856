"""What a figure must know of an experiment's ablations, as plain values that fit a rule's ``params``."""

from __future__ import annotations

from typing import Any, TypedDict

from ..config.experiment import Experiment
from ..config.training_config import Training


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
        key, _ = ablation.varied
        own, parent = experiment.training_of(name), experiment.training_of(ablation.of)
        value, before = _value(own, key), _value(parent if own else None, key)
        found.append(
            {
                "name": name,
                "parent": ablation.of,
                "key": key,
                "axis": ablation.axis,
                "value": ablation.value if ablation.value is not None else _number(value),
                "parent_value": _number(before),
                "trained": own is not None,
            }
        )
    return found


def _value(recipe: Training | None, key: str) -> Any:
    value: Any = recipe
    for part in key.split("."):  # not of a dump, which leaves out what is not set
        value = getattr(value, part, None)
    return value


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
