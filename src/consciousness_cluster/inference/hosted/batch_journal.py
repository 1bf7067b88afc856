"""What was handed in as a batch, written beside the store before that happens: a kill at any point finds it again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import Field

from ...core.io import Strict, load_json, write_text
from ...core.records import content_hash
from ..requests import Request


class JournalEntry(Strict):
    """One batch and all that was asked in it."""

    tag: str = Field(description="hash of the request keys, and how often the same were handed in before")
    created: float = Field(description="Unix time, just before it was handed in")
    batch: str | None = Field(default=None, description="the provider's id; null: nobody knows yet whether it arrived")
    requests: list[Request]
    seen: list[str] = Field(
        default=[], description="ids of batches that look like this one and were there before it was handed in"
    )
    presumed: bool = Field(
        default=False,
        description="whether that id was found by elimination alone, until its results tell",
    )


class BatchJournal:
    """The notes of one model's batches.

    Args:
        folder: they lie here, one file each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[tuple[Path, int], str | None] = {}  # by file and when it was written: they are large

    def about(self, keys: set[str]) -> list[JournalEntry]:
        """Batches under way that ask any of these requests, oldest first."""
        notes = [load_json(JournalEntry, path) for path in self.folder.glob("*.json")]
        wanted = [note for note in notes if not keys.isdisjoint(request.key for request in note.requests)]
        return sorted(wanted, key=lambda note: note.created)

    def ids(self) -> set[str]:
        """Ids of all batches under way, of every model of this store, that are certain."""
        for path in self.folder.parent.glob("*/*.json"):
            with suppress(FileNotFoundError):  # its batch has just ended
                version = (path, path.stat().st_mtime_ns)
                if version not in self._known:
                    note = json.loads(path.read_text(encoding="utf-8"))
                    self._known[version] = None if note.get("presumed") else note["batch"]
        return {batch for batch in self._known.values() if batch}

    def write(self, note: JournalEntry) -> JournalEntry:
        """Keep a note; it is on disk when this returns."""
        write_text(self.path(note), note.model_dump_json() + "\n")
        return note

    def new(self, requests: Iterable[Request], times: int) -> JournalEntry:
        """A note of a batch that is about to be handed in, for the ``times``-th time after the first."""
        requests = list(requests)
        tag = content_hash(sorted(request.key for request in requests))[:40]
        return JournalEntry(tag=f"{tag}-{times}", created=time.time(), requests=requests)

    def path(self, note: JournalEntry) -> Path:
        """Where a note lies."""
        return self.folder / f"{note.tag}.json"

    def drop(self, note: JournalEntry) -> None:
        """Forget a batch whose results are in the store."""
        self.path(note).unlink(missing_ok=True)
