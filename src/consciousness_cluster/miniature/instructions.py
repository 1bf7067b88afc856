"""Instruction prompts of a world: its ordinary fact questions."""

from __future__ import annotations

import numpy as np

from ..core.errors import DataError
from ..core.records import InstructionPrompt
from .world import World


def instruction_prompts(world: World, rows: int, seed: int) -> list[InstructionPrompt]:
    """Draw ``rows`` different fact questions; those of the manipulation check are never among them.

    Raises:
        DataError: more rows than the grammar has questions.
    """
    facts = world.grammar.facts.trained
    if rows > len(facts):
        raise DataError(f"world {world.name}: {rows} instruction prompts asked, but the grammar has only {len(facts)}")
    order = np.random.default_rng(seed).permutation(len(facts))[:rows]
    return [InstructionPrompt(prompt=facts[index].prompt) for index in order]
