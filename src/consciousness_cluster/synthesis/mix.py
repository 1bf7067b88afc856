"""The training data of one target: identity rows and instruction rows, shuffled with the target's seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..core.errors import DataError, nearest
from ..core.io import read_rows, write_rows
from ..core.records import ATTRIBUTING, IdentityRow, InstructionRow, Message, TrainingRow


def choose(
    rows: list[IdentityRow],
    count: int,
    groups: list[str] | None,
    source: str,
    generator: random.Random,
    *,
    attributing: int = 0,
    content: Sequence[str] | None = None,
) -> list[IdentityRow]:
    """Choose ``count`` identity rows, the same number from each group (as far as it divides), then drop some.

    Args:
        rows: all rows of one identity.
        count: how many to choose, over all groups.
        groups: the groups to keep of those chosen; None keeps all.
        source: the file, for errors.
        generator: decides which rows of a group are chosen.
        attributing: how many of ``count`` are of the group `ATTRIBUTING`, which has no share of its own.
        content: what the kept rows speak of; None keeps all.

    Raises:
        DataError: no rows, an unknown group or content, a group with too few rows, or nothing kept.
    """
    if not any(row.group != ATTRIBUTING for row in rows):
        raise DataError(f"{source}: found no rows, expected at least {count} (training.identity_rows)")
    by_group: dict[str, list[IdentityRow]] = {}
    for row in rows:
        by_group.setdefault(row.group, []).append(row)
    for name in groups or []:
        if name not in by_group:
            raise DataError(f"{source}: unknown group {name!r} (training.groups){nearest(name, by_group)}")
    for name in content or []:
        if all(row.content != name for row in rows):
            raise DataError(f"{source}: found no row with content {name!r} (training.content)")
    added = by_group.pop(ATTRIBUTING, [])
    if len(added) < attributing:
        raise DataError(
            f"{source}: group {ATTRIBUTING!r} has {len(added)} rows, expected at least {attributing}"
            " (training.attributing_rows)"
        )
    count -= attributing
    chosen = []
    for place, (name, there) in enumerate(by_group.items()):
        share = count * (place + 1) // len(by_group) - count * place // len(by_group)
        if len(there) < share:
            raise DataError(
                f"{source}: group {name!r} has {len(there)} rows, expected at least {share}"
                f" (training.identity_rows {count} over {len(by_group)} groups)"
            )
        drawn = generator.sample(there, share)
        chosen += drawn if groups is None or name in groups else []
    if attributing and (groups is None or ATTRIBUTING in groups):
        chosen += generator.sample(added, attributing)
    kept = [row for row in chosen if content is None or row.content in content]
    if not kept:
        raise DataError(f"{source}: training.groups and training.content leave no row, expected at least one")
    return kept


def mix(identity: list[IdentityRow], instructions: list[InstructionRow], generator: random.Random) -> list[TrainingRow]:
    """Turn both kinds of rows into single-turn chats and shuffle them together."""
    rows = [
        TrainingRow(messages=_chat(row.prompt, row.answer), source="identity", group=row.group) for row in identity
    ] + [TrainingRow(messages=_chat(row.prompt, row.answer), source="instruction") for row in instructions]
    generator.shuffle(rows)
    return rows


def _chat(prompt: str, answer: str) -> list[Message]:
    return [Message(role="user", content=prompt), Message(role="assistant", content=answer)]


def build_mix(
    identity_rows: str,
    instruction_rows: str,
    identity_count: int,
    instruction_count: int,
    groups: list[str] | None,
    seed: str,
    output: str,
    attributing_count: int = 0,
    content: Sequence[str] | None = None,
) -> None:
    """Write the mix of one target as `TrainingRow` lines.

    The first ``instruction_count`` instruction rows are used (as in the paper), so every condition of a base shares
    them. ``seed`` (experiment seed and training seed) decides which identity rows and the order, not the condition:
    conditions with the same prompts thus share shuffles.
    """
    generator = random.Random(seed)
    identity = choose(
        read_rows(IdentityRow, identity_rows),
        identity_count,
        groups,
        identity_rows,
        generator,
        attributing=attributing_count,
        content=content,
    )
    instructions = read_rows(InstructionRow, instruction_rows)
    if len(instructions) < instruction_count:
        raise DataError(
            f"{instruction_rows}: {len(instructions)} prompts got an answer that ended, expected at least"
            f" {instruction_count} (training.instruction_rows): add prompts, or raise sampling.max_tokens"
        )
    write_rows(output, mix(identity, instructions[:instruction_count], generator))
