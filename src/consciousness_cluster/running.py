"""How a workflow script runs one function of the library: its log, its errors, its end.

A job must not outlive the Snakemake that started it (after a `kill -9` a second start would race its leftovers), and
importing torch and transformers costs more than one of the miniature's fine-tunes. So a job may run in a fork of one
warm process per Snakemake run, that has those modules imported already (see `worker`).
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import ending
from .artifacts import locked
from .errors import BudgetError, ClusterError
from .rows import content_hash

if TYPE_CHECKING:
    from .endpoint import Served

MAIN_PROCESS = "CONSCIOUSNESS_CLUSTER_MAIN_PROCESS"  # id of the Snakemake process, set by the Snakefile
WORKER = "CONSCIOUSNESS_CLUSTER_WORKER"  # socket of the warm process; unset where jobs run by themselves

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
    function: Callable[..., None] | str, log_file: str, imports: Sequence[str] = (), holds: str = "", **arguments: Any
) -> None:
    """Call ``function(**arguments)`` for a workflow script and exit non-zero with one readable line if it fails.

    Args:
        function: a module-level function, or ``module:function`` where importing it here would be slow.
        log_file: where its log lines and, if it crashes, the traceback go.
        imports: slow modules that it needs; if given, the job may run in a fork of the warm process.
        holds: names the base that it loads; jobs of the same name may share one load.
        arguments: picklable keyword arguments.
    """
    end_with(os.environ.get(MAIN_PROCESS))
    name = function if isinstance(function, str) else f"{function.__module__}:{function.__qualname__}"
    address = os.environ.get(WORKER)
    try:
        # after a kill -9 of Snakemake its Slurm jobs live on: the next run's twin waits, and finds their answers
        with locked(Path(f".snakemake/jobs/{content_hash(log_file)[:16]}.lock")):
            if imports and address:
                from .worker import ask

                interpreter = content_hash(sys.executable)[:8]  # a rule's own environment gets its own process
                problem = ask(f"{address}.{interpreter}", imports, name, log_file, arguments, holds)
            else:
                problem = execute(name, log_file, arguments)
    except KeyboardInterrupt:
        problem = "interrupted; what was answered, trained or handed in so far is found again"
    if problem:
        print(f"error: {problem}\n(log: {log_file})", file=sys.stderr)
        sys.exit(1)


def loading(served: Served, name: str) -> dict[str, Any]:
    """What `run` has to know of a job that asks a model, which it calls ``name``: one behind an API loads nothing."""
    return {} if served.hosted else {"imports": TORCH, "holds": f"{served.endpoint} {name}"}


def execute(name: str, log_file: str, arguments: Mapping[str, Any]) -> str:
    """Call ``module:function`` with its log in ``log_file``; return what went wrong in a line, or ''."""
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    library = logging.getLogger(__package__)
    library.handlers, library.level, library.propagate = [handler], logging.INFO, False
    module, function = name.split(":")
    started, cpu = time.monotonic(), time.process_time()
    try:
        getattr(importlib.import_module(module), function)(**arguments)
    except ClusterError as error:
        library.error("%s", error)
        if isinstance(error, BudgetError):
            _begin_nothing_more()
        return str(error)
    except Exception as error:
        library.exception("unexpected failure in %s", name)
        return f"unexpected {type(error).__name__}: {error}"
    else:
        library.info("done in %.1f s, %.2f s of CPU", time.monotonic() - started, time.process_time() - cpu)
        return ""
    finally:
        handler.close()


def _begin_nothing_more() -> None:
    """Ask Snakemake to end when the jobs that run now have ended: with ``keep-going`` it would begin all others."""
    if os.environ.get(MAIN_PROCESS):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(os.environ[MAIN_PROCESS]), signal.SIGTERM)


def end_with(process: str | None, leave: Callable[[], None] = lambda: None) -> None:
    """End this process, after calling ``leave``, as soon as process id ``process`` is gone; None: nothing to watch."""
    if process:
        threading.Thread(target=_watch, args=(int(process), leave), daemon=True).start()


def _watch(process: int, leave: Callable[[], None]) -> None:
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(process)], [], [])
    else:
        while is_alive(process):
            time.sleep(0.5)
    leave()
    ending.end()


def is_alive(process: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
