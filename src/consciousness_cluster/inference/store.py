"""The content-addressed file of every answer ever received; nothing in it is asked for twice.

One append-only JSONL shard per model. A row is written in one call and flushed to disk, so a killed process loses at
most the answers in flight; a torn last line is ignored by readers and cut off by the next writer. Memory keeps keys
and places in the file; the text of an answer is read when it is wanted.
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
from .requests import Request, Response, SamplingParameters


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
        self._places: dict[bytes, int] = {}
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
                begin, self._position = self._position, self._position + len(line)
                self._places[_digest(self._parse(line, self._position).key)] = begin

    def _parse(self, line: bytes, end: int) -> Entry:
        try:
            return Entry.model_validate_json(line)
        except ValidationError as error:
            raise DataError(
                f"{self.path}: the row that ends at byte {end} cannot be read ({error.errors()[0]['msg']});"
                " delete that line: its answer is then asked for again"
            ) from None

    def __contains__(self, request: Request) -> bool:
        return _digest(request.key) in self._places

    def get(self, request: Request) -> Response | None:
        """The stored answer, or None."""
        return self.read([request])[0]

    def read(self, requests: Sequence[Request]) -> list[Response | None]:
        """The stored answer of each request, or None.

        Raises:
            DataError: the file was changed meanwhile by something else than this class.
        """
        places = [self._places.get(_digest(request.key)) for request in requests]
        if not any(place is not None for place in places):
            return [None] * len(requests)
        if not self.path.exists():
            raise DataError(f"{self.path}: gone while it was read; start again")
        found: list[Response | None] = []
        with open(self.path, "rb") as file:
            for request, place in zip(requests, places, strict=True):
                if place is None:
                    found.append(None)
                    continue
                file.seek(place)
                line = file.readline()
                entry = self._parse(line, place + len(line))
                if entry.key != request.key:
                    raise DataError(f"{self.path}: changed while it was read (byte {place}); start again")
                found.append(entry.response)
        return found

    def __len__(self) -> int:
        return len(self._places)

    def append(self, answers: Iterable[tuple[Request, Response]]) -> None:
        """Write answers to disk; returns when they are there. Safe against other writers of the same shard."""
        entries = [Entry(key=request.key, request=request, response=response) for request, response in answers]
        if not entries:
            return
        lines = [(entry.model_dump_json() + "\n").encode() for entry in entries]
        with locked(self.path.with_suffix(".lock")), open(self.path, "ab+") as file:
            cut_torn_line(file)
            begin = file.seek(0, os.SEEK_END)
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
            if begin == self._position:  # nothing by others in between: no need to read it again
                self._position = file.tell()
        for entry, line in zip(entries, lines, strict=True):
            self._places[_digest(entry.key)] = begin
            begin += len(line)

    def explain(self, requests: Sequence[Request]) -> list[str]:
        """Say why these requests are not in the store, in a few lines: what is near and what differs.

        For each miss the reason is the smallest difference to any stored row of this model. The file is read once more.
        """
        if not self._places:
            return [f"{len(requests)} because nothing was ever asked of model {self.model}"]
        wanted = {_messages_key(request) for request in requests}
        asked: dict[str, list[tuple[SamplingParameters, int]]] = {}
        with open(self.path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                stored = Entry.model_validate_json(line).request
                if (key := _messages_key(stored)) in wanted:
                    asked.setdefault(key, []).append((stored.sampling, stored.sample))
        reasons: Counter[str] = Counter()
        for request in requests:
            same_messages = asked.get(_messages_key(request), [])
            same_sampling = [sample for sampling, sample in same_messages if sampling == request.sampling]
            if not same_messages:
                reasons["the messages were never asked of this model"] += 1
            elif same_sampling:
                reasons[f"this sample number was never drawn (stored: up to {max(same_sampling)})"] += 1
            else:
                reasons[_sampling_difference(same_messages[-1][0], request.sampling)] += 1
        return [f"{count} because {reason}" for reason, count in reasons.most_common()]


def _digest(key: str) -> bytes:
    """A key in half the memory."""
    return bytes.fromhex(key)


def _messages_key(request: Request) -> str:
    return json.dumps([m.model_dump() for m in request.messages])


def _sampling_difference(stored: SamplingParameters, wanted: SamplingParameters) -> str:
    old, new = stored.model_dump(), wanted.model_dump()
    changes = [f"{name} is {new[name]}, stored with {old[name]}" for name in new if old[name] != new[name]]
    return "; ".join(changes)
