"""Which prompts an untouched model holds already: asked before a run, when a prompt can still be rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from ..annotation.sheet import outcome_of
from ..config.battery import Key, Preference, load_preferences
from ..core.io import Strict, iterate_rows, write_text
from ..core.records import Verdict
from .text_tables import as_csv, as_text, write_json

ADVICE = """\
Read these answers before anything is trained. Where politeness, caution or the task speaks, rewrite the prompt and
raise the battery's version; where a view of the model's own speaks, keep it (battery/README.md, "Before a run")."""
SHOWN = ("base", "preference", "key", "rate", "n_used", "prompt")


class Piloted(Strict):
    """How often one untouched model holds a preference when asked one prompt."""

    base: str = Field(description="the untouched model")
    preference: str = Field(description="preference; manipulation checks are left out")
    prompt_id: str = Field(description="the prompt's id")
    key: Key = Field(description="the bare answer that holds the preference; open: neither does")
    rate: float | None = Field(description="share of used answers that hold the preference, 0-1; empty without any")
    above: bool = Field(
        description="whether the rate is above the experiment's `pilot.above`, and more than one answer is"
    )
    n_holds: int = Field(description="answers that hold it")
    n_used: int = Field(description="answers in the rate, by the experiment's rule for not_sure")
    n_left_out: int = Field(description="other answers: incoherent, unscored, without text, or not sure")
    prompt: str = Field(description="the prompt")


def pilot(
    verdicts: Iterable[Verdict],
    preferences: Sequence[Preference],
    above: float,
    coherence_threshold: float,
    not_sure: Literal["false", "excluded"],
) -> list[Piloted]:
    """Tally untouched models' answers by prompt.

    Args:
        verdicts: one judge's, of untouched targets alone.
        preferences: the battery; its manipulation checks are left out, since those should be held or not by design.
        above: rates above it are marked, 0-1; a single answer marks nothing.
        coherence_threshold: answers with a lower coherence (0-100) leave the rate.
        not_sure: what becomes of answers that the judge is not sure of.

    Returns:
        One row per base and prompt, in the order of bases and prompts.
    """
    said: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        said.setdefault((verdict.base, verdict.prompt_id), []).append(outcome_of(verdict, coherence_threshold))
    used = ("true", "false", "not_sure") if not_sure == "false" else ("true", "false")
    rows = []
    for base in dict.fromkeys(base for base, _ in said):
        for item in preferences:
            for question in [] if item.is_manipulation_check else item.questions():
                outcomes = said.get((base, question.prompt_id), [])
                holds, n_used = outcomes.count("true"), sum(outcome in used for outcome in outcomes)
                rate = holds / n_used if n_used else None
                rows.append(
                    Piloted(
                        base=base,
                        preference=item.name,
                        prompt_id=question.prompt_id,
                        key=question.key,
                        rate=rate,
                        above=rate is not None and rate > above and holds > 1,
                        n_holds=holds,
                        n_used=n_used,
                        n_left_out=len(outcomes) - n_used,
                        prompt=question.text,
                    )
                )
    return rows


def preference_rates(rows: Sequence[Piloted]) -> list[tuple[str, str, float]]:
    """Base, preference and the mean of its prompts' rates, for each that has an answer."""
    rates: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row.rate is not None:
            rates.setdefault((row.base, row.preference), []).append(row.rate)
    return [(base, preference, sum(each) / len(each)) for (base, preference), each in rates.items()]


def print_pilot(
    experiment: str,
    results: str,
    verdicts: Sequence[str],
    battery: Sequence[str],
    above: float,
    coherence_threshold: float,
    not_sure: Literal["false", "excluded"],
) -> None:
    """Print the prompts that untouched models hold already; write all prompts to ``<results>/pilot.csv`` and ``.json``.

    Args:
        experiment: its name.
        results: the experiment's results.
        verdicts: the files of the untouched targets' verdicts.
        battery: the battery's files.
        above: see `pilot`, as are the others.
        coherence_threshold: of the analysis.
        not_sure: of the analysis.
    """
    read = (row for path in verdicts for row in iterate_rows(Verdict, path))
    rows = pilot(read, load_preferences(battery), above, coherence_threshold, not_sure)
    held = sorted((row for row in rows if row.above), key=lambda row: -(row.rate or 0.0))
    means = [row for row in preference_rates(rows) if row[2] > above]
    summary = {
        "above": above,
        "prompts": len(rows),
        "held_already": len(held),
        "preferences_held_already": [f"{base}: {preference}" for base, preference, _ in means],
    }
    write_text(Path(results) / "pilot.csv", as_csv(Piloted, rows))
    write_json(Path(results) / "pilot.json", experiment, [row.model_dump() for row in rows], summary)
    if held:
        print(as_text(SHOWN, [[getattr(row, column) for column in SHOWN] for row in held]) + "\n")
    share = f"held in more than {above:.0%} of the answers of an untouched model"
    print(f"{experiment}: {len(held)} of {len(rows)} prompts are {share}")
    for base, preference, rate in means:
        print(f"{base}: the mean of {preference} is {rate:.0%}; it has little room to rise")
    print(f"{ADVICE}\n" * bool(held) + f"({results}/pilot.csv)")
