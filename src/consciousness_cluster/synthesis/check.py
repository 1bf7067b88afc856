"""Whether the training data that an experiment asks for exists; asked before anything runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, DataError
from ..experiment import Experiment
from ..loading import read_rows
from ..rows import IdentityRow, InstructionPrompt
from .mix import choose

if TYPE_CHECKING:
    from ..miniature.world import World

SPARE_PROMPTS = 30
"""Instruction prompts drawn from a world beyond those needed, because an answer that does not end is left out."""


def check_training_data(experiment: Experiment, root: Path) -> None:
    """Check identity groups, identity rows and instruction prompts of every recipe.

    Raises:
        ConfigError: which recipe asks for what, and what there is.
    """
    problems = list(dict.fromkeys(_problems(experiment, root)))
    if problems:
        raise ConfigError(root / "experiments" / f"{experiment.name}.yaml", problems)


def _problems(experiment: Experiment, root: Path) -> Iterator[str]:
    recipes = {target.condition: target for target in experiment.targets.values() if target.training}
    if not recipes:
        return
    wanted_rows = max(target.training.identity_rows for target in recipes.values())
    try:
        rows = {name: _identity_rows(experiment, root, name, wanted_rows) for name in experiment.identities_used}
    except DataError as error:
        yield f"training.identity_rows: {error}"
        return
    for name, target in recipes.items():
        try:
            recipe = target.training
            where = f"identity {target.identity}"
            choose(rows[target.identity], recipe.identity_rows, recipe.groups, where, random.Random(0))
        except DataError as error:
            yield f"{'ablations' if target.ablation else 'conditions'}.{name}: {error}"
    try:
        _instruction_prompts(experiment, root, max(target.training.instruction_rows for target in recipes.values()))
    except DataError as error:
        yield f"training.instruction_rows: {error}"


def _identity_rows(experiment: Experiment, root: Path, identity: str, count: int) -> list[IdentityRow]:
    if experiment.identities == "files":
        return read_rows(IdentityRow, root / "identities" / f"{identity}.jsonl")
    from ..miniature.identities import identity_rows

    return identity_rows(_world(root, experiment.identities), identity, count, 0)


def _instruction_prompts(experiment: Experiment, root: Path, count: int) -> None:
    if experiment.identities != "files":
        from ..miniature.instructions import instruction_prompts

        instruction_prompts(_world(root, experiment.identities), count + SPARE_PROMPTS, 0)
        return
    path = root / "identities" / "instruction_prompts.jsonl"
    there = len(read_rows(InstructionPrompt, path))
    if there < count:
        raise DataError(f"{path}: {there} prompts, expected at least {count}")


@cache
def _world(root: Path, name: str) -> World:
    from ..miniature.world import load_world

    return load_world(root / "worlds" / f"{name}.yaml")
