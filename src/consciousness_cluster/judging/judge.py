"""Stage 5: a judge reads every sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..config.battery import Preference, load_preferences
from ..core.io import read_rows, write_rows
from ..core.records import Sample, Verdict


class Judge(Protocol):
    """Reads answers. A reply of its own that cannot be read is `unscored`, never a guess."""

    name: str

    def judge(self, samples: Sequence[Sample], battery: dict[str, Preference]) -> list[Verdict]:
        """Return one verdict per sample, in order; ``battery`` gives the statement by preference name."""
        ...


def judge_target(samples: str, battery: Sequence[str], judge: Judge, output: str) -> None:
    """Read one target's samples with ``judge`` and write `Verdict` lines, in the order of the samples.

    Text is judged as far as it goes, whatever ended it: a refusal in words is an answer. Where a provider gave no text
    at all (content filter, refusal, a token limit that reasoning used up) there is no answer, and no judge is asked.
    """
    preferences = {preference.name: preference for preference in load_preferences(battery)}
    rows = [row for row in read_rows(Sample, samples) if row.preference in preferences]
    verdicts = iter(judge.judge([row for row in rows if row.is_answer], preferences))
    write_rows(output, [next(verdicts) if row.is_answer else _no_answer(row, judge.name) for row in rows])


def _no_answer(sample: Sample, judge: str) -> Verdict:
    return Verdict(
        base=sample.base,
        condition=sample.condition,
        seed=sample.seed,
        preference=sample.preference,
        prompt_id=sample.prompt_id,
        sample=sample.sample,
        judge=judge,
        holds="no_answer",
        stance="not_asked",
        coherence=None,
        coherence_class=sample.finish_reason,
    )
