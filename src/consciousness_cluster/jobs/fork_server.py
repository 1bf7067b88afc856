"""One fork server per Snakemake run: it imports slow modules once and forks a child for each job.

The first job that wants it starts it; it ends with the Snakemake process, or after a minute without a job. A job stays
a job of Snakemake: its script waits for the child, and child and script end together, however one of them ends. Jobs
that load a base go to children that keep it for the next one (see `pool`).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, NoReturn

from ..core.errors import ClusterError
from ..core.io import write_text
from ..core.locks import locked
from ..core.shutdown import end_with, is_alive
from .pool import Job, WorkerPool, ends_with
from .process import MAIN_PROCESS, execute

IDLE_SECONDS = 60.0
START_SECONDS = 30.0


def ask(
    address: str, imports: Sequence[str], name: str, log_file: str, arguments: Mapping[str, Any], loads: str = ""
) -> str:
    """Run ``module:function`` in a child of the fork server, starting that if it is not there.

    Args:
        address: path of a Unix socket; its name begins with the id of the Snakemake process and a dot.
        imports: modules that the fork server imports before it forks the job.
        name: ``module:function``.
        log_file: where the job's log goes.
        arguments: picklable keyword arguments.
        loads: names the base that the job loads: jobs of the same name that follow each other share the load.

    Returns:
        What went wrong in a line, or ''.
    """
    if loads:
        _release_others(address)
    with _connect(address) as connection:
        connection.send((list(imports), loads, (name, os.getcwd(), log_file, dict(arguments))))
        try:
            return connection.recv()
        except EOFError:
            return f"the process that ran {name} ended without an answer (killed, or out of memory?)"


def _release_others(address: str) -> None:
    """Let fork servers of this run with another interpreter end children that keep a GPU from this job."""
    mine = Path(address)
    for other in mine.parent.glob(f"{mine.name.split('.')[0]}.*"):
        if other != mine and other.is_socket():
            with contextlib.suppress(OSError, EOFError), _open(str(other)) as connection:
                connection.send(None)
                connection.recv()


def _connect(address: str) -> Connection:
    with locked(Path(f"{address}.lock")):
        try:
            return _open(address)
        except (FileNotFoundError, ConnectionRefusedError):
            Path(address).unlink(missing_ok=True)
            _start(address)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return _open(address)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise ClusterError(f"the fork server did not start: see {address}.log") from None
                time.sleep(0.02)


def _open(address: str) -> Connection:
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(address)
    except OSError:
        client.close()
        raise
    return Connection(client.detach())


def _start(address: str) -> None:
    for left in Path(address).parent.iterdir():
        if left.name.split(".")[0].isdecimal() and not is_alive(int(left.name.split(".")[0])):
            left.unlink(missing_ok=True)
    # its own log: a job's streams would stay open for readers after the job has ended
    with open(f"{address}.log", "w", encoding="utf-8") as log:
        _spawn(address, log)


def _spawn(address: str, log: IO[str]) -> None:
    subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.fork_server", address],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def serve(address: str) -> None:
    """Accept jobs on the Unix socket ``address`` until idle for `IDLE_SECONDS`."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen(128)
        children: set[int] = set()
        pool = WorkerPool()
        idle_since = time.monotonic()

        def close() -> None:
            server.close()
            pool.close()

        while time.monotonic() - idle_since < IDLE_SECONDS:
            children = {child for child in children if is_alive(child)}
            if children or pool.busy:
                idle_since = time.monotonic()
            ready = select.select([server, *pool.connections], [], [], 1.0)[0]
            for connection in [each for each in pool.connections if each in ready]:
                pool.hear(connection)
            pool.end_idle()
            if server not in ready:
                continue
            client, _ = server.accept()
            with Connection(client.detach()) as connection:
                try:
                    asked = connection.recv()
                except (EOFError, ConnectionResetError):
                    continue
                if asked is None:
                    pool.release()
                    connection.send("")
                    continue
                imports, loads, job = asked
                if problem := _import(imports, job):
                    connection.send(problem)
                elif loads:
                    pool.run(loads, connection, job, close)
                else:
                    children.add(_fork(connection, job, close))
            idle_since = time.monotonic()
    Path(address).unlink(missing_ok=True)


def _import(modules: Sequence[str], job: Job) -> str:
    """Import what a job needs; say in a line what went wrong, or '', and why in the job's log."""
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            _, folder, log_file, _ = job
            write_text(Path(folder) / log_file, traceback.format_exc())
            return f"cannot import {module}: {type(error).__name__}: {error}"
    return ""


def _fork(connection: Connection, job: Job, close: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        close()
        _work(connection, *job)
    return child


def _work(connection: Connection, name: str, folder: str, log_file: str, arguments: Mapping[str, Any]) -> NoReturn:
    """The child: run the job, answer, end. It never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    end_with(os.environ.get(MAIN_PROCESS))
    problem = "failed before it began"
    try:
        with ends_with(connection, lambda: os._exit(1)):
            os.chdir(folder)
            problem = execute(name, log_file, arguments)
    finally:
        connection.send(problem)
        os._exit(0)


if __name__ == "__main__":
    socket_file = Path(sys.argv[1])
    end_with(os.environ.get(MAIN_PROCESS), leave=lambda: socket_file.unlink(missing_ok=True))
    serve(sys.argv[1])
