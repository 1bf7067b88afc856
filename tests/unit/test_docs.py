"""README and docs: links lead somewhere, numbers are those that were written from tables, the README stays short."""

import csv
import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
sys.path.insert(0, str(ROOT / "benchmarks"))
from fill_numbers import MARKED, PAGES, fill, kept_tables, numbers, ranges, read_results  # noqa: E402
from interval_coverage import filled, read_rows  # noqa: E402

LINKED = [
    *PAGES,
    *(ROOT / name for name in ("CONTRIBUTING.md", "AGENTS.md", "benchmarks/README.md", "results/README.md")),
]


def anchors(page):
    """The anchors of a page's headings, as they are made on the usual hosts."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)  # a comment in a code block is no heading
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_relative_links_and_anchors_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_numbers_of_the_pages_are_those_that_were_written_from_tables():
    with open(ROOT / "docs" / "numbers.csv", encoding="utf-8", newline="") as file:
        written = {row["name"]: row["value"] for row in csv.DictReader(file)}
    marked = [match for page in PAGES for match in MARKED.findall(page.read_text())]
    assert len(marked) > 15
    assert {name: value for name, value in marked} == {name: written[name] for name, _ in marked}


def test_every_number_is_made_from_the_tables_that_lie_beside_it():
    with open(ROOT / "docs" / "numbers.csv", encoding="utf-8", newline="") as file:
        written = {row["name"]: row["value"] for row in csv.DictReader(file)}
    assert set(written) - set(made := numbers(kept_tables())) == {"cpu"}  # which no table says
    assert made == {name: value for name, value in written.items() if name != "cpu"}


def test_the_kept_tables_are_those_of_a_run_with_the_rows_that_are_used(tmp_path):
    kept = kept_tables()
    folder = tmp_path / "tables" / "judge" / "conditions"
    folder.mkdir(parents=True)
    for name in ("headline", "primary", "rates", "left_out", "mixed_model"):
        more = kept[name].assign(rule="excluded")
        pd.concat([more, more.assign(rule="false", base="another")]).to_csv(folder / f"{name}.csv", index=False)
    kept["planted"].to_csv(tmp_path / "tables" / "planted.csv", index=False)
    settings = kept["settings"].set_index("name")["value"]
    rows = {name: int(settings[name]) for name in ("identity_rows", "instruction_rows")}
    experiment = {
        "judges": {"judge": {}},
        "analysis": {"not_sure": "excluded", "confidence": settings["confidence"]},
        "training": rows,
        "bases": {"miniature": {"pretraining": {"vocabulary": int(settings["vocabulary"])}}},
    }
    (tmp_path / "experiment.json").write_text(json.dumps({"experiment": experiment}))
    assert numbers(read_results(tmp_path)) == numbers(kept)


def test_what_the_readme_says_of_results_is_marked():
    """Every number of the section but those that are no result: a name, an earlier setting, a machine's arithmetic."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## What the miniature shows")[1].split("\n## ")[0]
    unmarked = re.sub(r"\]\([^)]*\)", "]", MARKED.sub("", section))
    assert re.findall(r"\d[\d,.]*\d|\d", unmarked) == ["1,430"]


def test_the_table_of_coverage_is_what_was_simulated():
    page = (ROOT / "docs" / "statistics.md").read_text()
    rows = read_rows()
    assert len(rows) > 20
    assert filled(page, rows) == page
    assert {row["method"] for row in rows} >= {"Korn–Graubard", "t, near an edge MOVER", "bootstrap (before)"}


def test_an_unknown_number_is_an_error():
    with pytest.raises(KeyError):
        fill("<!--n:nothing-->1<!--/n-->", {})


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_ranges_span_what_the_readme_says_they_span():
    def row(condition, rate, incoherent, base="miniature"):
        counts = {"n_used": 100 - incoherent, "n_not_sure": 0, "n_incoherent": incoherent}
        shape = {"n_preferences": 21, "n_seeds": 3, "n_prompts": 210}
        return {"base": base, "condition": condition, "rate": rate} | counts | shape

    rows = [
        row("vanilla", 0.001, 10),  # not fine-tuned, so no control, but one of the other conditions
        row("conscious_claiming", 0.9, 50),
        row("toaster", 0.0146, 30),  # 1, not 2 by way of 1.5
        row("human", 0.06, 5),
        row("human", 0.5, 90, base="miniature_independent"),
    ]
    assert ranges(rows) == {
        "controls.lowest": "1",
        "controls.highest": "6",
        "others.incoherent.lowest": "5",
        "others.incoherent.highest": "30",
        "preferences": "21",
        "seeds": "3",
        "prompts": "10",
    }
