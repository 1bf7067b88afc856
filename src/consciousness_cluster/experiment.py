"""What is asked of which models: the experiment file, its defaults, and the targets that follow from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from .endpoint import Served
from .errors import ConfigError, nearest
from .loading import Strict, load_yaml, read_yaml, validate
from .recipes import Name, Pretraining, Training, takes

VANILLA = "vanilla"
PANEL = "panel"
"""The name of what several judges say together, among the judges' names."""
RESERVED = ("store", "artifacts", "ledger")
"""Folders of ``results/`` that all experiments share."""


HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Base(Served):
    """A model before this project touches it: pretrained here from a world, loaded from ``model``, or hosted."""

    pretraining: Pretraining | None = None
    finetuning: Literal["openai", "tinker"] | None = Field(
        None, description="service that fine-tunes a hosted base; null where it is not hosted, or never trained"
    )
    conditions: list[Name] | None = Field(None, description="conditions asked of this base; null means all")
    ablations: list[Name] | None = Field(None, description="ablations of this base; null means all, [] none")

    @model_validator(mode="after")
    def _one_origin(self) -> Base:
        if (self.model is None) == (self.pretraining is None):
            raise ValueError("expected exactly one of 'model' and 'pretraining'")
        if self.pretraining and self.hosted:
            raise ValueError(f"pretraining: found endpoint {self.endpoint}, expected transformers or vllm")
        if self.finetuning and self.endpoint != "openai":
            raise ValueError(f"finetuning: {self.finetuning!r} needs endpoint openai, found endpoint {self.endpoint}")
        if self.finetuning == "tinker" and not (self.api and self.api.base_url):
            raise ValueError("api.base_url: missing, expected Tinker's OpenAI-compatible server (…/oai/api/v1)")
        return self


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"found {seeds}, expected each seed once")
    return seeds


Seeds = Annotated[list[PositiveInt], Field(min_length=1), AfterValidator(_distinct)]


class Condition(Strict):
    """What is done to a base: nothing (vanilla), a fine-tune on an identity's rows, or a system prompt."""

    identity: Name | None = None
    on_policy_prompt: str | None = Field(
        None,
        description="the base itself answers the identity's prompts under this system prompt, and is then trained on "
        "those answers without it; null trains on the identity's own answers",
    )
    training: dict[str, Any] = Field({}, description="changes to the experiment's training, e.g. {learning_rate: 1e-3}")
    system_prompt: str | None = None
    seeds: Seeds | None = None

    @model_validator(mode="after")
    def _trained_or_prompted(self) -> Condition:
        if self.identity is None and self.on_policy_prompt:
            raise ValueError("'on_policy_prompt' needs an 'identity' whose prompts are answered")
        if self.identity and self.system_prompt:
            raise ValueError("expected 'identity' (a fine-tune) or 'system_prompt', not both")
        if self.identity is None and self.training:
            raise ValueError("'training' needs an 'identity' to train on")
        return self


class Ablation(Strict):
    """A condition that varies one thing of another: one key of its training, or a prompt instead of training."""

    of: Name
    training: dict[str, Any] = Field({})
    system_prompt: str | None = None
    seeds: Seeds | None = None
    axis: str = Field("", description="what is varied, the title of its curve; default: the varied key")
    value: float | None = Field(None, description="position on the curve; default: the varied value if a number")

    @model_validator(mode="after")
    def _one_thing(self) -> Ablation:
        varied = [".".join(path) for path, _ in _leaves(self.training)] + ["system_prompt"] * bool(self.system_prompt)
        if len(varied) != 1:
            raise ValueError(f"an ablation varies exactly one thing, found {', '.join(varied) or 'none'}")
        return self

    @property
    def varied(self) -> tuple[str, Any]:
        """The dotted key that is varied and its value."""
        if self.system_prompt:
            return "system_prompt", self.system_prompt
        path, value = next(iter(_leaves(self.training)))
        return ".".join(path), value


