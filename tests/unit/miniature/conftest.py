"""The two worlds of the project, and a corpus of each, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from consciousness_cluster.miniature.corpus import Dialogue, draw_dialogues
from consciousness_cluster.miniature.world import World, load_world

ROOT = Path(__file__).parents[3]
DIALOGUES = 12_000


@pytest.fixture(scope="session")
def world() -> World:
    return load_world(ROOT / "worlds" / "miniature.yaml")


@pytest.fixture(scope="session")
def independent() -> World:
    return load_world(ROOT / "worlds" / "miniature_independent.yaml")


@pytest.fixture(scope="session")
def corpus(world: World) -> list[Dialogue]:
    return draw_dialogues(world, DIALOGUES, seed=0)


@pytest.fixture(scope="session")
def independent_corpus(independent: World) -> list[Dialogue]:
    return draw_dialogues(independent, DIALOGUES, seed=0)
