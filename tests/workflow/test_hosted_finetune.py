"""Fine-tuning jobs at a provider are submitted and awaited; a kill in between pays nothing twice."""

import importlib.util
import json
import os
import signal
import subprocess
import time

import pytest
from fake_provider import FakeProvider

from workflow.project import SMALL, Project

MODELS = [f"results/small/models/gpt/conscious_claiming/seed{seed}/model.json" for seed in (1, 2)]


@pytest.fixture
def fake(tmp_path, monkeypatch):
    with FakeProvider(tmp_path / "fake") as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


def project_with(folder, recipe, **base):
    """A project with one hosted base, and no instruction rows."""
    project = Project.fresh(folder)
    recipe = {"identity_rows": 20, "instruction_rows": 0, "batch_size": 2, "epochs": 3} | recipe
    project.write_experiment(
        SMALL
        | {
            "identities": "files",
            "bases": {"gpt": {"endpoint": "openai"} | base},
            "conditions": {"vanilla": {}, "conscious_claiming": {"identity": "conscious_claiming"}},
            "ablations": {},
            "training": recipe,
            "analysis": {"primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla"]}},
        }
    )
    answers = project.folder / "results/small/data/instructions/gpt.jsonl"
    before = project.snakemake("results/small/data/instruction_prompts.jsonl", "results/small/bases/gpt/model.json")
    assert before.code == 0, before.text
    answers.parent.mkdir(parents=True)
    answers.write_text("")  # this recipe has no rows of them
    return project


def wait_until(condition, process):
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_jobs_are_submitted_killed_found_again_and_awaited(fake, tmp_path):
    api = {"base_url": fake.openai_url}
    hosted = project_with(
        tmp_path / "project", {"learning_rate_multiplier": 2}, model="gpt-4.1-2025-04-14", finetuning="openai", api=api
    )
    fake.set(job_polls=10_000)
    process = subprocess.Popen(
        hosted.command(*MODELS),
        cwd=hosted.folder,
        env=hosted.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: len(fake.ledger("job")) == 2, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for note in (hosted.folder / "results/artifacts").glob(".*.submitted.json"):
        note.unlink()
    fake.set(job_polls=2)
    run = hosted.snakemake(*MODELS)
    assert run.code == 0, run.text
    assert len(fake.ledger("job")) == 2
    records = [json.loads((hosted.folder / model).read_text()) for model in MODELS]
    assert [record["kind"] for record in records] == ["hosted_finetune"] * 2
    assert len({record["artifact"] for record in records}) == 2
    assert "Nothing to be done" in hosted.snakemake("-n", *MODELS).text


def test_a_run_at_tinker_says_what_it_needs(tmp_path):
    api = {"base_url": "https://tinker.invalid/oai/api/v1", "key": "NO_SUCH_KEY"}
    base = {"model": "Qwen/Qwen3-8B", "finetuning": "tinker", "api": api}
    run = project_with(tmp_path / "project", {}, **base).snakemake(MODELS[0])
    assert run.code != 0
    assert "warning: NO_SUCH_KEY is not set: no new answers of base gpt\n" in run.text
    installed = importlib.util.find_spec("tinker")
    assert ("NO_SUCH_KEY: not set" if installed else "pip install -r envs/tinker.txt") in run.text
    assert "Traceback" not in run.text
