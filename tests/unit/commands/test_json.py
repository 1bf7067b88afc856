"""What a command prints, it also leaves as JSON: the same rows, numbers as numbers, null where a thing is not known."""

import csv
import json
import shutil

import pandas as pd
import pytest

from consciousness_cluster.budget.ledger import FOLDER, Ledger, Line
from consciousness_cluster.commands.estimate import Estimate, print_estimate
from consciousness_cluster.commands.headline import main
from consciousness_cluster.commands.preflight import Check, print_preflight
from consciousness_cluster.commands.receipt import write_receipt
from consciousness_cluster.commands.text_tables import write_json
from consciousness_cluster.core.errors import EndpointError
from unit.commands.projects import declare


def read(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert list(content) == ["experiment", "rows", "summary"]
    return content


def test_what_is_not_known_or_not_finite_is_null(tmp_path):
    write_json(tmp_path / "x" / "y.json", "far", [{"a": float("nan"), "b": None, "c": 1}], {"d": [float("inf"), 0.5]})
    content = read(tmp_path / "x" / "y.json")
    assert content == {"experiment": "far", "rows": [{"a": None, "b": None, "c": 1}], "summary": {"d": [None, 0.5]}}


@pytest.mark.parametrize("model", ["gpt-x", "gpt-without-a-price"])
def test_the_estimate(project, model, monkeypatch, capsys):
    declare(project, model=model)
    monkeypatch.chdir(project)
    print_estimate("far", "results/far", 10.0)
    content = read(project / "results/far/estimate.json")
    with open(project / "results/far/estimate.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert content["experiment"] == "far"
    assert [list(row) for row in content["rows"]] == [list(Estimate.model_fields)] * len(rows)
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in content["rows"]] == rows
    summary = content["summary"]
    assert summary["requests_to_ask"] == sum(row["to_ask"] for row in content["rows"]) == 12
    assert (summary["budget_usd"], summary["spent_usd"]) == (10.0, 0.0)
    if model == "gpt-x":
        assert summary["usd"] == pytest.approx(sum(row["usd"] for row in content["rows"]), abs=1e-5)
        assert summary["unknown_prices"] == []
        assert summary["stages"][0]["usd"] > 0
        assert f"{summary['usd']:,.2f} USD" in capsys.readouterr().out
    else:
        assert {row["usd"] for row in content["rows"]} == {None}
        assert summary["unknown_prices"] == ["far"]
        assert summary["stages"][0]["usd"] is None


def test_the_receipt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = Ledger(FOLDER, "far")
    common = {"time": 0.0, "job": "a"}
    ledger.append(
        Line(
            kind="job", stage="sample", target="far/vanilla/seed0", asked="far", requests=3, stored=1, usd=0.0, **common
        )
    )
    ledger.append(Line(kind="answers", requests=2, input_tokens=10, output_tokens=20, usd=0.25, **common))
    said = write_receipt("far", "results/far")
    content = read(tmp_path / "results/far/receipt.json")
    row = content["rows"][0]
    assert (row["stage"], row["asked"], row["answers"], row["usd"]) == ("sample", "far", 2, 0.25)
    assert content["summary"]["usd"] == 0.25
    assert content["summary"]["answers"] == 2
    assert content["summary"]["unknown_prices"] == []
    assert "0.2500 USD for 2 answers of 30 tokens" in said


def test_the_preflight_even_where_something_cannot_be_done(project, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(EndpointError):
        print_preflight("far")
    content = read(project / "results/far/preflight.json")
    assert [list(row) for row in content["rows"]] == [list(Check.model_fields)]
    assert content["rows"][0]["can"] == "no"
    assert content["summary"] == {"checks": 1, "no": 1, "unknown": 0, "possible": False}


def test_the_headline(files, tmp_path, capsys):
    shutil.copytree(files.conditions, tmp_path / "tables" / "lexicon" / "conditions")
    experiment = {"name": "small", "judges": {"lexicon": {}}, "analysis": {"confidence": 0.9}}
    (tmp_path / "experiment.json").write_text(json.dumps({"experiment": experiment}))
    assert main([str(tmp_path)]) == 0
    content = read(tmp_path / "headline.json")
    assert content["experiment"] == "small"
    table = pd.read_csv(files.conditions / "headline.csv", dtype={"rule": str}).query("rule == 'excluded'")
    assert [list(row) for row in content["rows"]] == [list(table.columns)] * len(table)
    for row, expected in zip(content["rows"], table.to_dict("records"), strict=True):
        for name, value in expected.items():
            assert row[name] is None if pd.isna(value) else row[name] == value, name
    assert content["rows"][0]["trained"] is False
    summary = content["summary"]
    assert (summary["judge"], summary["rule"], summary["confidence"]) == ("lexicon", "excluded", 0.9)
    primary = pd.read_csv(files.conditions / "primary.csv", dtype={"rule": str}).query("declared")
    assert [row["estimate"] for row in summary["primary_contrasts"]] == primary["estimate"].tolist()
    assert capsys.readouterr().err == ""
