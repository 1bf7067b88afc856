"""Runs one function of the library as a job: its log, and its failure in one readable line."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import BudgetError, ClusterError

MAIN_PROCESS = "CONSCIOUSNESS_CLUSTER_MAIN_PROCESS"  # id of the Snakemake process, set by the Snakefile

log = logging.getLogger(__name__)


def execute(name: str, log_file: str, arguments: Mapping[str, Any]) -> str:
    """Call ``module:function`` with its log in ``log_file``; return what went wrong in a line, or ''."""
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    library = logging.getLogger(__name__.split(".")[0])
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
