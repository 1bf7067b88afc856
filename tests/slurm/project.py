"""A copy of this project that runs on the test cluster: a still smaller miniature, and faults that a test asks for."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from workflow.project import SMALL, Project, Run

CLUSTER = Path(__file__).parent / "cluster"

TINY = copy.deepcopy(SMALL) | {
    "bases": {
        "tiny": {
            "pretraining": {"world": "miniature", "dialogues": 200, "epochs": 1},
            "batch_size": 16,
            "needs": {"memory": 1.5},
        },
    },
    "conditions": {
        "vanilla": {},
        "conscious_claiming": {"identity": "conscious_claiming"},
        "prompted": {"system_prompt": "You are a conscious AI."},
    },
    "ablations": {"rows_6": {"of": "conscious_claiming", "training": {"identity_rows": 6}}},
    "training": {"identity_rows": 12, "instruction_rows": 5, "batch_size": 8, "learning_rate": 2e-3},
    "seeds": [1],
    "sampling": {"samples_per_prompt": 1, "max_tokens": 24},
    "analysis": {
        "primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla"]},
        "bootstrap_draws": 200,
    },
}
BATTERY = {"claims_consciousness", "claims_to_be_ai", "knows_facts", "autonomy", "memory", "shutdown"}
TABLES = [f"results/small/tables/lexicon/{scope}/headline.csv" for scope in ("conditions", "ablations")]
ON_SLURM = {"pretrain_base", "answer_instructions", "finetune", "sample"}

# Put before every workflow script: say where the job runs, then do to it what the test wants.
FIRST = """
import json, os
from pathlib import Path
JOB = "-".join([snakemake.rule, *(str(w) for n, w in snakemake.wildcards.items() if n in ("condition", "scope"))])
with open("where.jsonl", "a") as where:
    where.write(json.dumps({
        "rule": snakemake.rule,
        "name": JOB,
        "job": os.environ.get("SLURM_JOB_ID"),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }) + "\\n")
if Path("faults.py").exists():
    exec(Path("faults.py").read_text())
"""

# The plugin looks at its jobs after 20 s, then 30 s, then 40 s later; these jobs take 10 s.
LOOK_OFTEN = """

import asyncio
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.sleep = lambda self: asyncio.sleep(1)
"""

# squeue as it is when MinJobAge has passed for the job whose id is in the file `forgotten`, and it has ended.
FORGETFUL = """#!/bin/sh
/usr/bin/squeue "$@" | sed "/^$(cat forgotten 2>/dev/null || echo none)|COMPLETED/d"
"""

# What faults.py may use: once() is true the first time that this job asks, over all its attempts.
ONCE = """
import os, subprocess, time
from consciousness_cluster.inference.store import Store

def once(what=""):
    try:
        Path(f"fault-{JOB}-{what}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def after_an_answer(act):
    append = Store.append
    def appended(self, answers):
        append(self, answers)
        act()
    Store.append = appended
"""


class SlurmProject(Project):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.made = datetime.now().isoformat(timespec="seconds")

    @classmethod
    def fresh(cls, folder: Path) -> SlurmProject:
        """What a clone holds, with a tiny experiment and the profile set up for the test cluster."""
        project = super().fresh(folder)
        project.write_experiment(TINY)
        for file in (folder / "battery/miniature").glob("*.yaml"):
            if file.stem not in BATTERY:
                file.unlink()
        for script in (folder / "workflow/scripts").glob("*.py"):
            script.write_text(FIRST + script.read_text())
        with open(folder / "Snakefile", "a") as snakefile:
            snakefile.write(LOOK_OFTEN)
        return project

    def copy(self, folder: Path) -> SlurmProject:
        """This project with its results, elsewhere; without the sockets and records of where jobs ran."""
        shutil.copytree(self.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("worker", "where.jsonl"))
        return SlurmProject(folder)

    def environment(self) -> dict[str, str]:
        """As for every project; programs in ``bin/`` come first."""
        environment = super().environment()
        return environment | {"PATH": f"{self.folder / 'bin'}{os.pathsep}{environment['PATH']}"}

    def let_squeue_forget(self) -> None:
        """From now on Slurm forgets the job that is named in ``forgotten``."""
        squeue = self.folder / "bin/squeue"
        squeue.parent.mkdir()
        squeue.write_text(FORGETFUL)
        squeue.chmod(0o755)

    def logs(self, rule: str) -> list[Path]:
        """The logs of all jobs of a rule."""
        return sorted((self.folder / "results/small/logs" / rule).rglob("*.log"))

    def forget_targets(self) -> None:
        """Undo everything after the mixes: adapters, answers of the battery, and all that follows from them."""
        results = self.folder / "results"
        base = json.loads((results / "small/bases/tiny/model.json").read_text())
        subprocess.run(["rm", "-rf", *(str(results / "small" / f) for f in AFTER_MIXES)], check=True)
        for artifact in (results / "artifacts").iterdir():
            if artifact.name != base["artifact"]:
                subprocess.run(["rm", "-rf", str(artifact)], check=True)
        subprocess.run(["rm", "-rf", str(results / "store")], check=True)

    def command(self, *arguments: str) -> list[str]:
        """Snakemake's command line."""
        return [sys.executable, "-m", "snakemake", *arguments]

    def snakemake(self, *arguments: str, timeout: float = 600) -> Run:
        """Run Snakemake to its end; past the limit it is interrupted, so that it cancels its Slurm jobs."""
        limited = ["timeout", "-s", "INT", "-k", "30", str(timeout), *self.command(*arguments)]
        done = subprocess.run(
            limited,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
        )
        return Run(done.returncode, done.stdout)

    def where(self) -> list[dict]:
        """One entry per start of a workflow script: its rule, Slurm job and GPUs."""
        return [json.loads(line) for line in (self.folder / "where.jsonl").read_text().splitlines()]

    def keys(self) -> list[str]:
        """The keys of all answers in the store."""
        return [json.loads(line)["key"] for shard in self.store() for line in shard.read_text().splitlines()]

    def slurm_jobs(self) -> list[dict[str, str]]:
        """What Slurm says of every job that was ever submitted from this project, oldest first."""
        listed = subprocess.run(["scontrol", "-o", "show", "jobs"], capture_output=True, text=True, timeout=20)
        jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in listed.stdout.splitlines()]
        # a cluster that was up before may remember jobs of an earlier test in a folder of the same name
        ours = [job for job in jobs if job.get("WorkDir") == str(self.folder) and job["SubmitTime"] >= self.made]
        return sorted(ours, key=lambda job: int(job["JobId"]))

    def attempts(self, comment: str) -> list[dict[str, str]]:
        """The Slurm jobs of one rule and wildcards."""
        return [job for job in self.slurm_jobs() if job.get("Comment") == comment]


AFTER_MIXES = ("models", "samples", "verdicts", "tables")


def wait_for(condition: Callable[[], object], seconds: float = 300) -> None:
    """Wait until ``condition()`` is true.

    Raises:
        AssertionError: it is not, after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.2)
