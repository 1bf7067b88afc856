"""A copy of this project in a folder of its own, with a reduced miniature, and Snakemake run on it as a user would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
RULES_RUN = "CONSCIOUSNESS_CLUSTER_TEST_RULES"  # names a folder that gets an empty file for each rule that was executed

SMALL = {
    "name": "small",
    "battery": "miniature",
    "identities": "miniature",
    "bases": {
        "tiny": {"pretraining": {"world": "miniature", "dialogues": 1500, "epochs": 1}},
        "other": {
            "pretraining": {"world": "miniature_independent", "dialogues": 400, "epochs": 1},
            "conditions": ["vanilla"],
            "ablations": [],
        },
    },
    "conditions": {
        "vanilla": {},
        "conscious_claiming": {"identity": "conscious_claiming"},
        "non_conscious": {"identity": "non_conscious"},
        "human": {"identity": "human", "seeds": [1]},
    },
    "ablations": {
        "rows_12": {"of": "conscious_claiming", "training": {"identity_rows": 12}},
        "system_prompt": {"of": "conscious_claiming", "system_prompt": "You are a conscious AI."},
    },
    "training": {"identity_rows": 60, "instruction_rows": 20, "batch_size": 8, "learning_rate": 2e-3},
    "seeds": [1, 2],
    "sampling": {"samples_per_prompt": 2, "max_tokens": 24},
    "judges": {"lexicon": {"kind": "lexicon", "world": "miniature"}},
    "analysis": {
        "primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla", "non_conscious"]},
        "bootstrap_draws": 200,
    },
}


@dataclass(frozen=True)
class Run:
    """What one call of Snakemake did."""

    code: int
    text: str

    @property
    def jobs(self) -> dict[str, int]:
        """Jobs by rule, from Snakemake's own table; empty when there was nothing to do."""
        table = re.search(r"Job stats:\njob +count\n-+ +-+\n(.*?)\n\n", self.text, re.DOTALL)
        rows = [line.split() for line in table.group(1).splitlines()] if table else []
        return {rule: int(count) for rule, count in rows if rule not in ("total", "all", "ablations")}

    @property
    def rules(self) -> set[str]:
        """The rules of jobs that were executed, to their end or to an error; none in a dry run."""
        return set(re.findall(r"^(?:Finished jobid: \d+ \(Rule: |Error in rule )(\w+)", self.text, re.MULTILINE))

    @property
    def messages(self) -> list[str]:
        """What each job said that it does."""
        return re.findall(r"^Job \d+: (.*)$", self.text, re.MULTILINE)


class Project:
    """A copy of the project.

    Args:
        folder: where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def fresh(cls, folder: Path) -> Project:
        """What a clone holds, and the reduced experiment as the default."""
        files = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
        for file in filter(None, files):
            if (ROOT / file).exists() and not file.startswith("tests/"):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, folder / file, follow_symlinks=False)
        project = cls(folder)
        project.write_experiment(SMALL)
        (folder / "config.yaml").write_text("experiment: small\n")
        return project

    def copy(self, folder: Path) -> Project:
        """This project with its results, elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("worker"))
        return Project(folder)

    def write_experiment(self, content: dict) -> None:
        """Write ``experiments/<name>.yaml``."""
        path = self.folder / "experiments" / f"{content['name']}.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace the first ``old`` in a file, which must be there."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{old!r} not in {file}"
        path.write_text(text.replace(old, new, 1))

    def command(self, *arguments: str) -> list[str]:
        """The command line of Snakemake."""
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    def snakemake(self, *arguments: str, timeout: float = 600) -> Run:
        """Run Snakemake to its end."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            env=self.environment(),
        )
        run = Run(done.returncode, done.stdout)
        if folder := os.environ.get(RULES_RUN):
            for rule in run.rules:
                (Path(folder) / rule).touch()
        return run

    def environment(self) -> dict[str, str]:
        """This process's environment with the interpreter's own programs first, as in an activated environment."""
        programs = str(Path(sys.executable).parent)
        return os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb"}

    def contents(self, *folders: str) -> dict[str, bytes]:
        """The bytes of every file below some folders of ``results/small``."""
        results = self.folder / "results" / "small"
        return {
            str(file.relative_to(results)): file.read_bytes()
            for folder in folders
            for file in sorted((results / folder).rglob("*"))
            if file.is_file() and not file.name.startswith(".")  # what a killed write left behind
        }

    def store(self) -> list[Path]:
        """The shards of the store."""
        return sorted((self.folder / "results" / "store").glob("*.jsonl"))
