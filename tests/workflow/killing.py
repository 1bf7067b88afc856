"""Snakemake started, and killed with -9 at a moment that a test chooses."""

import os
import signal
import subprocess
import time


def ours(project):
    """Processes that work in this project's folder."""
    found = []
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{process}/cwd") == str(project.folder):
                found.append(int(process))
        except OSError:
            continue
    return found


def start(project, log, *arguments, **environment):
    """Snakemake, started and not waited for."""
    with open(log, "w") as file:
        return subprocess.Popen(
            project.command(*arguments),
            cwd=project.folder,
            env=project.environment() | environment,
            stdout=file,
            stderr=file,
        )


def kill_when(happened, main, project, log):
    """Kill Snakemake, and wait until its jobs are gone."""
    deadline = time.monotonic() + 300
    while not happened():
        assert main.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    main.send_signal(signal.SIGKILL)
    main.wait()
    while ours(project):
        assert time.monotonic() < deadline, "jobs outlive the Snakemake that started them"
        time.sleep(0.02)
