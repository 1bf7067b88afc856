"""The conda environments' Python packages fit together: a resolver finds exactly what they pin. It needs the index."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from vllm_server.conftest import ROOT


@pytest.mark.parametrize("name", ["core", "training", "tinker"])
def test_the_pip_part_of_a_conda_environment_resolves(name, tmp_path):
    content = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    assert content["dependencies"][0] == "python=3.11"
    pinned = content["dependencies"][-1]["pip"]
    (tmp_path / "requirements.in").write_text("\n".join(pinned))
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    target = ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_31"]
    done = subprocess.run(
        [
            uv,
            "pip",
            "compile",
            "-q",
            "--no-config",
            "--no-annotate",
            "--no-header",
            *target,
            tmp_path / "requirements.in",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    resolved = {line.lower().replace("_", "-") for line in done.stdout.split()}
    machine = {"python_full_version": "3.11.9", "python_version": "3.11", "sys_platform": "linux"}
    machine |= {"platform_machine": "x86_64", "platform_system": "Linux", "os_name": "posix"}
    rows = [Requirement(line) for line in pinned]
    rows = [row for row in rows if row.marker is None or row.marker.evaluate(machine)]
    wanted = {f"{row.name}{row.specifier}".lower().replace("_", "-") for row in rows}
    assert len(wanted) > 50
    assert wanted <= resolved
    # torch brings what a GPU needs, and pins it itself
    brought = {package.split("==")[0] for package in resolved - wanted}
    assert all(package.startswith(("nvidia-", "cuda-", "triton", "setuptools")) for package in brought), brought
