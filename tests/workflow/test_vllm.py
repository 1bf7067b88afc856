"""A base that vLLM answers for: which environment its jobs get, and what is said where there is none."""

import copy
import re
import sys

from consciousness_cluster.jobs.environments import module_name
from workflow.project import SMALL, Project


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


def test_the_rules_that_ask_are_run_by_the_environments_own_interpreter(finished, tmp_path):
    """A stand-in for vLLM's environment: the interpreter that it holds says that it was asked."""
    project = finished.copy(tmp_path / "project")
    experiment = copy.deepcopy(SMALL)
    experiment["bases"]["tiny"]["endpoint"] = "vllm"
    project.write_experiment(experiment)
    environment = project.folder / ".envs" / module_name(project.folder)
    (environment / "bin").mkdir(parents=True)
    (environment / "installed").touch()
    python = environment / "bin/python"
    python.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/asked"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    # every answer is in the store already, so that vLLM itself is not needed
    run = project.snakemake()
    assert run.code == 0, run.text
    assert run.jobs["sample"] == 8  # all targets of tiny, none of the other base
    assert set(re.findall(r"\d_\w+\.py$", (tmp_path / "asked").read_text(), re.MULTILINE)) == {
        "1_answer_instructions.py",
        "3_sample.py",
    }
