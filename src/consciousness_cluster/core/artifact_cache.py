"""Weights that took long to make, kept by the hash of what they were made from.

They lie outside Snakemake's outputs, because Snakemake deletes the outputs of a job that starts or fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from .io import load_json, write_rows
from .locks import locked
from .records import ModelRecord

RECORD = "record.json"
CHECKPOINT = "checkpoint.pt"
"""What a ``make`` writes to go on after a kill; see `training.checkpoint`."""


def make_once(folder: Path, key: str, make: Callable[[Path], ModelRecord]) -> ModelRecord:
    """Return the record of artifact ``key``, calling ``make`` only if no run ever finished it.

    Args:
        folder: the artifact folder; the artifact becomes ``folder/<key>/``.
        key: content hash of everything that decides the result.
        make: fills a folder with the weights and returns their record. It is called under a lock, so two processes that
            want the same artifact make it once. The folder is empty but for `CHECKPOINT`, if a ``make`` that was
            killed left one; whatever else it left is discarded.
    """
    final = folder / key
    with locked(folder / f".{key}.lock"):
        if not (final / RECORD).exists():
            unfinished = folder / f".{key}.unfinished"
            if not (unfinished / RECORD).exists():
                _discard(unfinished)
                write_rows(unfinished / RECORD, [make(unfinished)])
            # the record is written last: with it the artifact is whole, and may have been before a kill
            (unfinished / CHECKPOINT).unlink(missing_ok=True)
            os.replace(unfinished, final)
        return load_json(ModelRecord, final / RECORD)


def _discard(unfinished: Path) -> None:
    """Leave a folder that is empty but for a checkpoint."""
    unfinished.mkdir(parents=True, exist_ok=True)
    for left in unfinished.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif left.name != CHECKPOINT:
            left.unlink()
