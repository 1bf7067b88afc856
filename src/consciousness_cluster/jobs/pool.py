"""Children of the fork server that keep a base loaded and run jobs on it, one after another (see `models.resident`).

A fork cannot follow the use of a GPU, so such a child is forked before it, and then lives from job to job. It ends with
the Snakemake process, with the fork server, when its job fails or its job's script is gone, when idle for
`IDLE_SECONDS`, and, if it uses a GPU or much memory, before a job with another base starts. Whatever it started itself
ends with it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, NoReturn

from ..core.shutdown import end_with, is_alive
from ..models import resident
from .process import MAIN_PROCESS, execute

IDLE_SECONDS = 60.0
"""About as long as loading a 30B model takes: what is not wanted again by then is not worth the memory."""
END_SECONDS = 30.0

Job = tuple[str, str, str, Mapping[str, Any]]
"""``module:function``, working directory, log file, arguments."""


@dataclass
class _Worker:
    key: str
    process: int
    connection: Connection
    heavy: bool = False
    idle: bool = False
    since: float = field(default_factory=time.monotonic)


class WorkerPool:
    """The fork server's side: which children there are, and which of them takes a job."""

    def __init__(self) -> None:
        self._all: list[_Worker] = []

    @property
    def connections(self) -> list[Connection]:
        """Readable when a worker has something to say; see `hear`."""
        return [worker.connection for worker in self._all]

    @property
    def busy(self) -> bool:
        """Whether some worker runs a job."""
        return any(not worker.idle for worker in self._all)

    def hear(self, connection: Connection) -> None:
        """Take a worker's word that its job is done, or notice that it is gone."""
        worker = next((worker for worker in self._all if worker.connection is connection), None)
        if worker is None:
            return
        try:
            failed, worker.heavy = connection.recv()
        except (EOFError, OSError):
            failed = True
        worker.idle, worker.since = True, time.monotonic()
        if failed:
            self._end(worker)

    def run(self, key: str, client: Connection, job: Job, close: Callable[[], None]) -> None:
        """Let a worker of ``key`` run ``job`` and answer ``client``; forks one if none is idle.

        Args:
            key: names what the job loads.
            client: the connection to the job's script.
            job: see `Job`.
            close: called in a new child: closes what only the fork server may keep open.
        """
        self.release(but=key)
        while True:
            worker = next((w for w in self._all if w.idle and w.key == key), None) or self._fork(key, client, close)
            try:
                send_handle(worker.connection, client.fileno(), worker.process)
                worker.connection.send(job)
            except OSError:  # it was killed a moment ago
                self._end(worker)
                continue
            worker.idle = False
            return

    def release(self, but: str = "") -> None:
        """End idle workers of another key than ``but`` that would keep a GPU or memory from the next job."""
        for worker in list(self._all):
            if worker.idle and worker.heavy and worker.key != but:
                self._end(worker)

    def end_idle(self) -> None:
        """End workers that nobody asked for `IDLE_SECONDS`."""
        for worker in list(self._all):
            if worker.idle and time.monotonic() - worker.since > IDLE_SECONDS:
                self._end(worker)

    def close(self) -> None:
        """In a forked child: close the ends that belong to the fork server, so that its death is noticed."""
        for worker in self._all:
            worker.connection.close()

    def _fork(self, key: str, client: Connection, close: Callable[[], None]) -> _Worker:
        ours, theirs = Pipe()
        process = os.fork()
        if process == 0:
            close()
            ours.close()
            client.close()
            _serve(theirs)
        theirs.close()
        self._all.append(_Worker(key, process, ours))
        return self._all[-1]

    def _end(self, worker: _Worker) -> None:
        """Returns once the process is gone, and with it what it held."""
        self._all.remove(worker)
        worker.connection.close()
        deadline = time.monotonic() + END_SECONDS
        while is_alive(worker.process):
            if time.monotonic() > deadline:
                os.killpg(worker.process, signal.SIGKILL)
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.process, signal.SIGKILL)  # an engine's processes may outlive it


def _serve(server: Connection) -> NoReturn:
    """The child: run jobs until the fork server has no more. It never returns."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    end_with(os.environ.get(MAIN_PROCESS), leave=_end_group)
    resident.serving = True
    while True:
        try:
            client = Connection(recv_handle(server))
            name, folder, log_file, arguments = server.recv()
        except (EOFError, OSError):
            resident.let_go()
            os._exit(0)
        problem = "failed before it began"
        with ends_with(client, _end_group):
            try:
                os.chdir(folder)
                problem = execute(name, log_file, arguments)
            finally:
                del arguments
        resident.collect()
        # before the script has its answer: a job that follows it must find this process idle
        server.send((bool(problem), resident.is_heavy()))
        client.send(problem)
        client.close()


def _end_group() -> None:
    """End this process and all that it started."""
    os.killpg(0, signal.SIGKILL)


@contextmanager
def ends_with(client: Connection, end: Callable[[], None]) -> Iterator[None]:
    """Call ``end`` if the script at the other end of ``client`` is gone within this block.

    The script sends nothing more, so its end of the connection becomes readable only then.
    """
    finished, finish = os.pipe()

    def watch() -> None:
        if finished not in select.select([client, finished], [], [])[0]:
            end()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        os.write(finish, b".")
        watching.join()
        os.close(finished)
        os.close(finish)
