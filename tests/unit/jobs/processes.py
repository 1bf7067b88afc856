"""Processes of the tests: where they find the library, and how a test waits for one."""

import os
import time
from pathlib import Path

PATHS = os.pathsep.join(str(Path(__file__).parents[n] / folder) for n, folder in ((3, "src"), (2, "")))


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{process}/stat").read_text().split()[2] == "Z"
