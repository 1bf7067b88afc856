"""What a run costs is known before, and written down after."""

import csv

from workflow.project import Project


def table(project: Project, name: str) -> list[dict[str, str]]:
    with open(project.folder / "results/small" / f"{name}.csv", newline="") as file:
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
    assert "base tiny  answers     pretrained here  transformers  yes" in run.text
    assert "small: nothing stands against it" in run.text
