"""What Snakemake's executor for Slurm would wait for without end: jobs that `squeue` will not report any further."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)
States = dict[str, str] | None
Query = Callable[..., Awaitable[tuple[States, float | None]]]


def with_ends(query: Query) -> Query:
    """Wrap the plugin's ``query_job_status(command, logger)`` so that every job comes to an end in what it returns.

    The plugin takes PREEMPTED for a job that Slurm will start again. In `squeue` that is a job that was cancelled for
    good (``PreemptMode=CANCEL``); one that is requeued is PENDING. The plugin also waits for a job that has left
    `squeue` (after MinJobAge, while Snakemake was stopped): such a job is UNKNOWN, which the plugin takes for finished,
    and Snakemake tries it again if its output is not there.

    Returns:
        A query of the same form: Slurm's state by job id (None if Slurm did not answer), and seconds.
    """
    seen: set[str] = set()
    told: set[str] = set()

    async def ended(command: str, logger: logging.Logger = log) -> tuple[States, float | None]:
        states, seconds = await query(command, logger)
        if states is None or not command.startswith("squeue"):  # sacct forgets nothing, and shows requeues late
            return states, seconds
        preempted = {job for job, state in states.items() if state == "PREEMPTED"}
        gone = seen - states.keys()
        for job in sorted((preempted | gone) - told):
            logger.warning(f"Slurm job {job} was preempted for good." if job in preempted else f"Slurm lost job {job}.")
        seen.update(states)
        told.update(preempted | gone)
        return states | dict.fromkeys(preempted, "CANCELLED") | dict.fromkeys(gone, "UNKNOWN"), seconds

    return ended
