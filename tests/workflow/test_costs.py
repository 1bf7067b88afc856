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
