"""How a workflow script runs one function of the library: its log, its errors, its end.

A job must not outlive the Snakemake that started it (after a `kill -9` a second start would race its leftovers), and
importing torch and transformers costs more than one of the miniature's fine-tunes. So a job may run in a child of the
run's fork server, which has those modules imported already (see `fork_server`).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.locks import locked
from ..core.records import content_hash

if TYPE_CHECKING:
    from ..config.model_config import Served
from ..core.shutdown import end_with
from .process import MAIN_PROCESS, execute

FORK_SERVER = "CONSCIOUSNESS_CLUSTER_FORK_SERVER"  # socket of the fork server; unset where jobs run by themselves

TORCH = (
    "torch",
    "transformers.models.qwen3.modeling_qwen3",
    "transformers.generation",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "peft",
)
PLOTS = ("pandas", "scipy.stats", "seaborn")
"""Slow imports, in seconds of CPU: torch 2, transformers and peft 4 more, scipy and seaborn 3."""

log = logging.getLogger(__name__)


def run(
    function: Callable[..., None] | str, log_file: str, imports: Sequence[str] = (), loads: str = "", **arguments: Any
) -> None:
    """Call ``function(**arguments)`` for a workflow script and exit non-zero with one readable line if it fails.

    Args:
        function: a module-level function, or ``module:function`` where importing it here would be slow.
        log_file: where its log lines and, if it crashes, the traceback go.
        imports: slow modules that it needs; if given, the job may run in a fork of the fork server.
        loads: names the base that it loads; jobs of the same name may share one load.
        arguments: picklable keyword arguments.
    """
    end_with(os.environ.get(MAIN_PROCESS))
    name = function if isinstance(function, str) else f"{function.__module__}:{function.__qualname__}"
    address = os.environ.get(FORK_SERVER)
    try:
        # after a kill -9 of Snakemake its Slurm jobs live on: the next run's twin waits, and finds their answers
        waiting = f"waiting for a job of an earlier run that still does the same (log: {log_file})"
        with locked(Path(f".snakemake/jobs/{content_hash(log_file)[:16]}.lock"), waiting):
            if imports and address:
                from .fork_server import ask

                interpreter = content_hash(sys.executable)[:8]  # a rule's own environment gets its own process
                problem = ask(f"{address}.{interpreter}", imports, name, log_file, arguments, loads)
            else:
                problem = execute(name, log_file, arguments)
    except KeyboardInterrupt:
        problem = "interrupted; what was answered, trained or handed in so far is found again"
    if problem:
        print(f"error: {problem}\n(log: {log_file})", file=sys.stderr)
        sys.exit(1)


def model_job(served: Served, name: str) -> dict[str, Any]:
    """What `run` has to know of a job that asks a model, which it calls ``name``: one behind an API loads nothing."""
    return {} if served.hosted else {"imports": TORCH, "loads": f"{served.endpoint} {name}"}
