"""Runs a program that must not outlive the process that started it: `python -m ...core.watchdog FOLDER PROGRAM ...`.

It stands between the two, in a session of its own, and holds the read end of a pipe on its standard input. That end
closes when its parent lets go or is gone, also by a `kill -9` that leaves the parent no chance to say so. It then ends
the program and all that the program started, and removes FOLDER, the program's working directory. Should the watchdog
itself be killed, Linux ends the program.

Nothing but the standard library is imported: it starts in a few hundredths of a second and needs little memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE = 10.0
"""Seconds that the program has to end by itself after a SIGTERM."""

QUIET = 2.0
"""Seconds that its children have after that: those that give shared memory back are the last to end."""

LOOK = 0.1
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(folder: str, command: list[str]) -> int:
    """Run ``command`` in ``folder`` until it ends or standard input closes; returns its exit status."""
    wanted: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: wanted.append(number))
    _control(PR_SET_CHILD_SUBREAPER, 1)  # whoever loses its parent below us becomes our child, and is found
    program = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, process_group=0, preexec_fn=_end_with_us)
    try:
        while program.poll() is None and not wanted and not select.select([sys.stdin], [], [], LOOK)[0]:
            pass
        with contextlib.suppress(ProcessLookupError):
            program.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(GRACE)
        _end_all(program.pid)
        return program.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_all(group: int) -> None:
    """End the program's process group and every descendant of this process; returns when none is left."""
    deadline = time.monotonic() + QUIET
    while left := descendants(os.getpid()):
        if time.monotonic() > deadline:
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(LOOK / 2)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)  # where there is no /proc


def descendants(process: int) -> list[int]:
    """Ids of all processes below ``process``, as far as /proc tells; those that ended and wait for their parent too."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    found, waiting = [], [process]
    while waiting:
        parent = waiting.pop()
        children = [child for child, its_parent in parents.items() if its_parent == parent]
        found += children
        waiting += children
    return found


def _end_with_us() -> None:
    _control(PR_SET_PDEATHSIG, signal.SIGKILL)


def _control(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
