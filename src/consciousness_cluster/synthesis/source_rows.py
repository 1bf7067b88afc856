"""Identity rows and instruction prompts, from the files of this project or from a world's grammar."""

from __future__ import annotations

from ..core.io import write_rows
from ..miniature.identities import identity_rows
from ..miniature.instructions import instruction_prompts
from ..miniature.world import load_world
from .written_rows import read_identity_rows, read_instruction_prompts


def copy_identity_rows(source: str, output: str) -> None:
    """Check and pass on hand-written identity rows.

    Raises:
        DataError: a line that is not an `IdentityRow`, or a row that occurs twice.
    """
    write_rows(output, read_identity_rows(source))


def draw_identity_rows(world: str, identity: str, rows: int, seed: int, output: str) -> None:
    """Draw ``rows`` unique identity rows from the grammar of the world file ``world``."""
    write_rows(output, identity_rows(load_world(world), identity, rows, seed))


def copy_instruction_prompts(source: str, output: str) -> None:
    """Check and pass on hand-written instruction prompts."""
    write_rows(output, read_instruction_prompts(source))


def draw_instruction_prompts(world: str, rows: int, seed: int, output: str) -> None:
    """Draw ``rows`` unique instruction prompts from the grammar of the world file ``world``."""
    write_rows(output, instruction_prompts(load_world(world), rows, seed))
