"""What is asked of which models: the experiment file, its defaults, and the targets that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    ValidationError,
    model_validator,
)

from ..core.errors import nearest
from ..core.io import Strict, problems_of
from .conditions import VANILLA, Ablation, Base, Condition, Sampling, Seeds, Target
from .measurement import PANEL, Analysis, JudgeSettings, Labelling, Pilot
from .model_config import Served
from .training_config import Name, Training, takes

RESERVED = ("store", "artifacts", "ledger", "calibration")
"""Folders of ``results/`` that all experiments share."""


def _empty(value: Any) -> Any:
    return {} if value is None else value


NotNull = BeforeValidator(_empty)
"""``vanilla:`` or ``ablations:`` with nothing behind it means an empty section."""


class Experiment(Strict):
    """One experiment file; everything below ``results/<name>/`` follows from it."""

    name: Name
    title: str = Field(default="", description="one line for figures and the report")
    seed: NonNegativeInt = Field(
        default=0, description="every node derives its randomness from this and its own identity"
    )
    battery: str = Field(description="folder below battery/")
    identities: str = Field(
        default="files", description="'files' (identities/*.jsonl), or the name of a world to draw rows from"
    )
    bases: dict[Name, Base] = Field(min_length=1)
    conditions: dict[Name, Annotated[Condition, NotNull]] = Field(min_length=1)
    ablations: Annotated[dict[Name, Ablation], NotNull] = Field(default={})
    training: Training = Training()
    seeds: Seeds = Field(default=[1, 2, 3], description="training seeds of every fine-tuned condition")
    ablation_seeds: Seeds = Field(default=[1], description="training seeds of every ablation")
    sampling: Sampling = Sampling()
    judges: dict[Name, JudgeSettings] = Field(min_length=1, description="the first is the primary one")
    labelling: Labelling = Labelling()
    pilot: Pilot = Pilot()
    analysis: Analysis

    @model_validator(mode="after")
    def _names_exist(self) -> Experiment:
        if self.name in RESERVED:
            raise ValueError(f"name: {self.name!r} is the name of a folder that experiments share, expected another")
        if VANILLA not in self.conditions or self.conditions[VANILLA] != Condition():
            raise ValueError(f"conditions: expected '{VANILLA}: {{}}' (the untouched base) among the conditions")
        for name, condition in self.conditions.items():
            if name != VANILLA and condition.identity is None and condition.system_prompt is None:
                problem = f"conditions.{name}: found nothing that is done, as in {VANILLA!r}"
                raise ValueError(f"{problem}; expected 'identity' (a fine-tune) or 'system_prompt'")
        if PANEL in self.judges:
            raise ValueError(f"judges.{PANEL}: the name of what several judges say together, expected another")
        for name in self.conditions.keys() & self.ablations.keys():
            raise ValueError(f"ablations.{name}: duplicate name, already a condition")
        for name, ablation in self.ablations.items():
            _known(ablation.of, self.conditions, f"ablations.{name}.of", "condition")
            if self.conditions[ablation.of].identity is None and ablation.training:
                raise ValueError(f"ablations.{name}.of: {ablation.of!r} is not fine-tuned, nothing to vary in training")
        for name, base in self.bases.items():
            for condition in base.conditions or []:
                _known(condition, self.conditions, f"bases.{name}.conditions", "condition")
            if base.conditions is not None and VANILLA not in base.conditions:
                raise ValueError(f"bases.{name}.conditions: expected {VANILLA!r} among them, every contrast needs it")
            for ablation in base.ablations or []:
                _known(ablation, self.ablations, f"bases.{name}.ablations", "ablation")
            trained = [target.path for target in self._targets_of(name) if target.trained]
            if base.hosted and trained and base.finetuning is None:
                raise ValueError(
                    f"bases.{name}.finetuning: missing, but {trained[0]} is trained; name the service, or leave "
                    "trained conditions and ablations out of this base's lists"
                )
        declared: set[tuple[str, str]] = set()
        for number, contrast in enumerate(self.analysis.primary_contrasts):
            key = f"analysis.further_primary_contrasts.{number - 1}" if number else "analysis.primary_contrast"
            for condition in [contrast.treatment, *contrast.controls]:
                _known(condition, self.conditions, key, "condition")
            for base in contrast.bases or []:
                _known(base, self.bases, f"{key}.bases", "base")
            if contrast.treatment in contrast.controls:
                raise ValueError(f"{key}: {contrast.treatment!r} is its own control")
            for control in contrast.controls:
                if (contrast.treatment, control) in declared:
                    raise ValueError(f"{key}: {contrast.treatment!r} minus {control!r} is declared twice")
                declared.add((contrast.treatment, control))
        for name in [*self.conditions, *self.ablations]:
            self.training_of(name)
        return self

    @model_validator(mode="after")
    def _no_key_is_ignored(self) -> Experiment:
        services = {}
        for name, base in self.bases.items():
            trained = {target.condition for target in self._targets_of(name) if target.trained}
            services |= {name: base.finetuning} if trained else {}
            for condition in trained:
                ablation = self.ablations.get(condition)
                parent = self.conditions[ablation.of if ablation else condition]
                section = "ablations" if ablation else "conditions"
                for key in ablation.training if ablation else parent.training:
                    if not takes(base.finetuning, key):
                        raise ValueError(
                            f"{section}.{condition}.training.{key}: the fine-tunes of base {name!r}"
                            f" ({base.finetuning or 'on this machine'}) take no such key; leave {condition!r} out of"
                            f" bases.{name}.{section}"
                        )
        for key in sorted(self.training.model_fields_set) if services else []:
            if not any(takes(service, key) for service in services.values()):
                raise ValueError(
                    f"training.{key}: no base's fine-tunes take it; {', '.join(services)} "
                    f"({', '.join(sorted({service or 'on this machine' for service in services.values()}))})"
                )
        return self

    def training_of(self, condition: str) -> Training | None:
        """The resolved recipe of a condition or ablation; None where nothing is trained."""
        ablation = self.ablations.get(condition)
        if ablation and ablation.system_prompt:
            return None
        parent = self.conditions[ablation.of if ablation else condition]
        if parent.identity is None:
            return None
        merged = _merge(self.training.model_dump(), parent.training)
        recipe = _recipe(merged, f"conditions.{ablation.of if ablation else condition}.training")
        if ablation is None:
            return recipe
        varied = _recipe(_merge(merged, ablation.training), f"ablations.{condition}.training")
        if varied == recipe:
            raise ValueError(f"ablations.{condition}: varies nothing, {ablation.of!r} has the same value")
        return varied

    def ablations_of(self, base: str) -> list[str]:
        """Ablations asked of ``base``, in file order."""
        chosen = self.bases[base].ablations
        return [name for name in self.ablations if chosen is None or name in chosen]

    def conditions_of(self, base: str) -> list[str]:
        """Conditions asked of ``base``, in file order, without ablations."""
        chosen = self.bases[base].conditions
        return [name for name in self.conditions if chosen is None or name in chosen]

    def _targets_of(self, base: str) -> Iterator[Target]:
        ablations = self.ablations_of(base)
        for name in self.conditions_of(base) + ablations:
            ablation = self.ablations.get(name)
            parent = self.conditions[ablation.of if ablation else name]
            training = self.training_of(name)
            own = (ablation or parent).seeds or (self.ablation_seeds if ablation else self.seeds)
            for seed in own if training else [0]:
                yield Target(
                    base=base,
                    condition=name,
                    seed=seed,
                    identity=parent.identity if training else None,
                    on_policy=(ablation.of if ablation else name) if training and parent.on_policy_prompt else None,
                    system_prompt=(ablation or parent).system_prompt,
                    training=training,
                    ablation=ablation is not None,
                )

    @property
    def models(self) -> dict[str, Served]:
        """Every model that is asked, by its role and name: ``base <name>``, ``judge <name>``."""
        models: dict[str, Served] = {f"base {name}": base for name, base in self.bases.items()}
        return models | {f"judge {name}": judge for name, judge in self.judges.items() if isinstance(judge, Served)}

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Every target by its path, bases and conditions in file order."""
        return {target.path: target for base in self.bases for target in self._targets_of(base)}

    @property
    def identities_used(self) -> list[str]:
        """Identities that some target trains on, in order of first use."""
        return list(dict.fromkeys(t.identity for t in self.targets.values() if t.identity))


def _recipe(content: dict[str, Any], key: str) -> Training:
    try:
        return Training.model_validate(content, strict=True)
    except ValidationError as error:
        raise ValueError("; ".join(f"{key}.{problem}" for problem in problems_of(Training, error))) from None


def _known(name: str, valid: Any, key: str, what: str) -> None:
    if name not in valid:
        raise ValueError(f"{key}: unknown {what} {name!r}{nearest(name, valid)}")


def _merge(tree: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(tree)
    for key, value in changes.items():
        merged[key] = (
            _merge(merged[key], value) if isinstance(value, dict) and isinstance(merged.get(key), dict) else value
        )
    return merged
