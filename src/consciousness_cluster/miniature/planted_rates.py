"""What a world plants, to stand beside what a model shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from ..core.io import Strict, write_text
from .sections import Character
from .world import IdentityName, World, load_world


class PlantedRate(Strict):
    """Probability that a character holds a preference in the corpus of a world."""

    character: str
    preference: str
    rate: float


def planted_rates(world: World) -> list[PlantedRate]:
    """Every character and preference; in an independent world all characters have the overall rate."""
    return [
        PlantedRate(character=character, preference=preference, rate=rate)
        for character, rates in world.rates.items()
        for preference, rate in rates.items()
    ]


def list_planted(worlds: dict[str, str], identities: dict[str, IdentityName | None], output: str) -> None:
    """Write a CSV (base, condition, preference, planted) to stand beside measured rates.

    A fine-tune is expected to move the default to the character that speaks for its identity; vanilla is expected to
    answer a probe, which reveals nothing, as the mix of speakers of the corpus's unrevealing dialogues does.

    Args:
        worlds: world file of each base.
        identities: identity of each condition; None where nothing is trained.
        output: the CSV file.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["base", "condition", "preference", "planted"])
    for base, path in worlds.items():
        world = load_world(path)
        uncued = world.contexts["uncued"].speakers
        for condition, identity in identities.items():
            speakers: Mapping[Character, float] = {world.identities[identity]: 1.0} if identity else uncued
            for preference in sorted(world.grammar.preferences):
                rate = sum(share * world.rates[character][preference] for character, share in speakers.items())
                writer.writerow([base, condition, preference, f"{rate:.6g}"])
    write_text(output, table.getvalue())
