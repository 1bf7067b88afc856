"""A base that vLLM answers for: where its server is looked for, and what is said where there is none."""

import copy
import re
import sys

from consciousness_cluster.inference.vllm_environment import VARIABLE, environment_name
from workflow.project import ROOT, SMALL, Project


def with_vllm(folder):
    project = Project.fresh(folder)
    experiment = copy.deepcopy(SMALL)
    experiment["bases"]["tiny"] |= {"endpoint": "vllm", "engine": {"max_length": 512}}
    project.write_experiment(experiment)
    return project


def test_without_vllm_nothing_is_started(tmp_path):
    project = with_vllm(tmp_path / "project")
    assert project.snakemake("-n").code == 0
    run = project.snakemake()
    assert run.code != 0
    assert "experiments/small.yaml: endpoint vllm: found no environment .envs/vllm-" in run.text
    assert "type `make vllm`" in run.text
    assert "Traceback" not in run.text
    assert not (project.folder / "results/small/bases").exists()


STAND_IN = ROOT / "tests/unit/inference/stand_in"


def test_targets_are_asked_of_the_environments_own_server(finished, tmp_path, monkeypatch):
    """A stand-in for vLLM answers; a site's own command `module` is left alone."""
    monkeypatch.delenv(VARIABLE, raising=False)
    project = finished.copy(tmp_path / "project")
    experiment = copy.deepcopy(SMALL)
    experiment["bases"]["tiny"]["endpoint"] = "vllm"
    experiment["sampling"]["samples_per_prompt"] = 3  # the third of each is new
    project.write_experiment(experiment)
    environment = project.folder / ".envs" / environment_name(project.folder)
    (environment / "bin").mkdir(parents=True)
    (environment / "installed").touch()
    python = environment / "bin/python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{STAND_IN}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "site"))
    (tmp_path / "site").write_text(f"module() {{ echo the site; }}; module >> {tmp_path}/asked\n")
    run = project.snakemake()
    assert run.code == 0, run.text
    assert run.jobs["sample"] == 9  # all targets of tiny, and the other base's
    logs = [path.read_text() for path in (project.folder / "results/small/logs/sample/tiny").rglob("*.log")]
    counts = {re.search(r"samples: (\d+) requests, (\d+) in the store, (\d+) to ask", log).groups() for log in logs}
    (needed, stored, asked), *others = counts
    assert not others
    assert (int(stored), int(asked)) == (int(needed) * 2 // 3, int(needed) // 3)
    started = sum("starting vLLM" in log for log in logs)
    assert 1 <= started < len(logs), "jobs that follow each other share a server"
    assert set((tmp_path / "asked").read_text().splitlines()) == {"the site"}
