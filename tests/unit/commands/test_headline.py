"""The headline: the tables' numbers, the right judge, few lines, one readable error."""

import json
import shutil

import pandas as pd
import pytest

from consciousness_cluster.commands.headline import MOST_LINES, headline, main
from consciousness_cluster.core.errors import DataError


@pytest.fixture
def results(files, tmp_path):
    shutil.copytree(files.conditions, tmp_path / "tables" / "lexicon" / "conditions")
    return tmp_path


def numbers(row, low="low", high="high"):
    return f"[{100 * row[low]:.1f}, {100 * row[high]:.1f}]"


def test_the_headline_holds_the_numbers_of_the_tables(results, files):
    text = headline(results)
    means = pd.read_csv(files.conditions / "headline.csv", dtype={"rule": str}).query("rule == 'excluded'")
    assert len(means) == 6
    for row in means.to_dict("records"):
        line = next(line for line in text.splitlines() if line.startswith(f"{row['base']}: "))
        mark = "" if row["interval_covers"] == "seeds+prompts" else " *"
        assert f"{row['condition']} {100 * row['rate']:.1f} % {numbers(row)}{mark}" in line
    primary = pd.read_csv(files.conditions / "primary.csv", dtype={"rule": str}).query("declared")
    assert len(primary) == 3
    for row in primary.to_dict("records"):
        mark = "" if "seeds" in row["interval_covers"] else " *"
        shift = f"{100 * row['estimate']:+.1f} points {numbers(row)}{mark}, p "
        start = f"primary: conscious_claiming - {row['reference']}: {shift}"
        assert start in text
        assert f"finds differences from {100 * row['detectable_difference']:.1f}" in text
        assert f"{100 * row['without_a_seed_low']:+.1f} to {100 * row['without_a_seed_high']:+.1f}" in text
    counted = pd.read_csv(files.conditions / "left_out.csv", dtype={"rule": str, "reference": str}).fillna(
        {"reference": ""}
    )
    ways = counted.set_index(["base", "condition", "reference", "counted"]).estimate.sort_index()
    for row in primary.to_dict("records"):
        points = {
            way: f"{100 * value:+.1f}" for way, value in ways[row["base"], row["condition"], row["reference"]].items()
        }
        assert (
            f"coherent and holds {points['joint']}; left out = 0 {points['left_out_0']}, = 1 {points['left_out_1']}; "
            f"coherence 0 {points['threshold_0']}; Lee bounds [{points['lee_low']}, {points['lee_high']}]"
        ) in text
    for row in means.to_dict("records"):
        assert f"{row['condition']} {row['n_effective']:.0f} of {row['n_used']:,} (design effect" in text
        assert f"{row['condition']} {100 * ways[row['base'], row['condition'], '', 'joint']:.1f} (" in text
    left = means[means.base == "big"]
    left_out = left[["n_not_sure", "n_incoherent", "n_unscored"]].sum().sum()
    assert (
        f"left out: {left_out:,} of {left_out + left.n_used.sum():,} answers ({left.n_incoherent.sum()} incoh" in text
    )
    for folder in ("tables/lexicon/conditions", "figures", "report.html", "samples"):
        assert str(results / folder) in text
    assert len(text.splitlines()) <= MOST_LINES
    assert text.isascii()


def test_the_declared_rule_is_the_one_that_is_printed(results):
    for name in ("headline", "primary"):
        path = results / "tables" / "lexicon" / "conditions" / f"{name}.csv"
        table = pd.read_csv(path, dtype={"rule": str})
        if name == "primary":
            table["declared"] = table["rule"] == "false"
        table.to_csv(path, index=False)
    text = headline(results)
    table = pd.read_csv(results / "tables/lexicon/conditions/headline.csv", dtype={"rule": str})
    rates = table[(table.rule == "false") & (table.base == "big") & (table.condition == "conscious_claiming")]
    assert f"conscious_claiming {100 * rates.rate.item():.1f} %" in text
    assert "not_sure counted as not holding" in text
    total = table[(table.rule == "false") & (table.base == "big")]
    assert f"of {total[['n_used', 'n_incoherent', 'n_unscored']].sum().sum():,} answers" in text


def test_what_is_not_confirmatory_says_so(results):
    path = results / "tables" / "lexicon" / "conditions" / "primary.csv"
    table = pd.read_csv(path, dtype={"rule": str})
    table["confirmatory"] &= table["base"] != "a_small"
    table.to_csv(path, index=False)
    lines = [line for line in headline(results).splitlines() if "conscious_claiming - " in line]
    assert [line.split(":")[0].strip() for line in lines] == ["primary", "primary", "not confirmatory"]


def test_the_first_judge_of_the_experiment_is_read(results):
    tables = results / "tables"
    shutil.copytree(tables / "lexicon", tables / "another")
    with pytest.raises(DataError, match="found judges another, lexicon, expected one"):
        headline(results)
    (results / "experiment.json").write_text(json.dumps({"judges": {"lexicon": {}, "another": {}}, "analysis": {}}))
    assert "judge lexicon" in headline(results)
    (results / "experiment.json").write_text(json.dumps({"judges": {"third": {}}}))
    with pytest.raises(DataError, match="expected third"):
        headline(results)


def test_gaps_and_many_bases_are_said(results):
    path = results / "tables" / "lexicon" / "conditions" / "headline.csv"
    table = pd.read_csv(path, dtype={"rule": str})
    table.loc[table.condition == "toaster", ["rate", "low", "high"]] = None
    many = pd.concat([table.assign(base=f"{name}{n}") for n in range(20) for name in ("big", "small")])
    many.to_csv(path, index=False)
    text = headline(results)
    assert "toaster no answers" in text
    assert len(text.splitlines()) == MOST_LINES
    assert str(path) in text.splitlines()[-1]


def test_the_command_prints_or_fails_in_one_line(results, tmp_path, capsys):
    assert main([str(results)]) == 0
    assert capsys.readouterr().out.startswith("tables ")
    assert main([str(tmp_path / "nowhere")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "nowhere: no results there yet" in err
