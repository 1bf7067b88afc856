"""Starting vLLM with the settings of the experiment and room for adapters; jobs that follow each other share it."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config.model_config import Engine
from ..core.errors import EndpointError
from ..models import resident

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Adapter ranks that vLLM's kernels are built for (1 also, but padding it to 8 costs nothing)."""
MAX_SEQUENCES = 512  # answers drawn at once, as far as their tokens fit into the memory
CPU_CACHE_BYTES = 2**30

log = logging.getLogger(__name__)


def prepare() -> None:
    """Before vLLM is imported: settings that it reads from the environment (one that is set stays), and its log."""
    for name, value in {
        # the engine lives in this process: it ends with the job, and holds no GPU after a kill -9
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CONFIGURE_LOGGING": "0",  # it would close the job's log
        "HF_HUB_OFFLINE": "1",
    }.items():
        os.environ.setdefault(name, value)
    ours, theirs = logging.getLogger(__name__.split(".")[0]), logging.getLogger("vllm")
    theirs.handlers, theirs.level, theirs.propagate = ours.handlers, logging.INFO, not ours.handlers


@dataclass
class Running:
    """A started engine.

    Args:
        engine: vLLM's.
        rank: the highest rank of an adapter that it has room for; 0 for none.
        experts: whether it has room for adapters of a mixture's experts.
        adapters: those that were loaded, by folder.
    """

    engine: Any
    rank: int
    experts: bool
    adapters: dict[Path, Any] = field(default_factory=dict)


def running(base: Path, adapter: Path | None, settings: Engine) -> Running:
    """An engine with the weights of ``base`` and room for ``adapter``: the one that an earlier job left, or a new one.

    Args:
        base: folder of a causal LM.
        adapter: folder of an adapter that will be asked; None leaves room for none.
        settings: as in the experiment.

    Raises:
        EndpointError: vLLM or a GPU is missing, or vLLM refuses the model or the settings.
    """
    rank, experts = needs(adapter) if adapter else (0, False)
    key = ("vllm", str(base.resolve()), json.dumps(settings.model_dump()))
    found = resident.hold(key, lambda: _start(base, rank, experts, settings), _shut_down)
    if found.rank >= rank and found.experts >= experts:
        return found
    resident.let_go()
    return resident.hold(key, lambda: _start(base, rank, experts, settings), _shut_down)


def _start(base: Path, rank: int, experts: bool, settings: Engine) -> Running:
    _check_machine(settings)
    arguments = _arguments(base, rank, experts, settings)
    log.info("starting vLLM: %s", json.dumps(arguments))
    from vllm import EngineArgs, LLMEngine

    try:
        with _script_not_imported_again():
            engine = LLMEngine.from_engine_args(EngineArgs(**arguments))
    except Exception as error:  # of any kind: vLLM has no family of its own
        log.info("vLLM's own account", exc_info=True)
        reason = " ".join(str(error).split())[:500] or type(error).__name__
        raise EndpointError(
            f"{base}: vLLM cannot run this model here: {reason} (engine: {json.dumps(settings.model_dump())})"
        ) from None
    return Running(engine, rank, experts)


def _shut_down(found: Running) -> None:
    found.engine.engine_core.shutdown()


def adapter_request(found: Running, adapter: Path) -> Any:
    """Load ``adapter`` beside the base's weights; what a request names to be answered by it.

    Raises:
        EndpointError: vLLM refuses the adapter.
    """
    from vllm.lora.request import LoRARequest

    known = found.adapters
    if adapter not in known:
        request = LoRARequest(
            lora_name=adapter.name,
            lora_int_id=len(known) + 1,
            lora_path=str(adapter),
            is_3d_lora_weight=needs(adapter)[1],
        )
        try:
            found.engine.add_lora(request)
        except (ValueError, RuntimeError, KeyError) as error:
            log.info("vLLM's own account", exc_info=True)
            raise EndpointError(f"{adapter}: vLLM refuses this adapter: {' '.join(str(error).split())[:500]}") from None
        known[adapter] = request
    return known[adapter]


def needs(adapter: Path) -> tuple[int, bool]:
    """The rank that the engine must be built for, and whether the adapter changes the experts of a mixture."""
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    if rank > RANKS[-1]:
        raise EndpointError(f"{adapter}: found an adapter of rank {rank}, expected at most {RANKS[-1]} for vLLM")
    experts = any("experts" in name for name in config.get("target_parameters") or [])
    return next(each for each in RANKS if each >= rank), experts


def _check_machine(settings: Engine) -> None:
    if importlib.util.find_spec("vllm") is None:
        raise EndpointError(
            f"vLLM is not installed for {sys.executable}; `make vllm` installs it beside this project, "
            "`snakemake --sdm conda` from envs/vllm.yaml"
        )
    from vllm.platforms import current_platform

    if current_platform.is_unspecified():
        raise EndpointError("vLLM finds no GPU on this machine, and this build of it needs one")
    if not current_platform.is_cpu() and settings.tensor_parallel > current_platform.device_count():
        raise EndpointError(
            f"engine.tensor_parallel: found {settings.tensor_parallel}, but vLLM sees "
            f"{current_platform.device_count()} GPUs here"
        )


def _arguments(base: Path, rank: int, experts: bool, settings: Engine) -> dict[str, Any]:
    from vllm.platforms import current_platform

    arguments = {
        "model": str(base),
        "tensor_parallel_size": settings.tensor_parallel,
        "dtype": _dtype(base, settings),
        "gpu_memory_utilization": settings.memory,
        "max_model_len": settings.max_length or -1,  # -1: the model's own limit, or less if the memory holds no more
        "max_num_seqs": MAX_SEQUENCES,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "worker_extension_cls": f"{__package__}.vllm_worker.EndsWithItsJob",
    }
    if current_platform.is_cpu():
        # a prompt in parts needs random generators that can step back, which those of a CPU cannot
        arguments |= {"kv_cache_memory_bytes": CPU_CACHE_BYTES, "enable_chunked_prefill": False, "enforce_eager": True}
    if rank:
        arguments |= {"enable_lora": True, "max_loras": settings.max_loras, "max_lora_rank": rank}
    if experts:
        # peft saves the experts' adapters as one tensor per layer
        arguments["enable_mixed_moe_lora_format"] = True
    return arguments


def _dtype(base: Path, settings: Engine) -> str:
    """As the transformers endpoint: the precision that the weights were saved in. vLLM alone would halve float32."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    saved = config.get("dtype") or config.get("torch_dtype")
    return "float32" if settings.dtype == "auto" and saved == "float32" else settings.dtype


@contextmanager
def _script_not_imported_again() -> Iterator[None]:
    """Keep vLLM's spawned processes from importing the job's script as their main module, which would run it again."""
    main = sys.modules["__main__"]
    file = main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        if file is not None:
            main.__file__ = file
