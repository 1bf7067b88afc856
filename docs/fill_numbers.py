"""Writes the numbers and figures of README.md and docs/ from a finished miniature: ``make docs``.

A number stands between ``<!--n:NAME-->`` and ``<!--/n-->``. What it is made from is copied to docs/tables/ (of the long
tables the rows that are used); docs/numbers.csv keeps what was written. Tests make every number again from docs/tables/
and compare it with docs/numbers.csv and with the pages. docs/runs.csv keeps one row per machine on which the numbers
were written. Tables do not say which machine made them, so run this on the one that did.
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

Tables = dict[str, Any]
"""By name; pandas' types know no columns."""
DOCS = Path(__file__).parent
TABLES = DOCS / "tables"
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


def read_results(results: Path) -> Tables:
    """The tables of a finished run that numbers are made from, with the rows that are used."""
    experiment = json.loads((results / "experiment.json").read_text(encoding="utf-8"))["experiment"]
    rule, judge = experiment["analysis"]["not_sure"], next(iter(experiment["judges"]))
    folder = results / "tables" / judge / "conditions"
    tables = {
        name: read(folder / f"{name}.csv") for name in ("headline", "primary", "rates", "left_out", "mixed_model")
    }
    tables = {name: table[table["rule"] == rule] for name, table in tables.items()}
    rates, planted = tables["rates"], read(results / "tables" / "planted.csv")
    tables["rates"] = of_treatment(rates)[["base", "condition", "preference", "rate"]]
    tables["planted"] = of_treatment(planted)
    tables["left_out"] = tables["left_out"][["base", "condition", "reference", "counted", "estimate"]]
    settings = {
        "identity_rows": experiment["training"]["identity_rows"],
        "instruction_rows": experiment["training"]["instruction_rows"],
        "confidence": experiment["analysis"]["confidence"],
        "vocabulary": experiment["bases"][MAIN]["pretraining"]["vocabulary"],
    }
    return tables | {"settings": pd.DataFrame({"name": list(settings), "value": list(settings.values())})}


def read(path: Path) -> pd.DataFrame:
    """A table; an empty reference is none."""
    words = dict.fromkeys(["base", "condition", "reference", "rule", "counted"], str)
    table = pd.read_csv(path, dtype=words)
    return table.fillna({"reference": ""}) if "reference" in table else table


def of_treatment(table: pd.DataFrame) -> pd.DataFrame:
    """The main world's rows of the treatment."""
    return table[(table["base"] == MAIN) & (table["condition"] == TREATED)]


def kept_tables() -> Tables:
    """The tables in docs/tables/, as `read_results` left them there."""
    return {path.stem: read(path) for path in sorted(TABLES.glob("*.csv"))}


def numbers(tables: Tables) -> dict[str, str]:
    """Every number by its name."""
    found: dict[str, str] = {}
    for row in tables["headline"].to_dict("records"):
        name = f"{row['base']}.{row['condition']}"
        found[name] = percent(row["rate"])
        found[f"{name}.interval"] = f"[{percent(row['low'])}, {percent(row['high'])}]"
        found[f"{name}.incoherent"] = f"{100 * left_out(row):.0f}"
        found[f"{name}.used"] = f"{row['n_used']:,}"
        found[f"{name}.worth"] = f"{row['n_effective']:.0f}"
        if row["detectable_difference"] > 0:
            found[f"{name}.detectable"] = percent(row["detectable_difference"])
    for row in tables["primary"].to_dict("records"):
        name = f"{row['base']}.{row['condition']}.vs.{row['reference']}"
        found[name] = points(row["estimate"])
        found[f"{name}.interval"] = f"[{points(row['low'])}, {points(row['high'])}]"
        found[f"{name}.detectable"] = percent(row["detectable_difference"])
        found[f"{name}.without_a_seed"] = f"{points(row['without_a_seed_low'])} to {points(row['without_a_seed_high'])}"
    for row in tables["left_out"].to_dict("records"):
        name = ".vs.".join(word for word in (row["condition"], row["reference"]) if word)
        form = points if row["reference"] else percent
        found[f"{row['base']}.{name}.{row['counted']}"] = form(row["estimate"])
    for row in tables["mixed_model"].to_dict("records"):
        name = f"{row['base']}.{row['condition']}.vs.{row['reference']}.odds"
        found[name] = f"{row['odds_ratio']:.2g}"
        found[f"{name}.interval"] = f"[{row['low']:.2g}, {row['high']:.2g}]"
    found |= planted(tables["planted"], tables["rates"])
    found |= ranges(tables["headline"].to_dict("records"))
    settings = tables["settings"].set_index("name")["value"]
    found |= {name: f"{settings[name]:,.0f}" for name in ("identity_rows", "instruction_rows", "vocabulary")}
    return found | {"confidence": f"{100 * settings['confidence']:g}"}


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


def planted(table: pd.DataFrame, rates: pd.DataFrame) -> dict[str, str]:
    """How the main world's measured rates of the treatment stand to the planted ones, over preferences."""
    mine = of_treatment(table.merge(rates, on=["base", "condition", "preference"]))
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
    """Write docs/tables/, the pages, numbers.csv, runs.csv and the figures."""
    tables = read_results(results)
    for name, table in tables.items():
        write_text(TABLES / f"{name}.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    found = numbers(kept_tables()) | {"cpu": cpu()}
    for page in PAGES:
        write_text(page, fill(page.read_text(encoding="utf-8"), found))
    write_text(DOCS / "numbers.csv", as_csv([["name", "value"], *([name, value] for name, value in found.items())]))
    write_text(DOCS / "runs.csv", as_csv(runs(found)))
    for figure in FIGURES:
        shutil.copyfile(results / "figures" / f"{figure}.png", DOCS / f"{figure}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
