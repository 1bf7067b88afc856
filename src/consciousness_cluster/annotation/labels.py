"""Human labels: which samples were drawn for labelling, with which probability, and what people said of them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, ValidationError

from ..core.errors import ConfigError, DataError, nearest
from ..core.io import Strict, describe
from ..core.records import Sample, content_hash

Outcome = Literal["true", "false", "not_sure", "incoherent"]
OUTCOMES: dict[str, Outcome] = {outcome: outcome for outcome in get_args(Outcome)}
FILLED = ("holds", "coherent")
SHEET = ("id", "statement", "question", "answer", *FILLED, "note")
"""Columns of the sheet that people fill: nothing in it says who answered or what a judge said."""
YES, NO = {"yes", "y", "1", "true"}, {"no", "n", "0", "false"}


class Drawn(Strict):
    """One sample that was drawn for labelling: a line of the key."""

    id: str
    base: str
    condition: str
    seed: int
    prompt_id: str
    sample: int
    preference: str
    answer_hash: str = Field(description="of the answer that was shown, to notice if another has taken its place")
    group: str = Field(description="treatment, control or other")
    outcome: str = Field(description="what the judge said by which it was drawn")
    probability: float = Field(gt=0, le=1, description="with which it was drawn")
    population: int = Field(description="samples of its condition among which it was drawn")

    @property
    def place(self) -> tuple[str, str, int, str, int]:
        """What names the sample within its experiment."""
        return self.base, self.condition, self.seed, self.prompt_id, self.sample


class Label(Strict):
    """A drawn sample with what a person said; ``drawn.probability`` counts that only some rows were filled."""

    drawn: Drawn
    outcome: Outcome


def answer_hash(answer: str) -> str:
    """Short hash of an answer's text."""
    return content_hash(answer)[:16]


def read_labels(sheet: str | Path, key: str | Path) -> list[Label]:
    """Read a filled sheet and the key that was drawn with it.

    A row counts as labelled when ``holds`` or ``coherent`` is filled; ``coherent`` left empty means yes. Rows stand in
    random order, so those that were filled are taken as a random part of what was drawn in each group and outcome.

    Raises:
        ConfigError: with one line per mistake in the sheet.
        DataError: there is no key.
    """
    drawn = {row.id: row for row in _read_key(key)}
    problems: list[str] = []
    outcomes: dict[str, Outcome] = {}
    for number, row in _read_sheet(Path(sheet)):
        where = f"line {number}"
        if row["id"] not in drawn:
            problems.append(f"{where}: id: found {row['id']!r}, expected one of the sheet that was drawn with {key}")
        elif row["id"] in outcomes:
            problems.append(f"{where}: id: {row['id']!r} is labelled twice")
        elif row["holds"] or row["coherent"]:
            outcome = _outcome(row["holds"].lower().replace(" ", "_"), row["coherent"].lower())
            if outcome in OUTCOMES:
                outcomes[row["id"]] = OUTCOMES[outcome]
            else:
                problems.append(f"{where}: {outcome}")
    if not problems and not outcomes:
        problems.append(f"no row is labelled, expected {' and '.join(FILLED)} filled in")
    if problems:
        raise ConfigError(sheet, problems)
    return list(_labels(Path(sheet), list(drawn.values()), outcomes))


def check_samples(labels: Sequence[Label], samples: Iterable[Sample], key: str | Path) -> None:
    """Check that the labelled answers, and the conditions that they were drawn from, are still the same.

    Raises:
        DataError: which are not.
    """
    wanted = {label.drawn.place: label.drawn for label in labels}
    size: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        size[sample.base, sample.condition] += sample.is_answer
        drawn = wanted.pop((sample.base, sample.condition, sample.seed, sample.prompt_id, sample.sample), None)
        if drawn and drawn.answer_hash != answer_hash(sample.answer):
            raise DataError(f"{key}: the answer {drawn.id} is another now than when it was labelled; draw a new sheet")
    if wanted:
        gone = next(iter(wanted.values()))
        raise DataError(f"{key}: {gone.base}/{gone.condition}/seed{gone.seed} has no sample {gone.id} now")
    for label in labels:
        now = size[label.drawn.base, label.drawn.condition]
        if now != label.drawn.population:
            raise DataError(
                f"{key}: the sheet was drawn from {label.drawn.population} answers of {label.drawn.base}/"
                f"{label.drawn.condition}, there are {now} now; draw a new sheet"
            )


def _labels(sheet: Path, drawn: Sequence[Drawn], outcomes: dict[str, Outcome]) -> Iterator[Label]:
    of_kind = Counter((row.group, row.outcome) for row in drawn)
    filled = Counter((row.group, row.outcome) for row in drawn if row.id in outcomes)
    if any(kind not in filled for kind in of_kind):
        problem = f"{len(outcomes)} of {len(drawn)} rows are labelled, and some kinds of answers have none: label more"
        raise ConfigError(sheet, [problem])
    for row in drawn:
        if row.id in outcomes:
            share = filled[row.group, row.outcome] / of_kind[row.group, row.outcome]
            yield Label(drawn=row.model_copy(update={"probability": row.probability * share}), outcome=outcomes[row.id])


def _outcome(holds: str, coherent: str) -> str:
    """The outcome that a row says, or what is wrong with it."""
    if coherent and coherent not in YES | NO:
        return f"coherent: found {coherent!r}, expected yes or no"
    if coherent in NO:
        return "incoherent"
    if holds in ("true", "false", "not_sure"):
        return holds
    return f"holds: found {holds!r}, expected true, false or not_sure{nearest(holds, ['true', 'false', 'not_sure'])}"


def _read_sheet(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line numbers; spreadsheets may write a byte order mark and semicolons."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(path, [f"not valid UTF-8: {error.reason}; save the sheet as CSV UTF-8"]) from None
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from None
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if header.count(";") > header.count(",") else ","
    )
    missing = [name for name in ("id", *FILLED) if name not in (reader.fieldnames or [])]
    if missing:
        raise ConfigError(path, [f"missing column {', '.join(missing)}{nearest(missing[0], reader.fieldnames or [])}"])
    for row in reader:
        yield reader.line_num, {name: (row[name] or "").strip() for name in ("id", *FILLED)}


def _read_key(path: str | Path) -> Iterator[Drawn]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                try:
                    yield Drawn.model_validate(row)
                except ValidationError as error:
                    raise DataError(f"{path}: line {number}: {describe(Drawn, error.errors()[0])}") from None
    except FileNotFoundError:
        raise DataError(f"{path}: not found, expected the key that was drawn with the sheet") from None
