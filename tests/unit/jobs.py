"""Functions that the tests of `running` and `worker` run as jobs."""

import os
import sys
import time
from pathlib import Path

from consciousness_cluster.errors import DataError


def report(output: str, value: int) -> None:
    """Write what the job sees: its value, whether the slow module is imported, and its parent process."""
    Path(output).write_text(f"{value} {'fractions' in sys.modules} {os.getppid()}")


def refuse(message: str) -> None:
    raise DataError(message)


def crash() -> None:
    raise RuntimeError("a defect")


def vanish() -> None:
    os._exit(3)


def linger(output: str) -> None:
    Path(output).write_text(str(os.getpid()))
    time.sleep(60)
