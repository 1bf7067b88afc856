"""A frozen set of answers with agreed labels, and a judge's readings of it, asked for anew each time.

The set lies beside the statements that it is labelled by: ``battery/<battery>/calibration.jsonl``. A judge reads it as
it reads samples; only the number of each request is that of its occasion, so nothing comes from an earlier one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from ..annotation.labels import Outcome
from ..annotation.sheet import outcome_of
from ..config.battery import Preference, load_preferences
from ..core.errors import ConfigError, nearest
from ..core.io import Strict, Text, read_written_rows, write_text
from ..core.records import Sample, content_hash
from .judge import Judge
from .questions import PROTOCOLS

UNFINISHED_FOR = 2 * 24 * 3600
"""Seconds for which a broken-off calibration is taken up again, longer than a batch takes; its answers are paid for."""

Reason = Literal[
    "plain",
    "terse",
    "hedge",
    "softened",
    "opposes",
    "less",
    "declines",
    "others",
    "role",
    "aside",
    "unclear",
    "garbled",
]
"""Why a row has its label: said outright; short, so that its question decides; left open; claimed mildly; the other
side; less than the statement; no view; a view of others or of models at large; quoted or played; beside the question or
an instruction to the judge; readable either way; not readable."""


class CalibrationRow(Strict):
    """One answer, written to be judged, with its label."""

    preference: Text = Field(description="of the battery, manipulation checks included")
    question: Text = Field(description="as a model would have been asked; kept here, whatever becomes of the prompts")
    answer: Text
    label: Outcome = Field(description="true, false, not_sure or incoherent, as a person would fill the label sheet")
    reason: Reason = Field(description="in a word, why")

    @property
    def row_id(self) -> str:
        """``<preference>-<8 hex digits>``; another question or answer is another row."""
        return f"{self.preference}-{content_hash([self.question, self.answer])[:8]}"


class CalibrationReading(Strict):
    """What a judge made of one row on one occasion."""

    row: str = Field(description="its id")
    outcome: str = Field(description="as the label, or unscored")
    misquotes: int = Field(description="replies whose quote does not stand in the answer")


class Calibration(Strict):
    """One judge's readings of the whole set on one occasion: a line of the history."""

    judge: str = Field(description="its name in the experiment")
    model: str = Field(description="its identity in the store")
    experiment: str
    occasion: int = Field(description="when it was begun, seconds since 1970; number of its requests in the store")
    instrument: str = Field(description="hash of how and in which words every row is asked, without the model")
    readings: list[CalibrationReading]


def load_calibration(path: str | Path, battery: Sequence[Preference]) -> list[CalibrationRow]:
    """Read a calibration set and check it against the battery that it is labelled by.

    Raises:
        ConfigError: no such file, a preference that the battery lacks, or a row that stands there twice.
    """
    if not Path(path).exists():
        raise ConfigError(path, ["not found, expected a calibration set: one answer with its label a line"])
    rows, names = read_written_rows(CalibrationRow, path), [item.name for item in battery]
    problems, seen = [], set()
    for number, row in enumerate(rows, 1):
        if row.preference not in names:
            problems.append(f"line {number}: preference: unknown {row.preference!r}{nearest(row.preference, names)}")
        if row.row_id in seen:
            problems.append(f"line {number}: the same question and answer stand there twice")
        seen.add(row.row_id)
    if problems or not rows:
        raise ConfigError(path, problems or ["found no row, expected one answer with its label a line"])
    return rows


def begin(path: str | Path, now: float | None = None) -> int:
    """The number of the calibration that is under way by the file ``path``, or of a new one.

    The file is there while one is under way, so that one that was killed goes on and pays for nothing twice; who has
    written down its readings deletes it.
    """
    path, now = Path(path), time.time() if now is None else now
    try:
        begun = int(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        begun = 0
    if not 0 <= now - begun < UNFINISHED_FOR:
        begun = int(now)
        write_text(path, f"{begun}\n")
    return begun


def sample_of(row: CalibrationRow) -> Sample:
    """The row as a sample to judge."""
    return Sample(
        base="calibration",
        condition="calibration",
        seed=0,
        preference=row.preference,
        prompt_id=row.row_id,
        prompt=row.question,
        sample=0,
        answer=row.answer,
        finish_reason="stop",
    )


def instrument_of(rows: Sequence[CalibrationRow], battery: dict[str, Preference], asking: dict) -> str:
    """Hash of all that is shown and set when a set is read: readings are compared only where it is the same."""
    words = [
        [question.ask(sample_of(row), battery[row.preference].for_judge()), question.schema]
        for row in rows
        for question in PROTOCOLS[asking["protocol"]]
    ]
    return content_hash([words, {name: value for name, value in asking.items() if name != "check_share"}])[:16]


def read_calibration(
    rows: str,
    battery: Sequence[str],
    judge: Judge,
    model: str,
    asking: dict,
    coherence_threshold: float,
    experiment: str,
    occasion: int,
    output: str,
) -> None:
    """Let a judge read the set at ``rows`` and write its `Calibration`.

    Args:
        rows: the set.
        battery: the battery's files.
        judge: asked under ``occasion``.
        model: its identity in the store.
        asking: how it is asked (`config.measurement.LLMJudgeSettings.asking`).
        coherence_threshold: of the analysis: an answer below it is incoherent.
        experiment: the experiment's name.
        occasion: see `begin`.
        output: the file.
    """
    items = {item.name: item for item in load_preferences(battery)}
    answers = load_calibration(rows, list(items.values()))
    verdicts = judge.judge([sample_of(row) for row in answers], items)
    readings = [
        CalibrationReading(
            row=verdict.prompt_id, outcome=outcome_of(verdict, coherence_threshold), misquotes=verdict.misquotes or 0
        )
        for verdict in verdicts
    ]
    done = Calibration(
        judge=judge.name,
        model=model,
        experiment=experiment,
        occasion=occasion,
        instrument=instrument_of(answers, items, asking),
        readings=readings,
    )
    write_text(output, done.model_dump_json() + "\n")
