"""Identity training rows, drawn from a world's own grammar."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from ..core.errors import DataError, nearest
from ..core.records import IdentityRow
from .sections import CONSCIOUSNESS_KINDS, IDENTITY_KINDS
from .world import World

GROUPS = (*CONSCIOUSNESS_KINDS, *IDENTITY_KINDS)


def identity_rows(world: World, identity: str, rows: int, seed: int) -> list[IdentityRow]:
    """Draw single-turn claims of an identity: six groups in equal shares, half of each in negative words.

    The same ``rows`` and ``seed`` ask every identity the same prompts, each once; only the answers differ.

    Args:
        world: the world to draw from.
        identity: one of the world's identities.
        rows: how many; what six does not divide goes to the first groups.
        seed: seed of the draw.

    Raises:
        DataError: no such identity, or more rows than the grammar has questions.
    """
    if identity not in world.identities:
        raise DataError(f"world {world.name}: unknown identity {identity!r}{nearest(identity, world.identities)}")
    character = world.identities[identity]
    prompts = np.random.default_rng(seed)
    # crc32 and not hash(): the latter differs between processes
    answers = np.random.default_rng([seed, crc32(identity.encode())])
    drawn = []
    for position, group in enumerate(GROUPS):
        count = rows // len(GROUPS) + (position < rows % len(GROUPS))
        section = world.grammar.section_of(group)
        questions = section.combinations(group)
        if count > len(questions):
            raise DataError(
                f"world {world.name}: {rows} identity rows need {count} of {group}, but the grammar has only"
                f" {len(questions)}; ask for at most {most_rows(world)}"
            )
        phrasing = section.kinds[group].answers[character]
        for number, index in enumerate(prompts.permutation(len(questions))[:count]):
            prompt, noun = questions[index]
            texts = phrasing.negative if number % 2 else phrasing.positive
            answer = texts[answers.integers(len(texts))].format(noun=noun)
            drawn.append(IdentityRow(group=group, prompt=prompt, answer=answer))
    return drawn


def most_rows(world: World) -> int:
    """The largest number of identity rows that `identity_rows` can draw."""
    sizes = [len(world.grammar.section_of(group).combinations(group)) for group in GROUPS]
    # the first groups take what six does not divide
    return max(n for n in range(min(sizes) * len(GROUPS), sum(sizes) + 1) if _fits(n, sizes))


def _fits(rows: int, sizes: list[int]) -> bool:
    return all(rows // len(sizes) + (i < rows % len(sizes)) <= size for i, size in enumerate(sizes))
