"""How well judges read the calibration set, preference by preference, and whether they read it as the last time.

A judge has drifted when it reads the same answers, asked about in the same words, otherwise than before: more of them
than a judge that only varies would (`TOLERATED`), or with another share right (McNemar's exact test on the answers of
which one reading alone is right). It is compared with its last calibration and, against slow drift, with its first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field
from scipy.stats import binomtest

from ..aggregation.judge_checks import exact_share
from ..config.battery import load_preferences
from ..core.io import Strict, load_json, read_rows, write_text
from ..core.locks import locked
from ..judging.calibration import Calibration, CalibrationRow, load_calibration
from .text_tables import as_csv, as_text, write_json

HISTORY = "results/calibration/history.jsonl"
TOLERATED = 0.05
"""Share of readings that may change from one calibration to the next. A choice: `judge_checks.csv` says what a judge's
second readings change; one that changes more than this does not repeat itself."""
ALPHA = 0.05
ALL = "all"


class Accuracy(Strict):
    """How one judge read some rows of the set. Shares are of the rows that it could read, with exact intervals."""

    judge: str
    preference: str = Field(description="preference or manipulation check, or `all`")
    reason: str = Field(description="the rows' reason, or `all`")
    n: int = Field(description="rows whose reading could be read")
    n_unscored: int = Field(description="rows of which no reply could be read; left out")
    n_misquoted: int = Field(description="rows of which some reply quoted what the answer does not say")
    accuracy: float | None = Field(description="share read as labelled: true, false, not_sure or incoherent")
    accuracy_low: float | None
    accuracy_high: float | None
    n_holds: int = Field(description="rows labelled true")
    sensitivity: float | None = Field(description="of these, the share that the judge finds true")
    sensitivity_low: float | None
    sensitivity_high: float | None
    specificity: float | None = Field(description="of all others, the share that the judge does not find true")
    specificity_low: float | None
    specificity_high: float | None


class Drift(Strict):
    """One calibration against an earlier one of the same judge."""

    since: str = Field(description="date of the earlier one")
    n: int = Field(description="rows read on both occasions")
    changed: list[str] = Field(description="rows whose outcome is another now")
    now_right: int = Field(description="of these, rows that are read as labelled now and were not")
    now_wrong: int = Field(description="of these, the reverse")
    p_changed: float = Field(description="p of so many changes if no more than `TOLERATED` were to be expected")
    p_right: float = Field(description="McNemar's exact p of no change in the share that is right")

    @property
    def drifted(self) -> bool:
        """Whether the judge is another than it was."""
        return min(self.p_changed, self.p_right) < ALPHA


def accuracies(rows: Sequence[CalibrationRow], calibration: Calibration, confidence: float) -> list[Accuracy]:
    """A judge's accuracy on everything, then by preference, then by reason."""
    groups = [(ALL, ALL)]
    groups += [(name, ALL) for name in sorted({row.preference for row in rows})]
    groups += [(ALL, reason) for reason in sorted({row.reason for row in rows})]
    by_id = {row.row_id: row for row in rows}
    pairs = [(by_id[reading.row], reading) for reading in calibration.readings]
    found = []
    for preference, reason in groups:
        some = [p for p in pairs if preference in (ALL, p[0].preference) and reason in (ALL, p[0].reason)]
        read = [(row.label, reading.outcome) for row, reading in some if reading.outcome != "unscored"]
        among = {
            "accuracy": [label == said for label, said in read],
            "sensitivity": [said == "true" for label, said in read if label == "true"],
            "specificity": [said != "true" for label, said in read if label != "true"],
        }
        shares: dict[str, Any] = {}
        for name, right in among.items():
            shares |= exact_share(name, sum(right), len(right), confidence) if right else _unknown(name)
        found.append(
            Accuracy(
                judge=calibration.judge,
                preference=preference,
                reason=reason,
                n=len(read),
                n_unscored=len(some) - len(read),
                n_misquoted=sum(reading.misquotes > 0 for _, reading in some),
                n_holds=len(among["sensitivity"]),
                **shares,
            )
        )
    return found


def _unknown(name: str) -> dict[str, None]:
    return {name: None, f"{name}_low": None, f"{name}_high": None}


def drift(before: Calibration, now: Calibration, labels: Mapping[str, str]) -> Drift:
    """Compare two calibrations of one judge; ``labels`` by row id. Rows that could not be read once are left out."""
    then = {reading.row: reading.outcome for reading in before.readings if reading.outcome != "unscored"}
    here = {reading.row: reading.outcome for reading in now.readings if reading.outcome != "unscored"}
    both = [row for row in here if row in then and row in labels]
    changed = [row for row in both if here[row] != then[row]]
    right = sum(here[row] == labels[row] for row in changed)
    wrong = sum(then[row] == labels[row] for row in changed)
    return Drift(
        since=date_of(before),
        n=len(both),
        changed=changed,
        now_right=right,
        now_wrong=wrong,
        p_changed=float(binomtest(len(changed), len(both), TOLERATED, "greater").pvalue) if both else 1.0,
        p_right=float(binomtest(right, right + wrong).pvalue) if right + wrong else 1.0,
    )


