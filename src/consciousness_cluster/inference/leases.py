"""Which requests of a model are being asked right now, so that jobs side by side never ask, and pay for, the same."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..core.locks import Lease, is_held, locked
from .requests import Request


class RequestLeases:
    """Leases on requests of one model, one file per process that asks; it holds while that process lives.

    Args:
        folder: they lie here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def claimed(self, requests: Sequence[Request]) -> Iterator[list[Request]]:
        """Those of ``requests`` that no other process asks: they are this one's until the context ends."""
        lease = Lease(self.folder / f"{uuid.uuid4().hex}.json")
        with locked(self.folder / ".lock"):
            taken = self._taken()
            mine = [request for request in requests if request.key not in taken]
            lease.path.write_text(json.dumps([request.key for request in mine]), encoding="utf-8")
            lease.take()
        try:
            yield mine
        finally:
            lease.release(forget=True)

    def _taken(self) -> set[str]:
        taken: set[str] = set()
        for path in self.folder.glob("*.json"):
            if is_held(path):
                with suppress(FileNotFoundError):  # its process has just released it
                    taken.update(json.loads(path.read_text(encoding="utf-8")))
        return taken
