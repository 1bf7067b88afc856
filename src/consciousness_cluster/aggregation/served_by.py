"""What providers say gave the answers of each target and of each judge: a change within one is seen in a table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence

from ..core.io import read_rows, write_text
from ..core.records import Sample, ServedBy, Verdict

COLUMNS = {
    "base": "base model",
    "condition": "what was done to the base",
    "seed": "training seed",
    "answered": "`target`, or the name of the judge",
    "model": "the model that the provider names; empty where it names none",
    "system_fingerprint": "the provider's name for what runs the model; likewise",
    "provider": "who answered behind a router; likewise",
    "answers": "answers of the target, or readings of the judge",
    "changed": "whether the provider names different ones for this target, or for this judge's readings of it",
}
"""Columns of the table and what they mean."""


def list_served(samples: Sequence[str], verdicts: Sequence[str], output: str) -> None:
    """Write a CSV with the columns `COLUMNS`.

    Args:
        samples: files of hosted targets' `Sample`, one target each.
        verdicts: files of hosted judges' `Verdict`, one judge and target each.
        output: the CSV file.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for file in samples:
        rows = read_rows(Sample, file)
        who = [(row.base, row.condition, row.seed, "target") for row in rows[:1]]
        served = Counter(_words(row.served_by or ServedBy()) for row in rows if row.is_answer or row.served_by)
        writer.writerows(_lines(who, served))
    for file in verdicts:
        verdict_rows = read_rows(Verdict, file)
        who = [(row.base, row.condition, row.seed, row.judge) for row in verdict_rows[:1]]
        asked = [row for row in verdict_rows if row.holds != "no_answer"]
        served = Counter(_words(by) for row in asked for by in row.served_by or [ServedBy()])
        writer.writerows(_lines(who, served))
    write_text(output, table.getvalue())


def _words(served: ServedBy) -> tuple[str, str, str]:
    return served.model, served.system_fingerprint, served.provider


def _lines(
    who: list[tuple[str, str, int, str]], served: Counter[tuple[str, str, str]]
) -> list[tuple[str | int | bool, ...]]:
    named = [words for words in served if any(words)]
    return [(*who[0], *words, number, len(named) > 1) for words, number in served.most_common()]
