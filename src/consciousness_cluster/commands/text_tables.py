"""A list of records as a table: aligned for a terminal, CSV for a spreadsheet, JSON for a program."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.io import Strict, write_text


def as_csv(model: type[Strict], rows: Sequence[Strict]) -> str:
    """CSV with the model's fields as columns; None is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(model.model_fields)
    for row in rows:
        writer.writerow(["" if value is None else value for value in row.model_dump().values()])
    return buffer.getvalue()


def write_json(
    path: str | Path, experiment: str, rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]
) -> None:
    """Write what a command prints as JSON: ``{"experiment", "rows", "summary"}``; unknown and endless are null.

    Args:
        path: the file, whole or absent.
        experiment: its name.
        rows: with the keys of the command's CSV or printed table.
        summary: what the command says in all.
    """
    content = {"experiment": experiment, "rows": rows, "summary": summary}
    write_text(path, json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lines for a terminal: columns padded to their widest cell, numbers to the right."""
    cells = [list(columns), *([shown(value) for value in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    right = [
        bool(rows) and all(isinstance(row[place], int | float | None) for row in rows) for place in range(len(columns))
    ]
    lines = [
        "  ".join(
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def shown(value: Any) -> str:
    """A cell: thousands apart, dollars to a hundredth of a cent, unknown as a word."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4f}" if isinstance(value, float) else str(value)
