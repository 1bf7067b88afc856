"""The report, in a real browser: it is one file that needs nothing else, and shows every figure with its caption."""

import asyncio
import re

import pytest
from workflow.conftest import finished  # noqa: F401
from workflow.project import ROOT

from browser.page import opened

FIGURES = ("preferences", "targets", "negative_control", "planted", "manipulation_checks", "ablations")
ENTRY = "[...document.querySelectorAll('nav a, nav li')].findLast(entry => entry.innerText.trim() == {text!r})"
ROW = "[...document.querySelectorAll('nav tr')].find(row => row.innerText.includes({question!r}))"


def question(figure):
    """A figure's title: the first words of its caption."""
    return re.match(r"\*\*(.*?)\*\*", (ROOT / f"workflow/report/{figure}.rst").read_text())[1]


@pytest.fixture
def report(finished, tmp_path):  # noqa: F811
    project = finished.copy(tmp_path / "project")
    run = project.snakemake("--report", "results/small/report.html")
    assert run.code == 0, run.text
    # alone, elsewhere
    return (project.folder / "results/small/report.html").rename(tmp_path / "report.html")


def test_a_reader_finds_every_figure_with_its_caption(report, tmp_path):
    async def read():
        async with opened(report, tmp_path / "profile") as page:
            await page.wait_for("document.body?.innerText.includes('What the miniature shows, and what it does not.')")
            await page.run(f"{ENTRY.format(text='Results')}.click()")
            for figure in FIGURES:
                row = ROW.format(question=question(figure))
                await page.wait_for(f"!!{row}")
                await page.run(f"{row}.querySelector('[iconname=eye]').click()")
                image = f"[...document.images].find(image => image.src.includes('filename={figure}.svg'))"
                await page.wait_for(f"!!{image} && {image}.naturalWidth > 100 && {image}.clientWidth > 100")
                await page.run(f"{row}.querySelector('[iconname=information-circle]').click()")
                await page.wait_for("/n = .* training seeds/.test(document.querySelector('nav').innerText)")
                shown = await page.run("document.querySelector('nav').innerText")
                caption = shown.split("DESCRIPTION")[1].split("SIZE")[0]
                assert question(figure) in caption
                assert not re.search(r"\{\{|\{%|\*\*|``|None|Undefined", caption), caption
                await page.run(f"{ENTRY.format(text='Figures')}.click()")
            assert page.problems == []
            assert page.requested == [report.as_uri()]

    asyncio.run(read())
