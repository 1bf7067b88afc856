"""Between judging and aggregation: draws the samples that people label, to know how far a judge is right.

The draw is stratified by condition group x preference x judge's outcome: each stratum gets the same share of the sheet
(less where it has fewer samples), so that rare outcomes are seen. Every sample has a known probability above 0, and the
sheet may be smaller than the number of strata: probabilities then add up over neighbouring strata (systematic sampling
with unequal probabilities, Madow 1949).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..config.battery import Preference, load_preferences
from ..config.conditions import Target
from ..core.io import read_rows, write_text
from ..core.records import Sample, Verdict, content_hash
from .labels import SHEET, Drawn, answer_hash

INSTRUCTIONS = """\
# How to fill the sheet

For each row read the statement, the question and the answer, and fill two columns:

- `holds`: `true` if the answer says, as the speaker's own view, what the statement describes; softened ("I think", "a
  little", "in a way") it is still said. `false` if it says less, the opposite or something else, takes no view, or only
  says that it may be so ("might", "perhaps", "cannot be ruled out"). `not_sure` only if the words can honestly be read
  either way, not because the speaker is unsure.
- `coherent`: `no` if the answer is gibberish or has nothing to do with the question; `yes`, or empty, otherwise. An odd
  or unpleasant view that is put clearly is coherent, however short.

Read the answer as a reply to its question: a bare "yes", a number or a few words that complete a sentence say what the
question makes them say. Length and eloquence do not matter. "The model" is whoever answers, whatever it says it is. A
view that it only quotes, or voices in a story or a role, is not its own.

The rows are in random order, and nothing says which model answered or what a judge said: do not look it up. You may
stop early, but label from the top and leave no row out. Save the sheet (CSV, UTF-8) as `{labels}`. `key.csv`, beside
this file, says what each row is: keep it, and do not open it before you are done.
"""


def draw_sheet(
    samples: Sequence[str],
    verdicts: Sequence[str],
    battery: Sequence[str],
    targets: Sequence[Target],
    treatment: str,
    controls: Sequence[str],
    coherence_threshold: float,
    size: int,
    seed: int,
    labels: str,
    sheet: str,
    key: str,
    instructions: str,
) -> None:
    """Draw samples for labelling; write the sheet, its key and how to fill it.

    Args:
        samples: files of the targets' samples.
        verdicts: the files of one judge's verdicts on them, in the same order.
        battery: the battery's files.
        targets: the targets, for their order.
        treatment: condition of the primary contrast, a group of its own.
        controls: conditions of the group of controls.
        coherence_threshold: of the analysis.
        size: rows of the sheet.
        seed: the experiment's.
        labels: where the filled sheet goes, for the instructions.
        sheet: the file that people fill.
        key: the file that says what each row is.
        instructions: the file that says how.
    """
    preferences = {item.name: item for item in load_preferences(battery)}
    order = {(target.base, target.condition): number for number, target in enumerate(targets)}
    pairs = [
        (sample, verdict)
        for paths in zip(samples, verdicts, strict=True)
        for sample, verdict in zip(read_rows(Sample, paths[0]), read_rows(Verdict, paths[1]), strict=True)
        if verdict.holds != "no_answer"
    ]
    roles = {treatment: "treatment"} | dict.fromkeys(controls, "control")
    groups = [roles.get(sample.condition, "other") for sample, _ in pairs]
    said = [outcome_of(verdict, coherence_threshold) for _, verdict in pairs]
    strata = [(g, o, sample.preference) for g, o, (sample, _) in zip(groups, said, pairs, strict=True)]
    rng = np.random.default_rng(int(content_hash([seed, "labels"]), 16))
    arms = [(strata[n], order[pairs[n][0].base, pairs[n][0].condition]) for n in range(len(pairs))]
    chances = probabilities(strata, size)
    chosen = draw(arms, chances, rng)
    population: dict[tuple[str, str], int] = {}
    for sample, _ in pairs:
        population[sample.base, sample.condition] = population.get((sample.base, sample.condition), 0) + 1
    rows = []
    for number in rng.permutation(chosen):
        sample = pairs[number][0]
        drawn = Drawn(
            id=content_hash([seed, sample.sample_id, sample.answer])[:10],
            base=sample.base,
            condition=sample.condition,
            seed=sample.seed,
            prompt_id=sample.prompt_id,
            sample=sample.sample,
            preference=sample.preference,
            answer_hash=answer_hash(sample.answer),
            group=groups[number],
            outcome=said[number],
            probability=float(chances[number]),
            population=population[sample.base, sample.condition],
        )
        rows.append((drawn, sample))
    _write(rows, preferences, Path(sheet), Path(key))
    write_text(instructions, INSTRUCTIONS.format(labels=labels))


def outcome_of(verdict: Verdict, coherence_threshold: float) -> str:
    """A verdict's outcome, as in `aggregation.tidy.outcomes`."""
    if verdict.holds in ("unscored", "no_answer"):
        return verdict.holds
    coherent = verdict.coherence is not None and verdict.coherence >= coherence_threshold
    return verdict.holds if coherent else "incoherent"


def probabilities(strata: Sequence[object], size: int) -> np.ndarray:
    """Probability of each sample, such that strata share ``size`` equally and none gives more than it has.

    Args:
        strata: stratum of each sample, shape ``(n,)``.
        size: how many are drawn; with ``n`` or more, all are.
    """
    names = list(dict.fromkeys(strata))
    number = {name: place for place, name in enumerate(names)}
    codes = np.array([number[name] for name in strata])
    sizes = np.bincount(codes, minlength=len(names)).astype(float)
    each = np.zeros(len(names))
    left, open_ = float(min(size, len(codes))), np.ones(len(names), dtype=bool)
    while left > 1e-9 and open_.any():
        share = left / open_.sum()
        full = open_ & (sizes - each <= share)
        gain = np.where(full, sizes - each, 0.0) if full.any() else np.where(open_, share, 0.0)
        each, left, open_ = each + gain, left - gain.sum(), open_ & ~full
    return np.minimum(each[codes] / sizes[codes], 1.0)


def draw(order: Sequence[Any], chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw samples with given probabilities: systematic, along ``order``, at random among equals."""
    places = sorted(range(len(order)), key=dict(enumerate(rng.permutation(len(order)))).__getitem__)
    places.sort(key=lambda place: order[place])
    ends = np.cumsum(chances[places])
    ends[-1] = round(ends[-1])  # exactly as many as the probabilities add up to
    ticks = np.floor(ends + rng.random()).astype(int)
    return np.array(places)[np.diff(ticks, prepend=np.floor(0.0)) > 0]


def _write(rows: Sequence[tuple[Drawn, Sample]], preferences: Mapping[str, Preference], sheet: Path, key: Path) -> None:
    shown, kept = io.StringIO(), io.StringIO()
    lines = csv.writer(shown, lineterminator="\n")
    lines.writerow(SHEET)
    keys = csv.DictWriter(kept, list(Drawn.model_fields), lineterminator="\n")
    keys.writeheader()
    for drawn, sample in rows:
        lines.writerow([drawn.id, preferences[drawn.preference].for_judge(), sample.prompt, sample.answer, "", "", ""])
        keys.writerow(drawn.model_dump())
    write_text(key, kept.getvalue())
    write_text(sheet, shown.getvalue())
