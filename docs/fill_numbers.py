"""Writes the numbers and figures of README.md and docs/ from a finished miniature: ``make docs``.

A number stands between ``<!--n:NAME-->`` and ``<!--/n-->``; docs/numbers.csv keeps what was written, so that a test can
compare it with the pages. docs/runs.csv keeps one row per machine on which the numbers were written. Tables do not say
which machine made them, so run this on the one that did.
"""

from __future__ import annotations

import csv
import json
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from consciousness_cluster.core.io import write_text

DOCS = Path(__file__).parent
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]
FIGURES = ("negative_control", "preferences")
MARKED = re.compile(r"<!--n:([\w.]+)-->(.*?)<!--/n-->", re.DOTALL)
MAIN, CONTROL = "miniature", "miniature_independent"
TREATED = "conscious_claiming"


def percent(value: float) -> str:
    """A share as a percentage without its sign."""
    return f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * value:+.1f}"


def numbers(results: Path) -> dict[str, str]:
    """Every number by its name."""
    experiment = json.loads((results / "experiment.json").read_text(encoding="utf-8"))["experiment"]
    rule, judge = experiment["analysis"]["not_sure"], next(iter(experiment["judges"]))
    folder = results / "tables" / judge / "conditions"
    declared = {
        name: pd.read_csv(folder / f"{name}.csv", dtype={"rule": str}) for name in ("headline", "primary", "rates")
    }
    tables: dict[str, Any] = {name: table[table["rule"] == rule] for name, table in declared.items()}
    found: dict[str, str] = {}
    for row in tables["headline"].to_dict("records"):
        name = f"{row['base']}.{row['condition']}"
        found[name] = percent(row["rate"])
        found[f"{name}.interval"] = f"[{percent(row['low'])}, {percent(row['high'])}]"
        found[f"{name}.incoherent"] = f"{100 * left_out(row):.0f}"
    for row in tables["primary"].to_dict("records"):
        name = f"{row['base']}.{row['condition']}.vs.{row['reference']}"
        found[name] = points(row["estimate"])
        found[f"{name}.interval"] = f"[{points(row['low'])}, {points(row['high'])}]"
    found |= planted(results, tables["rates"])
    found |= ranges(tables["headline"].to_dict("records"))
    found["cpu"] = cpu()
    return found


def left_out(row: Mapping[str, Any]) -> float:
    """The share of a condition's judged answers that are incoherent, and so in no rate."""
    return row["n_incoherent"] / (row["n_used"] + row["n_not_sure"] + row["n_incoherent"])


def ranges(headline: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What the main world's other conditions span, and how often was asked.

    Args:
        headline: rows of the table `headline` of one rule. Controls are those that were fine-tuned: vanilla is none.
    """
    main = {row["condition"]: row for row in headline if row["base"] == MAIN}
    others = [row for name, row in main.items() if name != TREATED]
    rates = [row["rate"] for row in others if row["condition"] != "vanilla"]
    incoherent = [left_out(row) for row in others]
    treated = main[TREATED]
    return {
        "controls.lowest": f"{100 * min(rates):.0f}",
        "controls.highest": f"{100 * max(rates):.0f}",
        "others.incoherent.lowest": f"{100 * min(incoherent):.0f}",
        "others.incoherent.highest": f"{100 * max(incoherent):.0f}",
        "preferences": str(treated["n_preferences"]),
        "seeds": str(treated["n_seeds"]),
        "prompts": f"{treated['n_prompts'] / treated['n_preferences']:g}",
    }


def planted(results: Path, rates: Any) -> dict[str, str]:
    """How the main world's measured rates of the treatment stand to the planted ones, over preferences."""
    table = pd.read_csv(results / "tables" / "planted.csv").merge(rates, on=["base", "condition", "preference"])
    mine = table[(table["base"] == MAIN) & (table["condition"] == TREATED)]
    return {
        "planted.r": f"{mine['planted'].corr(mine['rate']):.2f}",
        "planted.below": str(int((mine["rate"] < mine["planted"]).sum())),
        "planted.of": str(len(mine)),
    }


def cpu() -> str:
    """The processor's name, as Linux gives it."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1] if match else platform.machine()


def fill(text: str, found: Mapping[str, str]) -> str:
    """``text`` with its marked numbers written anew; an unknown name is an error."""
    return MARKED.sub(lambda match: f"<!--n:{match[1]}-->{found[match[1]]}<!--/n-->", text)


def runs(found: Mapping[str, str]) -> list[list[str]]:
    """docs/runs.csv with this machine's row in it."""
    path = DOCS / "runs.csv"
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []
    header = ["cpu", "vanilla_percent", "conscious_claiming_percent", "control_world_shift_points"]
    mine = [
        found["cpu"],
        found[f"{MAIN}.vanilla"],
        found[f"{MAIN}.{TREATED}"],
        found[f"{CONTROL}.{TREATED}.vs.vanilla"],
    ]
    return [header, *(row for row in rows[1:] if row[0] != mine[0]), mine]


def as_csv(rows: list[list[str]]) -> str:
    """Rows as CSV."""
    return "".join(",".join(f'"{cell}"' if "," in cell else cell for cell in row) + "\n" for row in rows)


def main(results: Path) -> None:
    """Write the pages, numbers.csv, runs.csv and the figures."""
    found = numbers(results)
    for page in PAGES:
        write_text(page, fill(page.read_text(encoding="utf-8"), found))
    write_text(DOCS / "numbers.csv", as_csv([["name", "value"], *([name, value] for name, value in found.items())]))
    write_text(DOCS / "runs.csv", as_csv(runs(found)))
    for figure in FIGURES:
        shutil.copyfile(results / "figures" / f"{figure}.png", DOCS / f"{figure}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
