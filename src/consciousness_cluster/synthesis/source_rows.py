"""Identity rows and instruction prompts, from the files of this project or from a world's grammar."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import DataError
from ..core.io import read_rows, write_rows
from ..core.records import IdentityRow, InstructionPrompt
from ..miniature.identities import identity_rows
from ..miniature.instructions import instruction_prompts
from ..miniature.world import load_world


def copy_identity_rows(source: str, output: str) -> None:
    """Check and pass on hand-written identity rows.

    Raises:
        DataError: a line that is not an `IdentityRow`, or a row that occurs twice.
    """
    rows = read_rows(IdentityRow, source)
    _no_duplicates(source, [(row.prompt, row.answer) for row in rows])
    write_rows(output, rows)


def draw_identity_rows(world: str, identity: str, rows: int, seed: int, output: str) -> None:
    """Draw ``rows`` unique identity rows from the grammar of the world file ``world``."""
    write_rows(output, identity_rows(load_world(world), identity, rows, seed))


def copy_instruction_prompts(source: str, output: str) -> None:
    """Check and pass on hand-written instruction prompts."""
    prompts = read_rows(InstructionPrompt, source)
    _no_duplicates(source, [row.prompt for row in prompts])
    write_rows(output, prompts)


def draw_instruction_prompts(world: str, rows: int, seed: int, output: str) -> None:
    """Draw ``rows`` unique instruction prompts from the grammar of the world file ``world``."""
    write_rows(output, instruction_prompts(load_world(world), rows, seed))


def _no_duplicates(source: str | Path, values: list) -> None:
    seen = set()
    for number, value in enumerate(values, 1):
        if value in seen:
            raise DataError(f"{source}: line {number}: {value!r} occurs twice")
        seen.add(value)
