"""What every job of an experiment asked for and paid: one append-only file, read and written by many processes.

It lies outside the experiment's results, so that deleting those forgets nothing that was paid. An amount is *reserved*
before it can be spent and given back as answers arrive; what a killed job had reserved is found by the lock that it
held, and counted as spent as far as its requests can have been in flight.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from ..core.errors import DataError
from ..core.io import Strict, cut_torn_line
from ..core.locks import Lease, is_held, locked

FOLDER = "results/ledger"


class Line(Strict):
    """One event. ``usd`` is None where the price is not known."""

    job: str
    kind: Literal["job", "reserve", "answers", "training", "release", "lost", "broken"]
    time: float = 0.0
    stage: str = ""
    target: str = ""
    asked: str = Field(default="", description="name of the base or judge that is asked")
    model: str = Field(default="", description="its identity in the store")
    batch: bool = False
    in_flight: int = Field(
        default=0, description="most requests in flight at once; 0: all (a batch), found again after a kill"
    )
    requests: int = Field(default=0, description="job: needed; reserve: that may now be asked; answers: received")
    stored: int = Field(default=0, description="of the needed ones, those that the store had")
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    estimated: int = Field(default=0, description="answers: of these, those whose tokens the provider did not count")
    usd: float | None = 0.0
    reserved: float = Field(default=0.0, description="change of what is reserved, USD")


class Ledger:
    """The ledger of one experiment.

    Args:
        folder: where all ledgers lie.
        experiment: its name.
    """

    def __init__(self, folder: str | Path, experiment: str) -> None:
        self.experiment = experiment
        self.path = Path(folder) / f"{experiment}.jsonl"
        self._jobs = Path(folder) / f"{experiment}.jobs"
        self._position = 0
        self.lines: list[Line] = []
        self.spent = 0.0
        self._reserved: defaultdict[str, float] = defaultdict(float)
        self._open_requests: defaultdict[str, int] = defaultdict(int)
        self._in_flight: dict[str, int] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the ledger for this process, and know everything that is in it."""
        with locked(self.path.with_suffix(".lock")):
            self.refresh()
            yield

    def refresh(self) -> None:
        """Read what was appended since the last look."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self._position)
            for row in file:
                if not row.endswith(b"\n"):
                    break
                self._position += len(row)
                self._count(self._parse(row))

    def _parse(self, row: bytes) -> Line:
        try:
            return Line.model_validate_json(row)
        except ValidationError as error:
            begin = self._position - len(row)
            with open(self.path, "rb") as file:
                number = file.read(begin).count(b"\n") + 1
            raise DataError(
                f"{self.path}: line {number} cannot be read ({error.errors()[0]['msg']}); correct or delete it: what it"
                " says was spent or reserved is then not counted"
            ) from None

    def _count(self, line: Line) -> None:
        self.lines.append(line)
        self.spent += line.usd or 0.0
        self._reserved[line.job] += line.reserved
        if line.kind == "job":
            self._in_flight[line.job] = line.in_flight
        elif line.kind == "reserve":
            self._open_requests[line.job] += line.requests
        elif line.kind == "answers":
            self._open_requests[line.job] -= line.requests
        elif line.kind != "broken":
            self._open_requests[line.job] = 0

    def write(self, line: Line) -> None:
        """Append one line; the caller holds the lock."""
        text = line.model_copy(update={"time": round(time.time(), 3)}).model_dump_json(exclude_defaults=True)
        with open(self.path, "ab+") as file:
            cut_torn_line(file)
            file.write(text.encode() + b"\n")

    def append(self, line: Line) -> None:
        """Append one line, without a look at what others wrote."""
        with locked(self.path.with_suffix(".lock")):
            self.write(line)

    @property
    def reserved(self) -> float:
        """What all jobs have reserved."""
        return max(0.0, sum(self._reserved.values()))

    def reserved_by_others(self, job: str) -> bool:
        """Whether another job still has something reserved."""
        return any(amount > 1e-9 for other, amount in self._reserved.items() if other != job)

    def hold(self, job: str) -> Lease:
        """A lease that says that ``job`` is alive, until it is released (and forgotten) or its process ends."""
        lease = Lease(self._jobs / job)
        lease.take()
        return lease

    def catch_up(self) -> None:
        """Know everything that is there, what killed jobs may have spent included; without a ledger, nothing."""
        if self.path.exists():
            with self.locked():
                self.bury()

    def bury(self) -> None:
        """Give back what killed jobs had reserved, but for what they may have spent; the caller holds the lock.

        A killed job's answers were stored one list at a time, so at most the requests in flight can have been paid for
        without being entered here. They are entered at the most that they can have cost.
        """
        for job, amount in list(self._reserved.items()):
            if amount <= 1e-9 or is_held(self._jobs / job):
                continue
            requests, in_flight = self._open_requests[job], self._in_flight.get(job, 0)
            share = min(1.0, in_flight / requests) if requests > 0 else 0.0
            self.write(Line(job=job, kind="lost", usd=round(amount * share, 9), reserved=-amount))
        self.refresh()
