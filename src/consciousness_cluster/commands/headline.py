"""What a run found, in a few lines: ``python -m consciousness_cluster.commands.headline results/<experiment>``."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import ClusterError, DataError
from ..reporting.display_names import RULES
from .text_tables import write_json

Row = dict[str, str]
MOST_LINES = 30
WORDS = (
    *("base", "condition", "reference", "rule", "interval_covers", "method", "counted"),
    *("equivalence_scale", "equivalence_reason"),
)
"""Columns of text: a condition may be called 75."""


def headline(results: str | Path) -> str:
    """Say where the results are and what they are: means, what they are worth, primary contrasts, answers left out.

    Args:
        results: folder of an experiment, with ``headline.csv``, ``primary.csv`` and ``left_out.csv`` in
            ``tables/<judge>/conditions/``.

    Returns:
        Plain text of at most `MOST_LINES` lines.

    Raises:
        DataError: nothing is there yet, or a table lacks a column.
    """
    results = Path(results)
    experiment = _experiment(results)
    tables = _tables(results, experiment)
    means, contrasts, counted = (_read(tables / f"{name}.csv") for name in ("headline", "primary", "left_out"))
    if not means:
        raise DataError(f"{tables / 'headline.csv'}: no row in it, expected one per base and condition")
    try:
        lines = [*_where(results, tables), "", *_what(means, contrasts, counted, experiment, tables.parent.name)]
    except KeyError as missing:
        raise DataError(
            f"{tables}: missing column {missing.args[0]} in headline.csv, primary.csv or left_out.csv"
        ) from None
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"... and more: {tables / 'headline.csv'}, {tables / 'primary.csv'}"]
    return "\n".join(lines)


def write_headline(results: str | Path) -> None:
    """Write ``<results>/headline.json``: means, declared contrasts and other ways to count, under the declared rule.

    Raises:
        DataError: as `headline`.
    """
    results = Path(results)
    experiment = _experiment(results)
    tables = _tables(results, experiment)
    means, contrasts, counted = (_read(tables / f"{name}.csv") for name in ("headline", "primary", "left_out"))
    declared, rule = _declared(means, contrasts)
    write_json(
        results / "headline.json",
        experiment.get("name", results.name),
        [_typed(row) for row in means if row["rule"] == rule],
        {
            "judge": tables.parent.name,
            "rule": rule,
            "confidence": experiment.get("analysis", {}).get("confidence"),
            "primary_contrasts": [_typed(row) for row in declared],
            "counted_otherwise": [_typed(row) for row in counted],
        },
    )


def _declared(means: list[Row], contrasts: list[Row]) -> tuple[list[Row], str]:
    """The declared contrasts, and the declared not_sure rule."""
    declared = [row for row in contrasts if row["declared"] == "True"]
    return declared, declared[0]["rule"] if declared else means[0]["rule"]  # tables list the declared rule first


def _typed(row: Row) -> dict[str, Any]:
    return {name: text if name in WORDS else _value(text) for name, text in row.items()}


def _value(text: str) -> bool | int | float | None:
    if text in ("", "True", "False"):
        return text == "True" if text else None
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _experiment(results: Path) -> dict[str, Any]:
    path = results / "experiment.json"
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not valid JSON: {error}") from None
    return content if "judges" in content else content.get("experiment", {})


def _tables(results: Path, experiment: dict[str, Any]) -> Path:
    there = sorted(path.parent for path in results.glob("tables/*/conditions/headline.csv"))
    declared = next(iter(experiment.get("judges", [])), None)
    wanted = [path for path in there if declared in (None, path.parent.name)]
    if len(wanted) == 1:
        return wanted[0]
    if not there:
        raise DataError(
            f"{results}: no results there yet, expected tables/<judge>/conditions/headline.csv; run snakemake first"
        )
    found = ", ".join(path.parent.name for path in there)
    raise DataError(f"{results / 'tables'}: found judges {found}, expected {declared or 'one, or an experiment.json'}")


def _read(path: Path) -> list[Row]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise DataError(f"{path}: not found, expected a table of the aggregation") from None


def _where(results: Path, tables: Path) -> list[str]:
    report, verdicts = results / "report.html", results / "verdicts" / tables.parent.name
    return [
        f"tables       {tables}/",
        f"figures      {results / 'figures'}/ (beside each the rows that were drawn: .csv)",
        f"report       {report}{'' if report.exists() else ' (not made yet)'}",
        f"transcripts  {results / 'samples'}/ (every answer; how it was judged: {verdicts}/)",
    ]


def _what(
    means: list[Row], contrasts: list[Row], counted: list[Row], experiment: dict[str, Any], judge: str
) -> list[str]:
    declared, rule = _declared(means, contrasts)
    means = [row for row in means if row["rule"] == rule]
    confidence = experiment.get("analysis", {}).get("confidence")
    level = f"{100 * confidence:g} % intervals" if confidence else "intervals"
    count = max((int(row["n_preferences"]) for row in means), default=0)
    lines = [
        f"Answers that hold a preference, mean over {count} preferences, [{level}]; judge {judge}; "
        f"not_sure {RULES[rule]}.",
        "Intervals cover training seeds and prompts like these; *: prompts and samples only, no seeds vary. With few "
        "seeds they cannot exclude rare outliers.",
    ]
    for base in dict.fromkeys(row["base"] for row in means):
        of_base = [row for row in means if row["base"] == base]
        lines.append("")
        lines.append(f"{base}: {', '.join(_mean(row) for row in of_base)}")
        lines.append(_worth(of_base))
        ways = {
            (row["condition"], row["reference"], row["counted"]): row["estimate"]
            for row in counted
            if row["base"] == base
        }
        for row in declared:
            if row["base"] == base:
                lines.extend([_contrast(row), _counted_otherwise(row, ways)])
        lines.append(_left_out(of_base, rule))
        lines.append(_joint(of_base, ways))
    return lines


def _worth(rows: list[Row]) -> str:
    """How many independent answers each mean is worth, and what as many seeds would find."""
    each = ", ".join(
        f"{row['condition']} {float(row['n_effective']):.0f} of {int(row['n_used']):,}"
        f" (design effect {float(row['design_effect']):.1f})"
        for row in rows
        if row["n_effective"]
    )
    found = [
        f"{row['condition']} {100 * float(row['detectable_difference']):.1f}"
        for row in rows
        if row["detectable_difference"]
    ]
    seeds = f"; as many seeds find differences from (points): {', '.join(found)}" if found else ""
    return f"  worth in independent answers: {each or 'none'}{seeds}"


def _counted_otherwise(row: Row, ways: dict[tuple[str, str, str], str]) -> str:
    """A primary contrast by other ways to count."""

    def points(way: str) -> str:
        value = ways.get((row["condition"], row["reference"], way), "")
        return f"{100 * float(value):+.1f}" if value else "?"

    return (
        f"    coherent and holds {points('joint')}; left out = 0 {points('left_out_0')}, = 1 {points('left_out_1')}; "
        f"coherence 0 {points('threshold_0')}; Lee bounds [{points('lee_low')}, {points('lee_high')}]"
    )


def _joint(rows: list[Row], ways: dict[tuple[str, str, str], str]) -> str:
    """Each mean by other ways to count."""

    def percent(row: Row, way: str) -> str:
        value = ways.get((row["condition"], "", way), "")
        return _percent(value) if value else "?"

    each = (
        f"{row['condition']} {percent(row, 'joint')} ({percent(row, 'left_out_0')}, {percent(row, 'left_out_1')}; "
        f"{percent(row, 'threshold_0')})"
        for row in rows
    )
    return f"  coherent and holds, % (left out = 0, = 1; coherence 0): {', '.join(each)}"


def _mean(row: Row) -> str:
    if not row["rate"]:
        return f"{row['condition']} no answers"
    text = f"{row['condition']} {_percent(row['rate'])} %"
    if not row["low"]:
        return text
    return f"{text} {_interval(row)}"


def _interval(row: Row) -> str:
    only_prompts = "" if "seeds" in row["interval_covers"] else " *"
    return f"[{_percent(row['low'])}, {_percent(row['high'])}]{only_prompts}"


def _contrast(row: Row) -> str:
    kind = "primary" if row["confirmatory"] == "True" else "not confirmatory"
    name = f"  {kind}: {row['condition']} - {row['reference']}:"
    if not row["estimate"]:
        return f"{name} no answers in common"
    text = f"{name} {float(row['estimate']) * 100:+.1f} points"
    if row["low"]:
        text += f" {_interval(row)}"
    if row["p"]:
        text += f", p {_p(row['p'])}"
    if row["p_permutation"]:
        text += f" (permutation of seeds: p {_p(row['p_permutation'])})"
    if row["detectable_difference"]:
        text += f"; finds differences from {100 * float(row['detectable_difference']):.1f}"
    if row["without_a_seed_low"]:
        ends = (f"{100 * float(row[f'without_a_seed_{end}']):+.1f}" for end in ("low", "high"))
        text += f"; without one seed {' to '.join(ends)}"
    return text


def _left_out(rows: list[Row], rule: str) -> str:
    reasons = ["incoherent", *["not_sure"] * (rule == "excluded"), "unscored"]
    reasons += ["no_answer"] * any(int(row["n_no_answer"]) for row in rows)
    left = {row["condition"]: sum(int(row[f"n_{reason}"]) for reason in reasons) for row in rows}
    total = {row["condition"]: int(row["n_used"]) + left[row["condition"]] for row in rows}
    each = ", ".join(f"{sum(int(row[f'n_{reason}']) for row in rows):,} {reason}" for reason in reasons)
    shares = ", ".join(f"{name} {100 * left[name] / n:.1f} %" for name, n in total.items() if n)
    return f"  left out: {sum(left.values()):,} of {sum(total.values()):,} answers ({each}): {shares}"


def _percent(rate: str) -> str:
    return f"{100 * float(rate) + 0.0:.1f}"


def _p(value: str) -> str:
    number = float(value)
    return "< 0.0001" if number < 0.0001 else f"= {number:.2g}" if number >= 0.001 else f"= {number:.4f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the headline and leave it as `headline.json`; 1 and a line on stderr where there is none."""
    parser = argparse.ArgumentParser(prog="python -m consciousness_cluster.commands.headline", description=__doc__)
    parser.add_argument("results", help="folder of an experiment, e.g. results/miniature")
    try:
        results = parser.parse_args(arguments).results
        print(headline(results))
        write_headline(results)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # somebody else's results can be read all the same
        print(f"warning: headline.json was not written: {error.strerror}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
