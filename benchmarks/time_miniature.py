"""Time what a newcomer waits for: the first `make`, the second, and a dry run.

Run it on a quiet machine from the project's folder: ``.venv/bin/python benchmarks/time_miniature.py``. It works in a
fresh clone in a temporary folder, with the present environment, and prints one line per figure.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def timed(name: str, command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run ``command`` and print its wall time; end if it fails."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    print(f"{name:32} {seconds:7.1f} s", flush=True)


def main() -> None:
    """Clone, link the environment, and time each command."""
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load before {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        (clone / ".venv").symlink_to(ROOT / ".venv")
        (ROOT / ".venv" / "installed").touch()  # newer than the clone's lock
        environment = os.environ | {"PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"}
        timed("snakemake -n, nothing built", ["snakemake", "-n", "--quiet"], clone, environment)
        timed("make, packages installed", ["make"], clone, environment)
        timed("make again", ["make"], clone, environment)
        timed("snakemake -n, all built", ["snakemake", "-n", "--quiet"], clone, environment)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{'largest process':32} {largest:7.0f} MiB")


if __name__ == "__main__":
    main()