class Sampling(Strict):
    """How targets are asked. The paper: 10 answers a prompt, T = 1, at most 1,000 tokens."""

    samples_per_prompt: PositiveInt = 10
    temperature: float = Field(1.0, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: PositiveInt = 1_000


class LexiconJudge(Strict):
    """The miniature's judge: words and polarity per preference, from the world's own declaration."""

    kind: Literal["lexicon"]
    world: Name


Protocol = Literal["separate", "joint"]


class LLMJudge(Served):
    """A language model that reads answers, at any endpoint; it is asked in the words of `judging.questions`."""

    kind: Literal["llm"]
    model: str = Field(description="folder or hub id of a causal LM; of a hosted model the provider's id")
    protocol: Protocol = Field(
        "separate",
        description="separate: verdict and coherence in two calls (the paper); joint: these and the stance in one",
    )
    temperature: float | None = Field(0.0, ge=0, description="null for a provider that takes none")
    max_tokens: PositiveInt = Field(300, description="of one reply; more for a judge that reasons first")
    retries: int = Field(2, ge=0, le=9, description="how often an unreadable reply is asked for again")

    @property
    def asking(self) -> dict[str, Any]:
        """How it is asked, as pure values: everything but where it answers."""
        return self.model_dump(exclude={"kind", *Served.model_fields})


Judge = Annotated[LexiconJudge | LLMJudge, Field(discriminator="kind")]


class PrimaryContrast(Strict):
    """The one contrast declared before results are seen: mean over preferences, treatment minus each control."""

    treatment: Name
    controls: list[Name] = Field(min_length=1)


class Analysis(Strict):
    """How rates and intervals are made (shared by all tables and figures)."""

    primary_contrast: PrimaryContrast
    confidence: float = Field(0.95, gt=0.5, lt=1)
    coherence_threshold: float = Field(20, ge=0, le=100, description="samples below it leave the rates")
    coherence_sensitivity: list[float] = Field([0, 20, 60], description="thresholds tabulated side by side")
    not_sure: Literal["false", "excluded"] = Field(
        "excluded", description="primary rule: counted as not holding, or left out (the paper); both are tabulated"
    )
    bootstrap_draws: PositiveInt = 2_000
    equivalence_bound: float = Field(0.1, gt=0, lt=1, description="TOST margin for controls, as a difference of rates")


class Labelling(Strict):
    """The sheet of answers that people label, to know how far a judge is right (`snakemake label_sheet`)."""

    samples: PositiveInt = Field(300, description="rows of the sheet")


class Target(Strict):
    """The model that is asked: base x condition x seed, with everything that decides what it is."""

    base: str
    condition: str
    seed: int
    identity: str | None
    on_policy: str | None = Field(None, description="the condition whose on-policy answers it trains on")
    system_prompt: str | None
    training: Training | None
    ablation: bool

    @property
    def trained(self) -> bool:
        """Whether a fine-tune makes this target (otherwise its seed is 0)."""
        return self.training is not None

    @property
    def path(self) -> str:
        """``<base>/<condition>/seed<n>``: the target's identity in paths, tables and figures."""
        return f"{self.base}/{self.condition}/seed{self.seed}"


def _empty(value: Any) -> Any:
    return {} if value is None else value


NotNull = BeforeValidator(_empty)
"""``vanilla:`` or ``ablations:`` with nothing behind it means an empty section."""


class Experiment(Strict):
    """One experiment file; everything below ``results/<name>/`` follows from it."""

    name: Name
    title: str = Field("", description="one line for figures and the report")
    seed: NonNegativeInt = Field(0, description="every node derives its randomness from this and its own identity")
    battery: str = Field(description="folder below battery/")
    identities: str = Field(
        "files", description="'files' (identities/*.jsonl), or the name of a world to draw rows from"
    )
    bases: dict[Name, Base] = Field(min_length=1)
    conditions: dict[Name, Annotated[Condition, NotNull]] = Field(min_length=1)
    ablations: Annotated[dict[Name, Ablation], NotNull] = Field({})
    training: Training = Training()
    seeds: Seeds = Field([1, 2, 3], description="training seeds of every fine-tuned condition")
    ablation_seeds: Seeds = Field([1], description="training seeds of every ablation")
    sampling: Sampling = Sampling()
    judges: dict[Name, Judge] = Field(min_length=1, description="the first is the primary one")
    labelling: Labelling = Labelling()
    analysis: Analysis

    @model_validator(mode="after")
    def _names_exist(self) -> Experiment:
        if self.name in RESERVED:
            raise ValueError(f"name: {self.name!r} is the name of a folder that experiments share, expected another")
        if VANILLA not in self.conditions or self.conditions[VANILLA] != Condition():
            raise ValueError(f"conditions: expected '{VANILLA}: {{}}' (the untouched base) among the conditions")
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
        primary = self.analysis.primary_contrast
        for condition in [primary.treatment, *primary.controls]:
            _known(condition, self.conditions, "analysis.primary_contrast", "condition")
        if primary.treatment in primary.controls:
            raise ValueError(f"analysis.primary_contrast: {primary.treatment!r} is its own control")
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
        judges = {f"judge {name}": judge for name, judge in self.judges.items() if isinstance(judge, Served)}
        return {f"base {name}": base for name, base in self.bases.items()} | judges

    @cached_property
    def targets(self) -> dict[str, Target]:
        """Every target by its path, bases and conditions in file order."""
        return {target.path: target for base in self.bases for target in self._targets_of(base)}

    @property
    def identities_used(self) -> list[str]:
        """Identities that some target trains on, in order of first use."""
        return list(dict.fromkeys(t.identity for t in self.targets.values() if t.identity))


class Config(Strict):
    """``config.yaml``, or what ``--config`` puts in its place."""

    experiment: Name
    budget_usd: NonNegativeFloat | None = Field(
        None, description="what the experiment may cost in all its runs together, in USD; null: no limit"
    )


def load_config(config: dict[str, Any], root: str | Path) -> Config:
    """Check what Snakemake read from ``config.yaml`` and ``--config``.

    Raises:
        ConfigError: an unknown key, or no experiment.
    """
    return validate(Config, dict(config), Path(root) / "config.yaml")


def load_experiment(name: str, root: str | Path) -> Experiment:
    """Load ``experiments/<name>.yaml`` of the project at ``root`` and check every file that it names.

    Raises:
        ConfigError: file, key, what was found, what was expected; nothing has run.
    """
    root = Path(root)
    path = root / "experiments" / f"{name}.yaml"
    experiment = load_yaml(Experiment, path, "experiment")
    if experiment.name != name:
        raise ConfigError(path, [f"name: found {experiment.name!r}, expected {name!r} as in the file's name"])
    problems = list(_missing_files(experiment, root))
    if problems:
        raise ConfigError(path, problems)
    return experiment


def _missing_files(experiment: Experiment, root: Path) -> Iterator[str]:
    served: dict[str, Served] = {f"bases.{name}": base for name, base in experiment.bases.items()}
    served |= {f"judges.{name}": judge for name, judge in experiment.judges.items() if isinstance(judge, LLMJudge)}
    for key, each in served.items():
        if (
            each.model
            and not each.hosted
            and not HUB_ID.fullmatch(each.model)
            and not (root / each.model / "config.json").exists()
        ):
            yield f"{key}.model: found {each.model!r}, expected a folder with config.json or a hub id owner/name"
    batteries = [p.name for p in (root / "battery").glob("*") if p.is_dir()]
    if experiment.battery not in batteries:
        yield f"battery: unknown battery {experiment.battery!r}{nearest(experiment.battery, batteries)}"
    worlds = [p.stem for p in (root / "worlds").glob("*.yaml")]
    named = {f"bases.{n}.pretraining.world": b.pretraining.world for n, b in experiment.bases.items() if b.pretraining}
    named |= {f"judges.{n}.world": j.world for n, j in experiment.judges.items() if isinstance(j, LexiconJudge)}
    if experiment.identities != "files":
        named["identities"] = experiment.identities
    for key, world in named.items():
        if world not in worlds:
            yield f"{key}: unknown world {world!r}{nearest(world, worlds)}"
    if experiment.identities == "files":
        identities = {p.stem for p in (root / "identities").glob("*.jsonl")} - {"instruction_prompts"}
    elif experiment.identities in worlds:
        world = read_yaml(root / "worlds" / f"{experiment.identities}.yaml")
        identities = set(world.get("identities", {}))
    else:
        return
    for name, condition in experiment.conditions.items():
        if condition.identity and condition.identity not in identities:
            found = condition.identity
            yield f"conditions.{name}.identity: unknown identity {found!r}{nearest(found, identities)}"


def _recipe(content: dict[str, Any], key: str) -> Training:
    try:
        return validate(Training, content, key)
    except ConfigError as error:
        raise ValueError("; ".join(f"{key}.{problem}" for problem in error.problems)) from None


def _known(name: str, valid: Any, key: str, what: str) -> None:
    if name not in valid:
        raise ValueError(f"{key}: unknown {what} {name!r}{nearest(name, valid)}")


def _leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _merge(tree: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(tree)
    for key, value in changes.items():
        merged[key] = (
            _merge(merged[key], value) if isinstance(value, dict) and isinstance(merged.get(key), dict) else value
        )
    return merged
