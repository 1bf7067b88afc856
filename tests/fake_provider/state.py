"""What the fake remembers: objects, file contents, settings, and the ledger of everything that was paid for.

Every change is appended to a journal before it is answered, so a server that is killed and started again on the same
folder goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

DEFAULTS: dict[str, Any] = {
    "keys": ["sk-fake"],
    "models": [],  # further model ids, e.g. tinker:// paths
    "retired": [],  # ids that are not found any more
    "latency": 0.0,  # seconds before every generated answer
    "max_in_flight": None,  # more requests at once get a 429
    "refusal_rate": 0.0,
    "content_filter_rate": 0.0,
    "job_polls": 4,  # a job ends when it was looked at this many times ...
    "job_seconds": None,  # ... or, if given, after this time
    "job_fails": None,  # words with which every running job fails
    "finetuning_closed": False,
    "refused_files": None,  # regular expression: a training file that holds it is refused by moderation
    "batch_polls": 3,
    "batch_seconds": None,
    "batch_expires_after": None,  # share of the rows that a batch answers before it expires
    "batch_failed_rows": 0.0,  # share of the rows that fail
}


def digest(*parts: Any) -> str:
    """SHA-256 of JSON-able parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class State:
    """Everything that survives a restart.

    Args:
        folder: ``journal.jsonl``, ``ledger.jsonl`` and ``contents/`` lie here.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        (self.folder / "contents").mkdir(parents=True, exist_ok=True)
        self.objects: dict[str, dict[str, dict]] = {}
        self.ledger: list[dict] = []
        self.asked: Counter[str] = Counter()
        self.in_flight = self.peak = self.answered = 0
        for row in self._read("journal.jsonl"):
            self.objects.setdefault(row["kind"], {})[row["object"]["id"]] = row["object"]
        for row in self._read("ledger.jsonl"):
            self._count(row)
        self._journal = open(self.folder / "journal.jsonl", "ab")  # noqa: SIM115  (held until the server ends)
        self._ledger = open(self.folder / "ledger.jsonl", "ab")  # noqa: SIM115

    def close(self) -> None:
        """Let go of the files."""
        self._journal.close()
        self._ledger.close()

    def _read(self, name: str) -> list[dict]:
        path = self.folder / name
        if not path.exists():
            return []
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:  # the server was killed while it wrote
            os.truncate(path, len(whole))
        return [json.loads(line) for line in whole.splitlines()]

    def _count(self, row: dict) -> None:
        self.ledger.append(row)
        self.asked[row["request"]] += 1

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, with their defaults."""
        return DEFAULTS | self.objects.get("settings", {}).get("settings", {})

    def set(self, changes: dict[str, Any]) -> None:
        """Change settings; raises KeyError for one that is not there."""
        for name in changes:
            DEFAULTS[name]
        self.put("settings", self.objects.get("settings", {}).get("settings", {}) | changes | {"id": "settings"})

    def get(self, kind: str, name: str) -> dict | None:
        """One object, or None."""
        return self.objects.get(kind, {}).get(name)

    def all(self, kind: str) -> list[dict]:
        """All objects of a kind, oldest first."""
        return list(self.objects.get(kind, {}).values())

    def put(self, kind: str, item: dict) -> dict:
        """Remember an object under its id."""
        self.objects.setdefault(kind, {})[item["id"]] = item
        self._journal.write(json.dumps({"kind": kind, "object": item}).encode() + b"\n")
        self._journal.flush()
        return item

    def new_id(self, kind: str, prefix: str, *content: Any) -> str:
        """An id that follows from the content and how often the same was made before: the same in every run."""
        number = 0
        while self.get(kind, name := prefix + digest(kind, number, *content)[:24]):
            number += 1
        return name

    def pay(self, kind: str, model: str, asked: Any, **details: Any) -> dict:
        """Enter one paid request; ``nth`` says how often the same was paid for before."""
        request = digest(model, asked)
        row = {"number": len(self.ledger), "time": time.time(), "kind": kind, "model": model, "request": request}
        row |= {"nth": self.asked[request], "asked": asked} | details
        self._count(row)
        self._ledger.write(json.dumps(row).encode() + b"\n")
        self._ledger.flush()
        return row

    def write(self, name: str, content: bytes) -> None:
        """Keep the content of a file."""
        (self.folder / "contents" / name).write_bytes(content)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return (self.folder / "contents" / name).read_bytes()
