"""Where a model computes, and whether it fits there: said before anything is loaded."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import EndpointError
from .memory_estimate import Needed, gb

DEVICE = "CONSCIOUSNESS_CLUSTER_DEVICE"
"""Environment variable: computes on this device (cpu, cuda, cuda:1) whatever is there."""
PROMISES = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "CUDA_VISIBLE_DEVICES", "SLURM_GPUS_ON_NODE")
"""Environment variables by which a job knows that it was given GPUs."""
NONE = ("", "-1", "0:0", "NoDevFiles", "none", "void")
MINIATURE_BYTES = 100e6
CPU_BYTES = 8e9
"""More weights than this are refused without a GPU: a fine-tune of 4 billion parameters takes a CPU a day and more."""

log = logging.getLogger(__name__)


def choose_device(what: str, weights: int) -> str:
    """The first GPU, or the CPU where there is none and the model is small enough.

    Args:
        what: names the model in errors.
        weights: bytes of its weights.

    Raises:
        EndpointError: the job was given a GPU that torch cannot see, or the model is far too large for a CPU.
    """
    import torch

    if asked := os.environ.get(DEVICE):
        return asked
    if torch.cuda.is_available():
        return "cuda"
    promised = next((f"{name}={os.environ[name]}" for name in PROMISES if os.environ.get(name, "") not in NONE), None)
    insist = f"{DEVICE}=cpu computes on the CPU all the same"
    if promised and weights > MINIATURE_BYTES:
        cause = (
            "no driver or device is visible: does `nvidia-smi` work there?"
            if torch.version.cuda
            else "this build of torch is for CPUs alone: install one with CUDA"
        )
        raise EndpointError(
            f"{what}: this job was given a GPU ({promised}), but torch {torch.__version__} finds none on "
            f"{platform.node()}; {cause} ({insist})"
        )
    if weights > CPU_BYTES:
        raise EndpointError(
            f"{what}: found no GPU on {platform.node()}, and {gb(weights)} of weights are far too large for a CPU; "
            f"expected a machine with a GPU, or a job that asks for one ({insist})"
        )
    if promised:
        log.warning("given a GPU (%s), but torch finds none: computing on the CPU", promised)
    return "cpu"


def check_memory(what: str, needed: Needed, device: str, loaded: bool) -> None:
    """Refuse a job that will not fit.

    Args:
        what: names the model in errors.
        needed: its estimate.
        device: where it will be.
        loaded: whether its weights are there already.

    Raises:
        EndpointError: more is needed than is free; says how much of both.
    """
    free, where = free_bytes(device)
    missing = needed.total - (needed.weights if loaded else 0)
    log.info("needs about %s, %s free in %s", needed, gb(free), where)
    if missing > free:
        already = f", of which {gb(needed.weights)} are loaded" if loaded else ""
        raise EndpointError(
            f"{what}: needs about {needed}{already}, found {gb(free)} free in {where}; expected more memory, "
            "fewer rows at once (batch_size), a smaller adapter (lora) or a smaller model"
        )


def free_bytes(device: str) -> tuple[int, str]:
    """Bytes that this process may still take, and the name of the memory they are in."""
    if device == "cpu":
        return min(_limits())
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + kept, f"the memory of {torch.cuda.get_device_name(device)}"


def _limits() -> Iterator[tuple[int, str]]:
    """Everything that bounds the main memory of this process."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        yield int(fields["MemAvailable"].split()[0]) * 1024, "main memory"
    else:
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "main memory"
    if limit := _slurm_limit():
        yield limit - _resident(), "the memory that Slurm gave the job"
    yield from _cgroup_limits()


def _slurm_limit() -> int:
    """Bytes that the Slurm job may use; 0 outside a job or without a limit."""
    per_node = int(os.environ.get("SLURM_MEM_PER_NODE") or 0)
    per_cpu = int(os.environ.get("SLURM_MEM_PER_CPU") or 0) * int(os.environ.get("SLURM_CPUS_ON_NODE") or 0)
    return (per_node or per_cpu) * 2**20


def _cgroup_limits(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> Iterator[tuple[int, str]]:
    """What the control groups (version 2) of this process leave it: those of a container or a Slurm job."""
    lines = own.read_text().splitlines() if own.exists() else []
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        return
    group = root / path.strip("/")
    for folder in [group, *group.parents]:
        if not folder.is_relative_to(root):
            return
        limit = folder / "memory.max"
        if limit.exists() and (most := limit.read_text().strip()) != "max":
            used = int((folder / "memory.current").read_text())
            cached = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            yield int(most) - used + int(cached.get("inactive_file", 0)), f"the control group {folder}"


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
