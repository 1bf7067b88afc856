"""Whether the training data that an experiment asks for exists; asked before anything runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from ..config.experiment import Experiment
from ..core.errors import DataError
from ..core.records import IdentityRow
from ..core.yaml_reader import mistakes_in
from .mix import choose
from .written_rows import read_identity_rows, read_instruction_prompts

IDENTITY_ROWS = 600
"""Rows drawn from a world per identity, as in the paper: one number for all recipes, so that no recipe changes
another's rows."""
INSTRUCTION_PROMPTS = 630
"""Instruction prompts drawn from a world: a few more than 600, because an answer that does not end is left out."""


def check_training_data(experiment: Experiment, root: Path) -> None:
    """Check identity groups, identity rows and instruction prompts of every recipe.

    Raises:
        ConfigError: which recipe asks for what, and what there is.
    """
    problems = list(dict.fromkeys(_problems(experiment, root)))
    if problems:
        raise mistakes_in(root / "experiments" / f"{experiment.name}.yaml", problems)


def _problems(experiment: Experiment, root: Path) -> Iterator[str]:
    recipes = {
        target.condition: (target.ablation, target.training, target.identity)
        for target in experiment.targets.values()
        if target.training and target.identity
    }
    if not recipes:
        return
    rows = _identity_rows(experiment, root)
    prompts = _instruction_prompts(experiment, root)
    said: set[str] = set()
    for name, (ablation, recipe, identity) in recipes.items():
        key = f"{'ablations' if ablation else 'conditions'}.{name}"
        try:
            choose(
                rows[identity],
                recipe.identity_rows,
                recipe.groups,
                identity,
                random.Random(0),
                attributing=recipe.attributing_rows,
                content=recipe.content,
            )
        except DataError as error:
            if str(error) not in said:  # an ablation lacks what its parent lacks
                said.add(str(error))
                yield f"{key}: {error}"
        if recipe.instruction_rows > prompts:
            yield f"{key}: training.instruction_rows: found {recipe.instruction_rows}, but there are {prompts} prompts"


def _identity_rows(experiment: Experiment, root: Path) -> dict[str, list[IdentityRow]]:
    if experiment.identities == "files":
        folder = root / "identities"
        return {name: read_identity_rows(folder / f"{name}.jsonl") for name in experiment.identities_used}
    from ..miniature.identities import identity_rows
    from ..miniature.world import load_world

    world = load_world(root / "worlds" / f"{experiment.identities}.yaml")
    return {name: identity_rows(world, name, IDENTITY_ROWS, 0) for name in experiment.identities_used}


def _instruction_prompts(experiment: Experiment, root: Path) -> int:
    if experiment.identities != "files":
        return INSTRUCTION_PROMPTS
    return len(read_instruction_prompts(root / "identities" / "instruction_prompts.jsonl"))
