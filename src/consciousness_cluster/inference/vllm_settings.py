"""What vLLM's server is started with: for a base, the adapters that it must have room for, and the settings."""

from __future__ import annotations

import json
from pathlib import Path

from ..config.model_config import Engine
from ..core.errors import EndpointError

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Adapter ranks that vLLM's kernels are built for (1 also, but padding it to 8 costs nothing)."""

MAX_SEQUENCES = 512
"""Answers drawn at once, as far as their tokens fit into the memory."""


def needs(adapter: Path) -> tuple[int, bool]:
    """The rank that the server must be started for, and whether the adapter changes the experts of a mixture.

    Raises:
        EndpointError: its rank is higher than vLLM's kernels are built for.
    """
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    if rank > RANKS[-1]:
        raise EndpointError(f"{adapter}: found an adapter of rank {rank}, expected at most {RANKS[-1]} for vLLM")
    experts = any("experts" in name for name in config.get("target_parameters") or [])
    return next(each for each in RANKS if each >= rank), experts


def server_arguments(base: Path, name: str, rank: int, experts: bool, settings: Engine) -> list[str]:
    """The command line of the server, but for its address.

    Args:
        base: folder of a causal LM.
        name: what the base is called in requests.
        rank: the highest rank of an adapter that will be asked; 0 for none.
        experts: whether adapters of a mixture's experts will be asked.
        settings: as in the experiment.
    """
    arguments = {
        "model": str(base),
        "served-model-name": name,
        "tensor-parallel-size": settings.tensor_parallel,
        "dtype": _dtype(base, settings),
        "gpu-memory-utilization": settings.memory,
        "max-model-len": settings.max_length or -1,  # -1: the model's own limit, or less if the memory holds no more
        "max-num-seqs": MAX_SEQUENCES,
        # a model's own sampling defaults (top_k, penalties) would change answers unasked
        "generation-config": "vllm",
        "uvicorn-log-level": "warning",
    }
    switches = ["enable-prefix-caching", "disable-log-stats", "disable-uvicorn-access-log"]
    if rank:
        switches.append("enable-lora")
        arguments |= {"max-loras": settings.max_loras, "max-lora-rank": rank}
    if experts:
        # peft saves the experts' adapters as one tensor per layer
        switches.append("enable-mixed-moe-lora-format")
    line = [word for key, value in arguments.items() for word in (f"--{key}", str(value))]
    return line + [f"--{switch}" for switch in switches]


def _dtype(base: Path, settings: Engine) -> str:
    """As the transformers endpoint: the precision that the weights were saved in. vLLM alone would halve float32."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    saved = config.get("dtype") or config.get("torch_dtype")
    return "float32" if settings.dtype == "auto" and saved == "float32" else settings.dtype
