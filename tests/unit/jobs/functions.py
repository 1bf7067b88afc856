"""Functions that the tests of `jobs` run as jobs."""

import os
import subprocess
import sys
import time
from pathlib import Path

from consciousness_cluster.core.errors import DataError
from consciousness_cluster.core.shutdown import is_alive
from consciousness_cluster.models import resident


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


def load(output: str, key: str, heavy: bool = False, seconds: float = 0, before: int = 0) -> None:
    """Hold ``key``, and write this process, how often it loaded anything, and whether process ``before`` still lives.

    Args:
        output: where to write.
        key: what to hold.
        heavy: let this process pass for one that uses a GPU.
        seconds: how long the job takes.
        before: another process.
    """
    if heavy:
        resident.HEAVY_BYTES = 0
    alive = bool(before) and is_alive(before)
    resident.hold(key, lambda: loads.append(key), lambda _: Path(f"{output}.released").touch())
    Path(f"{output}.part").write_text(f"{os.getpid()} {len(loads)} {alive}")
    os.rename(f"{output}.part", output)
    time.sleep(seconds)


loads: list[str] = []


def leave_an_engine(output: str) -> None:
    """Start a process of its own, and end without it."""
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    resident.HEAVY_BYTES = 0
    Path(output).write_text(f"{os.getpid()} {engine.pid}")


def fail_with_something_held(output: str) -> None:
    load(output, "a")
    raise DataError("no such row")


def start_an_engine(output: str) -> None:
    """Start a process of its own, as an engine does, and never end."""
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(f"{output}.part").write_text(f"{os.getpid()} {engine.pid}")
    os.rename(f"{output}.part", output)
    time.sleep(60)
