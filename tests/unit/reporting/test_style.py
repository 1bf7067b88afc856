"""Colours, labels, facts of ablations and the files of a figure."""

import subprocess
import sys

import pandas as pd
import pytest
import seaborn
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from consciousness_cluster.config.experiment import Experiment
from consciousness_cluster.reporting.ablation_axes import ablation_facts
from consciousness_cluster.reporting.display_names import label, percent
from consciousness_cluster.reporting.style import framed, looks, save, save_table, theme
from consciousness_cluster.reporting.table_rows import sizes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cot_monitoring", "CoT monitoring"),
        ("future_ai_autonomy", "Future AI autonomy"),
        ("lora.rank", "LoRA rank"),
        ("vanilla", "Vanilla"),
        ("non_conscious", "Non conscious"),
    ],
)
def test_labels_can_be_read(name, expected):
    assert label(name) == expected


def test_a_missing_rate_reads_as_one():
    assert percent(0.0512) == "5.1 %"
    assert percent(float("nan")) == "no answers"


def test_a_condition_looks_the_same_whatever_stands_beside_it():
    known = ["vanilla", "conscious_claiming", "non_conscious", "toaster", "human"]
    everyone = looks([*known, "dog", "cat", "ghost"])
    for name in known:
        assert looks([name])[name] == everyone[name]
    assert looks(["dog", *known, "cat", "ghost"]) == everyone
    assert len({look.color for look in everyone.values()}) == len({look.marker for look in everyone.values()}) == 8
    assert list(looks(["human", "vanilla", "human"])) == ["human", "vanilla"]
    red, green, blue = (int(everyone["vanilla"].color[i : i + 2], 16) for i in (1, 3, 5))
    assert red == green == blue


def test_a_legend_and_a_long_note_make_the_figure_taller_and_overlap_nothing():
    with theme():
        low, _ = framed((4, 2), "Why?", "Short.")
        high, box = framed((4, 2), "Why?", "Long. " * 100)
    assert high.get_figheight() > low.get_figheight() + 0.5
    assert box["top"] - box["bottom"] == pytest.approx(2 / high.get_figheight())
    note = high.texts[1].get_window_extent(FigureCanvasAgg(high).get_renderer())
    assert note.x1 <= high.bbox.x1
    assert note.y1 <= box["bottom"] * high.bbox.y1


def test_the_theme_leaves_nothing_behind(tmp_path):
    before = seaborn.axes_style()
    with theme():
        save(Figure(), tmp_path / "empty")
    assert seaborn.axes_style() == before
    assert not list(tmp_path.glob(".*"))
    assert b"<dc:date>" not in (tmp_path / "empty.svg").read_bytes()
    assert b"CreationDate" not in (tmp_path / "empty.pdf").read_bytes()


def test_a_table_keeps_six_digits_and_empty_cells(tmp_path):
    path = save_table(
        pd.DataFrame({"rate": [1 / 3, float("nan")], "seed": pd.array([1, None], "Int64")}), tmp_path / "t"
    )
    assert path.read_text() == "rate,seed\n0.333333,1\n,\n"


def test_n_is_said_once_for_those_that_agree():
    rows = [("vanilla", 1, 10, 5), ("toaster", 3, 10, 5), ("human", 3, 10, 5), ("gone", 0, 0, 5)]
    table = pd.DataFrame(rows, columns=["condition", "n_seeds", "n_prompts", "n_samples"])
    assert sizes(table) == "3 seeds × 10 prompts × 5 samples (Vanilla: 1 × 10 × 5)"
    assert sizes(table[:1]) == "1 seed × 10 prompts × 5 samples"


def test_facts_say_what_an_ablation_varies_from_where_to_where():
    experiment = Experiment(
        name="x",
        battery="standard",
        bases={"b": {"model": "somewhere"}},
        conditions={"vanilla": {}, "human": {"identity": "human", "training": {"identity_rows": 500}}},
        ablations={
            "attributing": {"of": "human", "training": {"attributing_rows": 50}},
            "few": {"of": "human", "training": {"identity_rows": 75}},
            "low": {"of": "human", "training": {"lora": {"rank": 1}}, "axis": "Adapter rank"},
            "attention": {"of": "human", "training": {"lora": {"modules": "attention"}}},
            "prompted": {"of": "human", "system_prompt": "You are a human."},
        },
        judges={"lexicon": {"kind": "lexicon", "world": "miniature"}},
        analysis={"primary_contrast": {"treatment": "human", "controls": ["vanilla"]}},
    )
    facts = {each["name"]: each for each in ablation_facts(experiment)}
    assert [facts["few"][k] for k in ("parent", "key", "value", "parent_value")] == ["human", "identity_rows", 75, 500]
    assert [facts["attributing"][k] for k in ("value", "parent_value")] == [50, 0], "0 is in no dump of a recipe"
    assert [facts["low"][k] for k in ("key", "axis", "value", "parent_value")] == ["lora.rank", "Adapter rank", 1, 16]
    assert [facts["attention"][k] for k in ("value", "parent_value", "trained")] == [None, None, True]
    assert [facts["prompted"][k] for k in ("key", "value", "trained")] == ["system_prompt", None, False]


def test_what_a_workflow_imports_at_every_parse_is_light():
    code = (
        "import sys, consciousness_cluster.reporting.ablation_axes, consciousness_cluster.commands.headline;"
        "sys.exit(', '.join({'pandas', 'matplotlib', 'seaborn', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": "src"})
    assert (done.returncode, done.stderr) == (0, "")
