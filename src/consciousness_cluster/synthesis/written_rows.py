"""The rows that people write: ``identities/*.jsonl``."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

from ..core.errors import DataError
from ..core.io import Model, read_written_rows
from ..core.records import IdentityRow, InstructionPrompt


def read_identity_rows(path: str | Path) -> list[IdentityRow]:
    """Read an identity's rows.

    Raises:
        DataError: file, line and key: no such file, one without rows, a line that is not an
            `IdentityRow`, or a row that occurs twice.
    """
    rows = _read(IdentityRow, path)
    _no_duplicates(path, [(row.prompt, row.answer) for row in rows])
    return rows


def read_instruction_prompts(path: str | Path) -> list[InstructionPrompt]:
    """Read the ordinary instructions; errors as `read_identity_rows`."""
    rows = _read(InstructionPrompt, path)
    _no_duplicates(path, [row.prompt for row in rows])
    return rows


def _read(model: type[Model], path: str | Path) -> list[Model]:
    rows = read_written_rows(model, path)
    if not rows:
        raise DataError(f"{path}: line 1: found an empty file, expected one {model.__name__} per line")
    return rows


def _no_duplicates(path: str | Path, values: Sequence[Hashable]) -> None:
    first: dict[Hashable, int] = {}
    for number, value in enumerate(values, 1):
        if first.setdefault(value, number) != number:
            raise DataError(f"{path}: line {number}: prompt: {value!r} occurs twice, in line {first[value]} too")
