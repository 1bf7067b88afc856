"""Captions render as reStructuredText with every parameter they name, and say n, interval and rule."""

from pathlib import Path
from types import SimpleNamespace

import pytest

jinja2 = pytest.importorskip("jinja2")
docutils = pytest.importorskip("docutils.core")

FOLDER = Path(__file__).parents[3] / "workflow" / "report"
FIGURES = ["ablations", "manipulation_checks", "negative_control", "planted", "preferences", "targets"]
PARAMS = {
    "rule": "excluded",
    "confidence": 0.9,
    "samples_per_prompt": 7,
    "coherence_threshold": 33.0,
    "n_seeds": 4,
    "n_ablation_seeds": 2,
    "n_prompts": 11,
    "n_preferences": 21,
    "treatment": "conscious_claiming",
}


def render(name, **changes):
    """As ``snakemake --report`` does, but a missing parameter or a mistake in the text is an error."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    snakemake = SimpleNamespace(params=SimpleNamespace(**PARAMS | changes))
    text = environment.from_string((FOLDER / f"{name}.rst").read_text(encoding="utf-8")).render(snakemake=snakemake)
    return docutils.publish_parts(text, writer="html", settings_overrides={"halt_level": 2})["html_body"]


def test_every_figure_has_a_caption():
    assert sorted(path.stem for path in FOLDER.glob("*.rst")) == sorted([*FIGURES, "workflow"])


@pytest.mark.parametrize("name", FIGURES)
def test_a_caption_says_question_n_interval_and_rule(name):
    text = " ".join(render(name).split())
    assert "?</strong>" in text
    for word in ("90 %", "4 ", "11 prompts", "× 7 samples", "below 33 of 100", "left out of the rate", "interval"):
        assert word in text, word
    assert "counted as not holding" in render(name, rule="false")
    assert "counted as not holding" not in text


def test_the_report_says_what_the_miniature_does_not_show():
    text = " ".join(render("workflow").split())
    assert "<em>planted</em>" in text
    assert "says nothing about why large language models have such a cluster" in text
