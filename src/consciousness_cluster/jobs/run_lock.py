"""One run at a time in a folder of results; jobs of a run that is over are refused."""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path

from ..core.errors import ClusterError

RUN = "CONSCIOUSNESS_CLUSTER_RUN"  # name of the run that a job belongs to, set by the Snakefile


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
