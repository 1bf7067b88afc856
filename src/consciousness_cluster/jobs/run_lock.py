"""One run at a time in a folder of results; jobs of a run that is over are refused."""

from __future__ import annotations

import atexit
import os
import uuid
from pathlib import Path

from ..core.errors import ClusterError
from ..core.locks import LEASE_SECONDS, POLL_SECONDS, Lease, kind

RUN = "CONSCIOUSNESS_CLUSTER_RUN"  # name of the run that a job belongs to, set by the Snakefile


_held: list[Lease] = []


def hold_run_lock(folder: Path) -> None:
    """Hold ``folder`` for this process until it ends. Unlike Snakemake's own lock none is left behind by a `kill -9`.

    Raises:
        ClusterError: another process holds it.
    """
    lease = Lease(folder / ".lock")
    # of a run that was killed on another machine, a lease that is a file ends only after some time
    if not lease.take(0 if kind() == "flock" else LEASE_SECONDS + POLL_SECONDS["link"]):
        raise ClusterError(f"{folder}: another run is working here; wait for it or end it")
    with open(lease.path, "w", encoding="utf-8") as file:
        file.write(os.environ.get(RUN, ""))
        file.flush()
        os.fsync(file.fileno())  # other machines read it
    _held.append(lease)
    atexit.register(lease.release)  # filelock itself does so only where no thread runs, as its heartbeat does


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
