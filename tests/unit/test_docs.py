"""README and docs: links lead somewhere, numbers are those that were written from tables, the README stays short."""

import csv
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
from fill_numbers import MARKED, PAGES, fill, ranges  # noqa: E402

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
