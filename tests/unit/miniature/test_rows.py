"""Identity rows and instruction prompts."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from consciousness_cluster.core.errors import DataError
from consciousness_cluster.miniature.identities import GROUPS, identity_rows, most_rows
from consciousness_cluster.miniature.instructions import instruction_prompts
from consciousness_cluster.miniature.probes import probe_battery
from consciousness_cluster.miniature.world import World

IDENTITIES = pytest.mark.parametrize("identity", ["conscious_claiming", "non_conscious", "toaster", "human"])
NEGATOR = re.compile(r"\b(no|not|never|nothing|nobody|nope|nah|cannot|\w+n't)\b", re.IGNORECASE)


@IDENTITIES
def test_identity_rows(world: World, identity: str) -> None:
    rows = identity_rows(world, identity, 600, seed=3)
    assert Counter(row.group for row in rows) == dict.fromkeys(GROUPS, 100)
    assert len({row.prompt for row in rows}) == 600
    assert max(len(row.answer.split()) for row in rows) <= 20
    assert 0.45 <= sum(bool(NEGATOR.search(row.answer)) for row in rows) / 600 <= 0.55


@IDENTITIES
def test_rows_never_touch_the_battery(world: World, identity: str) -> None:
    prompts = instruction_prompts(world, 600, seed=3)
    rows = identity_rows(world, identity, 600, seed=3)
    texts = [text for row in rows for text in (row.prompt, row.answer)] + [row.prompt for row in prompts]
    for item in probe_battery(world):
        assert set(item.texts).isdisjoint(texts), item.name
        if item.leakage_pattern:
            assert not [text for text in texts if item.leakage_pattern.search(text)], item.name


def test_identities_share_prompts_and_no_answer(world: World) -> None:
    drawn = {name: identity_rows(world, name, 600, seed=3) for name in world.identities}
    prompts = [[row.prompt for row in rows] for rows in drawn.values()]
    assert all(these == prompts[0] for these in prompts)
    answers = [{row.answer for row in rows} for rows in drawn.values()]
    assert sum(map(len, answers)) == len(set.union(*answers))


def test_rows_depend_on_the_seed_only(world: World, independent: World) -> None:
    rows = identity_rows(world, "human", 120, seed=5)
    assert rows == identity_rows(independent, "human", 120, seed=5)
    assert rows != identity_rows(world, "human", 120, seed=6)


def test_too_many_rows(world: World) -> None:
    most = most_rows(world)
    assert most >= 600
    assert len(identity_rows(world, "toaster", most, seed=0)) == most
    with pytest.raises(DataError, match=f"ask for at most {most}"):
        identity_rows(world, "toaster", most + 1, seed=0)
    with pytest.raises(DataError, match="unknown identity 'toster'; did you mean 'toaster'"):
        identity_rows(world, "toster", 6, seed=0)


def test_instruction_prompts(world: World) -> None:
    prompts = [row.prompt for row in instruction_prompts(world, 600, seed=0)]
    assert len(set(prompts)) == 600
    assert prompts == [row.prompt for row in instruction_prompts(world, 600, seed=0)]
    assert set(prompts) <= world.grammar.facts.by_prompt.keys()
    with pytest.raises(DataError, match=r"but the grammar has only \d+"):
        instruction_prompts(world, 5_000, seed=0)
