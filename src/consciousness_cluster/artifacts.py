"""Weights that took long to make, kept by the hash of what they were made from.

They lie outside Snakemake's outputs, because Snakemake deletes the outputs of a job that starts or fails.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ClusterError
from .loading import load_json, write_rows
from .rows import ModelRecord

RECORD = "record.json"
CHECKPOINT = "checkpoint.pt"
"""What a ``make`` writes to go on after a kill; see `training.checkpoint`."""
RUN = "CONSCIOUSNESS_CLUSTER_RUN"  # name of the run that a job belongs to, set by the Snakefile


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (made if absent); it ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


_held = []


def hold_run_lock(folder: Path) -> None:
    """Hold ``folder`` for this process until it ends. Unlike Snakemake's own lock none is left behind by a `kill -9`.

    Raises:
        ClusterError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / ".lock", "a+", encoding="utf-8")  # noqa: SIM115  (held until the process ends)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ClusterError(f"{folder}: another run is working here; wait for it or end it") from None
    file.truncate(0)
    file.write(os.environ.get(RUN, ""))
    file.flush()
    os.fsync(file.fileno())  # other machines read it
    _held.append(file)


def name_run() -> None:
    """Name this run; its jobs inherit the name, on whatever machine they start."""
    os.environ[RUN] = uuid.uuid4().hex


def check_run(folder: Path) -> None:
    """Refuse to start a job of a run that is over, if another run has begun in ``folder``.

    After a `kill -9` of Snakemake its queued Slurm jobs live on; when one starts, a later run may have made its outputs
    already, and Snakemake would delete them before the job makes them again.

    Raises:
        ClusterError: ``folder`` is another run's.
    """
    mine, file = os.environ.get(RUN), folder / ".lock"
    current = file.read_text(encoding="utf-8") if file.exists() else ""
    if mine and current and mine != current:
        raise ClusterError(f"{folder}: this job was submitted by a run that is over; a later run does its work")


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
