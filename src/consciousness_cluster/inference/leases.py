"""Which requests of a model are being asked right now, so that jobs side by side never ask, and pay for, the same."""

from __future__ import annotations

import fcntl
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..core.locks import locked
from .requests import Request


class Claims:
    """Claims on requests of one model, one file per process that asks; it holds while that process lives.

    Args:
        folder: they lie here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def claimed(self, requests: Sequence[Request]) -> Iterator[list[Request]]:
        """Those of ``requests`` that no other process asks: they are this one's until the context ends."""
        name = self.folder / uuid.uuid4().hex
        with locked(self.folder / ".lock"):
            taken = self._taken()
            mine = [request for request in requests if request.key not in taken]
            # open until the end: the lock says that this process lives
            file = open(name, "w", encoding="utf-8")  # noqa: SIM115
            fcntl.flock(file, fcntl.LOCK_EX)
            json.dump([request.key for request in mine], file)
            file.flush()
        try:
            yield mine
        finally:
            name.unlink(missing_ok=True)
            file.close()

    def _taken(self) -> set[str]:
        taken: set[str] = set()
        for path in self.folder.iterdir():
            if path.name == ".lock":
                continue
            with suppress(FileNotFoundError), open(path, "r+", encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink(missing_ok=True)  # its process is gone
                except BlockingIOError:
                    taken.update(json.load(file))
        return taken
