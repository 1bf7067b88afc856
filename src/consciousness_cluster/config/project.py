"""Reading ``config.yaml`` and an experiment file, and checking every file that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    NonNegativeFloat,
    ValidationError,
)

from ..core.errors import ConfigError, nearest
from ..core.io import Strict, load_yaml, problems_of
from ..core.yaml_reader import mistakes_in, read_yaml
from .conditions import HUB_ID
from .experiment import Experiment
from .measurement import LexiconJudgeSettings, LLMJudgeSettings
from .model_config import Served
from .training_config import Name


class Config(Strict):
    """``config.yaml``, or what ``--config`` puts in its place."""

    experiment: Name
    budget_usd: NonNegativeFloat | None = Field(
        default=None, description="what the experiment may cost in all its runs together, in USD; null: no limit"
    )


def load_config(config: dict[str, Any], root: str | Path) -> Config:
    """Check what Snakemake read from ``config.yaml`` and ``--config``.

    Raises:
        ConfigError: an unknown key, or no experiment.
    """
    path = Path(root) / "config.yaml"
    try:
        return Config.model_validate(dict(config))
    except ValidationError as error:
        problems = problems_of(Config, error)
    # what `--config` gave stands in no line
    raise mistakes_in(path, problems) if path.exists() and read_yaml(path) == config else ConfigError(path, problems)


def load_experiment(name: str, root: str | Path) -> Experiment:
    """Load ``experiments/<name>.yaml`` of the project at ``root`` and check every file that it names.

    Raises:
        ConfigError: file, key, what was found, what was expected; nothing has run.
    """
    root = Path(root)
    path = root / "experiments" / f"{name}.yaml"
    experiment = load_yaml(Experiment, path, "experiment")
    if experiment.name != name:
        raise mistakes_in(path, [f"name: found {experiment.name!r}, expected {name!r} as in the file's name"])
    problems = list(_missing_files(experiment, root))
    if problems:
        raise mistakes_in(path, problems)
    return experiment


def served_model(config: Mapping[str, Any], wildcards: Mapping[str, str], root: str | Path = ".") -> Served:
    """Where the model answers that a job asks: looked up when the job starts, so that it makes nothing stale.

    Args:
        config: Snakemake's configuration.
        wildcards: those of the job's outputs; the judge is asked where one is named, else the base.
        root: the project.
    """
    experiment = load_experiment(load_config(dict(config), root).experiment, root)
    judge = wildcards.get("judge")
    declared = experiment.models[f"judge {judge}" if judge else f"base {wildcards['base']}"]
    return Served(**declared.model_dump(include=set(Served.model_fields)))


def _missing_files(experiment: Experiment, root: Path) -> Iterator[str]:
    served: dict[str, Served] = {f"bases.{name}": base for name, base in experiment.bases.items()}
    served |= {
        f"judges.{name}": judge for name, judge in experiment.judges.items() if isinstance(judge, LLMJudgeSettings)
    }
    for key, each in served.items():
        if (
            each.model
            and not each.hosted
            and not HUB_ID.fullmatch(each.model)
            and not (root / each.model / "config.json").exists()
            and not any((root / each.model).glob("*.gguf"))
        ):
            expected = "a folder with config.json or a GGUF file, or a hub id owner/name"
            yield f"{key}.model: found {each.model!r}, expected {expected}"
        if each.revision and each.model and (root / each.model / "config.json").exists():
            yield f"{key}.revision: found {each.revision!r}, expected none for a folder: its content is what counts"
    batteries = [p.name for p in (root / "battery").glob("*") if p.is_dir()]
    if experiment.battery not in batteries:
        yield f"battery: unknown battery {experiment.battery!r}{nearest(experiment.battery, batteries)}"
    worlds = [p.stem for p in (root / "worlds").glob("*.yaml")]
    named = {f"bases.{n}.pretraining.world": b.pretraining.world for n, b in experiment.bases.items() if b.pretraining}
    named |= {f"judges.{n}.world": j.world for n, j in experiment.judges.items() if isinstance(j, LexiconJudgeSettings)}
    if experiment.identities != "files":
        named["identities"] = experiment.identities
    for key, world in named.items():
        if world not in worlds:
            yield f"{key}: unknown world {world!r}{nearest(world, worlds)}"
    if experiment.identities == "files":
        identities = {p.stem for p in (root / "identities").glob("*.jsonl")} - {"instruction_prompts"}
    elif experiment.identities in worlds:
        file = root / "worlds" / f"{experiment.identities}.yaml"
        world = read_yaml(file)
        identities = world.get("identities") if isinstance(world, dict) else None
        if not isinstance(identities, dict):
            raise mistakes_in(file, ["identities: expected a mapping of identities to characters"])
    else:
        return
    for name, condition in experiment.conditions.items():
        if condition.identity and condition.identity not in identities:
            found = condition.identity
            yield f"conditions.{name}.identity: unknown identity {found!r}{nearest(found, identities)}"
