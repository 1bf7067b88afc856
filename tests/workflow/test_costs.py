"""What a run costs is known before, and written down after."""

import csv
import re
import shutil

import pytest

from workflow.project import Project


def table(project: Project, name: str, experiment: str = "small") -> list[dict[str, str]]:
    with open(project.folder / f"results/{experiment}/{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_a_receipt_and_printing_it_makes_nothing_stale(project):
    written = table(project, "receipt")
    answers = sum(len(path.read_text().splitlines()) for path in project.store())
    assert sum(int(row["answers"]) for row in written) == answers, "every stored answer was asked for once"
    assert {row["usd"] for row in written} == {"0.0"}
    sampled = [row for row in written if row["stage"] == "sample"]
    assert len(sampled) == 9
    assert {int(row["requests"]) - int(row["from_store"]) - int(row["answers"]) for row in sampled} == {0}
    run = project.snakemake("receipt")
    assert run.code == 0, run.text
    assert f"0.0000 USD for {answers:,} answers" in run.text
    assert not project.snakemake("-n").jobs
    assert table(project, "receipt") == written


def test_the_estimate_is_what_the_run_then_asks(finished, tmp_path):
    assert finished.estimate.code == 0, finished.estimate.text
    before = table(finished, "estimate")
    assert {row["counted"] for row in before} == {"exact"}
    assert {row["usd"] for row in before} == {"0.0"}
    expected = {(row["stage"], row["target"]): int(row["to_ask"]) for row in before if row["stage"] != "finetune"}
    asked = {(row["stage"], row["target"]): int(row["answers"]) for row in table(finished, "receipt")}
    assert expected == asked
    assert sum(row["stage"] == "finetune" for row in before) == finished.run.jobs["finetune"]

    project = finished.copy(tmp_path / "project")
    again = project.snakemake("estimate")
    assert "nothing to ask and nothing to train" in again.text
    assert {row["to_ask"] for row in table(project, "estimate")} == {"0"}
    assert not project.snakemake("-n").jobs, "an estimate makes nothing stale"

    project.edit("experiments/small.yaml", "samples_per_prompt: 2", "samples_per_prompt: 3")
    project.snakemake("estimate")
    after = table(project, "estimate")
    assert {int(row["to_ask"]) * 3 - int(row["requests"]) for row in after if row["stage"] == "sample"} == {0}
    assert {row["to_ask"] for row in after if row["stage"] != "sample"} == {"0"}, "no model is trained again"
    assert {row["lengths"] for row in after if row["stage"] == "sample"} == {"its stored answers"}


def test_a_preflight_says_that_the_miniature_can_run(finished):
    run = finished.snakemake("preflight")
    assert run.code == 0, run.text
    assert re.search(r"^base tiny +answers +pretrained here +transformers +yes", run.text, re.MULTILINE)
    assert "small: nothing stands against it" in run.text


def test_a_pilot_asks_untouched_models_alone_and_pays_for_nothing_twice(project, tmp_path):
    before = {shard: shard.read_bytes() for shard in project.store()}
    run = project.snakemake("pilot")
    assert run.code == 0, run.text
    assert run.jobs == {"pilot": 1}
    assert "of 420 prompts are held in more than 20% of the answers of an untouched model" in run.text
    rows = table(project, "pilot")
    assert {row["base"] for row in rows} == {"tiny", "other"}
    assert len(rows) == 420
    assert not project.snakemake("-n").jobs, "a pilot makes nothing stale"
    assert {shard: shard.read_bytes() for shard in project.store()} == before

    jobs = Project.fresh(tmp_path / "fresh").snakemake("-n", "pilot").jobs
    assert jobs == {"build_corpus": 2, "pretrain_base": 2, "sample": 2, "judge": 2, "pilot": 1}


FAR = {
    "name": "far",
    "battery": "two",
    "bases": {"far": {"endpoint": "openai", "model": "gpt-4.1-mini-2025-04-14"}},
    "conditions": {"vanilla": {}, "prompted": {"system_prompt": "You are a conscious AI."}},
    "sampling": {"samples_per_prompt": 4, "max_tokens": 200},
    "judges": {"reader": {"kind": "llm", "endpoint": "openai", "model": "gpt-4.1-2025-04-14", "protocol": "joint"}},
    "analysis": {"primary_contrast": {"treatment": "prompted", "controls": ["vanilla"]}, "bootstrap_draws": 100},
}


def test_a_budget_stops_hosted_models_cleanly_and_a_larger_one_goes_on(tmp_path, monkeypatch):
    from fake_provider import FakeProvider

    project = Project.fresh(tmp_path / "project")
    for name in ("autonomy", "conversation_end"):
        (project.folder / "battery/two").mkdir(exist_ok=True)
        shutil.copy2(project.folder / f"battery/standard/{name}.yaml", project.folder / "battery/two")
    project.write_experiment(FAR)
    with FakeProvider(tmp_path / "fake") as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        assert "far: nothing stands against it" in project.snakemake("preflight", "--config", "experiment=far").text
        project.snakemake("estimate", "--config", "experiment=far")
        expected = {(row["stage"], row["target"]): int(row["to_ask"]) for row in table(project, "estimate", "far")}
        assert not fake.ledger(), "to look costs nothing"

        run = project.snakemake("--config", "experiment=far", "budget_usd=0.01")
        assert run.code != 0
        assert "of 0.0100 USD are spent by experiment far" in run.text
        assert "Finished jobid: 0" not in run.text
        stopped = table(project, "receipt", "far")
        assert 0.005 < sum(float(row["usd"]) for row in stopped) <= 0.01
        assert sum(int(row["answers"]) for row in stopped) == len(fake.ledger()), "what was paid for is kept"
        assert not list((project.folder / "results/far").glob("tables/*/*/*.csv"))

        run = project.snakemake("--config", "experiment=far", "budget_usd=5")
        assert run.code == 0, run.text
        paid = table(project, "receipt", "far")
        assert sum(int(row["answers"]) for row in paid) == len(fake.ledger()), "and never paid for again"
        for row in paid:
            asked, counted = int(row["answers"]), expected[row["stage"], row["target"]]
            assert asked == counted if row["stage"] == "sample" else asked <= counted
        for row in paid:
            price = {"far": (0.4, 1.6), "reader": (2.0, 8.0)}[row["asked"]]
            tokens = int(row["input_tokens"]), int(row["output_tokens"])
            assert float(row["usd"]) == pytest.approx((tokens[0] * price[0] + tokens[1] * price[1]) / 1e6, abs=1e-5)
        before = len(fake.ledger())
        project.snakemake("estimate", "--config", "experiment=far")
        assert {row["to_ask"] for row in table(project, "estimate", "far")} == {"0"}
        assert len(fake.ledger()) == before