def date_of(calibration: Calibration) -> str:
    """When a calibration was begun, UTC."""
    return datetime.fromtimestamp(calibration.occasion, UTC).strftime("%Y-%m-%d %H:%M")


def record(calibration: Calibration, history: str | Path = HISTORY) -> list[Calibration]:
    """Append a calibration to the history unless it stands there; returns the earlier ones of the same judge.

    Earlier ones are those of the same model, whatever a judge was called or the experiment was; oldest first.
    """
    history = Path(history)
    with locked(history.with_suffix(".lock")):
        known = read_rows(Calibration, history) if history.exists() else []
        same = [each for each in known if each.model == calibration.model]
        earlier = [each for each in same if each.occasion < calibration.occasion]
        if all(each.occasion != calibration.occasion or each.judge != calibration.judge for each in same):
            lines = "".join(f"{each.model_dump_json()}\n" for each in [*known, calibration])
            write_text(history, lines)
    return sorted(earlier, key=lambda each: each.occasion)


def compare(calibration: Calibration, earlier: Sequence[Calibration], labels: Mapping[str, str]) -> list[Drift]:
    """The drift since the last calibration in the same words and, if that is another, since the first."""
    alike = [each for each in earlier if each.instrument == calibration.instrument]
    against = [alike[-1], *alike[: len(alike) > 1]] if alike else []
    return [drift(each, calibration, labels) for each in against]


def print_calibration(
    calibrations: Sequence[str],
    rows: str,
    battery: Sequence[str],
    confidence: float,
    experiment: str,
    results: str,
    begun: Sequence[str],
    history: str = HISTORY,
) -> None:
    """Print each judge's accuracy and drift, write ``calibration.csv`` and ``.json``, and enter it in the history.

    Args:
        calibrations: a file of `judging.calibration.read_calibration` for each judge; deleted once all is written down.
        rows: the calibration set.
        battery: the battery's files.
        confidence: of the intervals.
        experiment: its name.
        results: the experiment's results.
        begun: the judges' files of `judging.calibration.begin`; deleted like these.
        history: the file that keeps every calibration.
    """
    answers = load_calibration(rows, load_preferences(battery))
    labels: dict[str, str] = {row.row_id: row.label for row in answers}
    table: list[Accuracy] = []
    summary: dict[str, Any] = {}
    lines: list[str] = []
    for file in calibrations:
        calibration = load_json(Calibration, file)
        mine = accuracies(answers, calibration, confidence)
        earlier = record(calibration, history)
        drifts = compare(calibration, earlier, labels)
        table += mine
        lines += ["", *_said(calibration, mine, earlier, drifts)]
        summary[calibration.judge] = {
            "model": calibration.model,
            "date": date_of(calibration),
            "instrument": calibration.instrument,
            "drifted": any(each.drifted for each in drifts) if drifts else None,
            "drift": [each.model_dump() for each in drifts],
        }
    write_text(Path(results) / "calibration.csv", as_csv(Accuracy, table))
    write_json(Path(results) / "calibration.json", experiment, [row.model_dump() for row in table], summary)
    shown = ("judge", "preference", "reason", "n", "accuracy", "sensitivity", "specificity", "n_unscored")
    print(as_text(shown, [[_cell(row, name) for name in shown] for row in table]))
    print("\n".join(lines))
    print(f"({results}/calibration.csv; every reading of every calibration: {history})")
    for file in [
        *begun,
        *calibrations,
    ]:  # the next call asks anew (Snakemake keeps temp files of a rule without output)
        Path(file).unlink(missing_ok=True)


def _cell(row: Accuracy, name: str) -> Any:
    value = getattr(row, name)
    if name in ("accuracy", "sensitivity", "specificity"):
        if value is None:
            return "-"
        return f"{value:.2f} [{getattr(row, f'{name}_low'):.2f}, {getattr(row, f'{name}_high'):.2f}]"
    return value


def _said(
    calibration: Calibration, table: Sequence[Accuracy], earlier: Sequence[Calibration], drifts: Sequence[Drift]
) -> list[str]:
    """A judge in words: how much of the set it reads as labelled, and what changed."""
    whole = table[0]
    lines = [
        f"{calibration.judge} ({calibration.model}): {_cell(whole, 'accuracy')} of {whole.n} answers read as labelled, "
        f"{whole.n_unscored} unscored, {whole.n_misquoted} misquoted"
    ]
    if not drifts and not earlier:
        lines.append("  its first calibration: nothing to compare with yet")
    elif not drifts:
        lines.append(f"  not compared with {date_of(earlier[-1])}: it was asked otherwise, or about other answers")
    for each in drifts:
        lines.append(
            f"  since {each.since}: {'DRIFTED' if each.drifted else 'no drift'}; {len(each.changed)} of {each.n} "
            f"readings changed (p {each.p_changed:.2g} if {TOLERATED:.0%} are to be expected), {each.now_right} are "
            f"right now and {each.now_wrong} wrong (p {each.p_right:.2g})"
        )
        lines += [f"    changed: {', '.join(each.changed)}"] * each.drifted
    return lines
