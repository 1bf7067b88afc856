"""A kill -9 at a bad moment loses nothing and changes nothing."""

import json
import shutil
import subprocess

import pytest

from workflow.killing import kill_when, start
from workflow.project import SMALL, Project


def keys(project):
    return [json.loads(line)["key"] for shard in project.store() for line in shard.read_text().splitlines()]


def asked_for_samples(project):
    """Stored answers that are samples of the battery, not instruction answers of the base."""
    return sum(1 for shard in project.store() for line in shard.read_text().splitlines() if '"sample":1' in line)


def judged(project):
    return len(list((project.folder / "results/small/verdicts").rglob("*.jsonl")))


@pytest.mark.parametrize("moment", [asked_for_samples, judged])
def test_killed_in_the_middle_and_started_again(finished, tmp_path, moment):
    project = Project.fresh(tmp_path / "project")
    main = start(project, tmp_path / "log")
    kill_when(lambda: moment(project), main, project, tmp_path / "log")
    stored = keys(project)
    assert stored
    assert judged(project) < 9, "it was killed before the end"

    again = project.snakemake()
    assert again.code == 0, again.text
    assert set(stored) <= set(keys(project))
    assert len(keys(project)) == len(set(keys(project))), "no answer was asked for twice"
    for folder in ("samples", "verdicts", "tables", "data", "figures"):
        assert project.contents(folder) == finished.contents(folder), f"{folder}: not as in an undisturbed run"
    assert "Nothing to be done" in project.snakemake("-n").text


def test_a_fine_tune_that_is_killed_goes_on_from_its_checkpoint(project, tmp_path):
    more = SMALL["conditions"] | {"long": {"identity": "human", "seeds": [1], "training": {"epochs": 40}}}
    project.write_experiment(SMALL | {"conditions": more})
    path = "results/small/models/tiny/long/seed1/model.json"
    artifacts = project.folder / "results/artifacts"
    main = start(project, tmp_path / "log", path, CONSCIOUSNESS_CLUSTER_CHECKPOINT_SECONDS="0")
    kill_when(lambda: list(artifacts.rglob("checkpoint.pt")), main, project, tmp_path / "log")
    assert not (project.folder / path).exists()
    assert not (artifacts / next(artifacts.rglob("checkpoint.pt")).parent.name.split(".")[1]).exists()

    adapters = []
    for _ in range(2):
        again = project.snakemake(path)
        assert again.code == 0, again.text
        record = json.loads((project.folder / path).read_text())
        artifact = artifacts / record["artifact"]
        assert record["steps"] == 400
        adapters.append({file.name: file.read_bytes() for file in artifact.iterdir() if file.name != "record.json"})
        said = (project.folder / "results/small/logs/finetune/tiny/long/seed1.log").read_text()
        assert ("going on after step" in said) == (len(adapters) == 1)
        # the second time undisturbed, from nothing
        shutil.rmtree(artifact)
        (project.folder / path).unlink()
    assert adapters[0] == adapters[1]


def test_a_second_run_in_the_same_folder_is_refused(project):
    worker = subprocess.Popen(
        [
            "python3",
            "-c",
            "import fcntl, sys, time; f = open('results/small/.lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
            " print('held', flush=True); time.sleep(60)",
        ],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout.readline() == "held\n"
    refused = project.snakemake("--forcerun", "judge")
    worker.kill()
    worker.wait()
    assert refused.code != 0
    assert "results/small: another run is working here" in refused.text
    assert project.snakemake("--forcerun", "judge").code == 0
