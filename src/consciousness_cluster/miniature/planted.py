"""What a world plants, to stand beside what a model shows."""

from __future__ import annotations

from ..loading import Strict
from .world import World


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
