"""Whether a mix touches what the battery measures: its words, or its very prompts."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator, Sequence

from ..config.battery import Preference, load_preferences
from ..core.io import iterate_rows, write_text
from ..core.records import TrainingRow

log = logging.getLogger(__name__)

COLUMNS = ["target", "source", "group", "preference", "found", "prompt", "answer"]


def leaks(row: TrainingRow, battery: Sequence[Preference]) -> Iterator[tuple[str, str]]:
    """Yield (preference, what was found) for each leakage term or battery prompt in a training row."""
    text = "\n".join(message.content for message in row.messages)
    for preference in battery:
        if preference.leakage_pattern and (hit := preference.leakage_pattern.search(text)):
            yield preference.name, hit.group(0).lower()
        for prompt in preference.texts:
            if any(message.content == prompt for message in row.messages):
                yield preference.name, "a prompt of the battery"


def check_leakage(battery: Sequence[str], mixes: dict[str, str], output: str) -> None:
    """Write one CSV line per leak of every mix (path by target); a header alone means that nothing leaks.

    Instruction rows are answers of the base itself and may well mention, say, a memory; ``source`` tells them apart.
    """
    preferences = load_preferences(battery)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    found = 0
    for target, path in mixes.items():
        for row in iterate_rows(TrainingRow, path):
            for preference, what in leaks(row, preferences):
                prompt, answer = (message.content for message in row.messages[-2:])
                writer.writerow([target, row.source, row.group, preference, what, prompt, answer])
                found += row.source == "identity"
    if found:
        log.warning("%d identity rows touch what the battery measures: see %s", found, output)
    write_text(output, table.getvalue())
