"""The content-addressed file of every answer ever received; nothing in it is asked for twice.

One append-only JSONL shard per model. A row is written in one call and flushed to disk, so a killed process loses at
most the answers in flight; a torn last line is ignored by readers and cut off by the next writer.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from ..core.errors import DataError
from ..core.io import Strict, cut_torn_line
from ..core.locks import locked
from ..core.records import content_hash
from .requests import Request, Response


class Entry(Strict):
    """One stored answer with all that was asked."""

    key: str
    request: Request
    response: Response


def shard(folder: str | Path, model: str) -> Path:
    """The file that keeps the answers of ``model``; a model's id may hold what no file name can."""
    readable = "".join(c if c.isalnum() or c in "-_." else "_" for c in model)
    name = readable if readable == model and len(model) <= 64 else f"{readable[:48]}-{content_hash(model)[:12]}"
    return Path(folder) / f"{name}.jsonl"


@cache
def open_store(folder: str, model: str) -> Store:
    """The store of one model, read once per process: `complete` reads what was added since."""
    return Store(folder, model)


class Store:
    """The answers of one model, kept in ``<folder>/<model>.jsonl``.

    Args:
        folder: the store's folder, shared by all experiments.
        model: the model's identity (`Request.model`).
    """

    def __init__(self, folder: str | Path, model: str) -> None:
        self.model, self.path = model, shard(folder, model)
        self._responses: dict[str, Response] = {}
        self._requests: list[Request] = []
        self._position = 0
        self.refresh()

    def refresh(self) -> None:
        """Read what was appended since the last look, by this process or another."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                self._remember(self._parse(line))

    def _parse(self, line: bytes) -> Entry:
        try:
            return Entry.model_validate_json(line)
        except ValidationError as error:
            raise DataError(
                f"{self.path}: the row that ends at byte {self._position} cannot be read ({error.errors()[0]['msg']});"
                " delete that line: its answer is then asked for again"
            ) from None

    def _remember(self, entry: Entry) -> None:
        self._responses[entry.key] = entry.response
        self._requests.append(entry.request)

    def get(self, request: Request) -> Response | None:
        """The stored answer, or None."""
        return self._responses.get(request.key)

    def __len__(self) -> int:
        return len(self._responses)

    def append(self, answers: Iterable[tuple[Request, Response]]) -> None:
        """Write answers to disk; returns when they are there. Safe against other writers of the same shard."""
        entries = [Entry(key=request.key, request=request, response=response) for request, response in answers]
        if not entries:
            return
        lines = "".join(entry.model_dump_json() + "\n" for entry in entries).encode()
        with locked(self.path.with_suffix(".lock")), open(self.path, "ab+") as file:
            cut_torn_line(file)
            known = file.seek(0, os.SEEK_END) == self._position
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
            if known:  # nothing by others in between: no need to read it again
                self._position = file.tell()
        for entry in entries:
            self._remember(entry)

    def explain(self, requests: Sequence[Request]) -> list[str]:
        """Say why these requests are not in the store, in a few lines: what is near and what differs.

        For each miss the reason is the smallest difference to any stored row of this model.
        """
        if not self._requests:
            return [f"{len(requests)} because nothing was ever asked of model {self.model}"]
        asked: dict[str, list[Request]] = {}
        for stored in self._requests:
            asked.setdefault(_messages_key(stored), []).append(stored)
        reasons: Counter[str] = Counter()
        for request in requests:
            same_messages = asked.get(_messages_key(request), [])
            if not same_messages:
                reasons["the messages were never asked of this model"] += 1
            elif same_sampling := [s for s in same_messages if s.sampling == request.sampling]:
                highest = max(s.sample for s in same_sampling)
                reasons[f"this sample number was never drawn (stored: up to {highest})"] += 1
            else:
                reasons[_sampling_difference(same_messages[-1], request)] += 1
        return [f"{count} because {reason}" for reason, count in reasons.most_common()]


def _messages_key(request: Request) -> str:
    return json.dumps([m.model_dump() for m in request.messages])


def _sampling_difference(stored: Request, request: Request) -> str:
    old, new = stored.sampling.model_dump(), request.sampling.model_dump()
    changes = [f"{name} is {new[name]}, stored with {old[name]}" for name in new if old[name] != new[name]]
    return "; ".join(changes)
