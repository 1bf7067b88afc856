"""What a folder of other people's models may hold in place of a model that can be used, each named in a line."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from ..core.errors import EndpointError
from .identity import model_files

POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that `git clone` without Git LFS leaves in place of a large one."""
POINTER_BYTES = 1024
TOKENIZER = re.compile(r"tokenizer.*\.json|vocab.*|tekken\.json|.+\.model|.*bpe.*")
"""Files of which a tokenizer has at least one."""
NO_POSITIONS = ("mamba", "ssm", "state_size", "rwkv", "attention_hidden_size", "linear_attn")
"""Beginnings of configuration keys of models that read in order and have no positions to run out of."""


def check_files(folder: Path) -> None:
    """Refuse a folder whose files cannot be a whole model.

    Raises:
        EndpointError: it holds pointers of Git LFS, or an adapter, or its configuration is not JSON.
    """
    for name in model_files(folder):
        file = folder / name
        if file.stat().st_size <= POINTER_BYTES and file.read_bytes().startswith(POINTER):
            raise EndpointError(
                f"{file}: found a pointer of Git LFS in place of the file; run `git lfs install` and `git lfs pull` in "
                f"{folder}, or download the model again"
            )
    if (folder / "adapter_config.json").exists():
        raise EndpointError(
            f"{folder}: found an adapter (adapter_config.json), expected a whole model: merge it, or name its base"
        )
    read_config(folder)


def read_config(folder: Path) -> dict[str, Any]:
    """A model's configuration as it is written.

    Raises:
        EndpointError: it cannot be read, or is no mapping in JSON.
    """
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise EndpointError(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise EndpointError(f"{file}: not valid JSON: {first_line(error)}") from None
    if not isinstance(config, dict):
        raise EndpointError(f"{file}: found a {type(config).__name__}, expected a mapping of keys")
    return config


def check_precision(folder: Path, device: str) -> None:
    """Refuse quantised weights that this environment cannot compute with.

    Args:
        folder: the model.
        device: where it will be.

    Raises:
        EndpointError: how they are quantised, and what is missing.
    """
    config = read_config(folder)
    settings = config.get("quantization_config") or (config.get("text_config") or {}).get("quantization_config")
    if not settings:
        return
    from transformers.quantizers.auto import AutoHfQuantizer

    method = settings.get("quant_method") or "bitsandbytes"
    try:
        AutoHfQuantizer.from_config(settings, pre_quantized=True).validate_environment(device_map={"": device})
    except Exception as error:
        raise EndpointError(
            f"{folder}: its weights are quantised ({method}), which cannot be computed with here: {first_line(error)}; "
            "expected the model in full precision, or endpoint vllm for one that is not trained"
        ) from None


def check_tokenizer(folder: Path) -> None:
    """Refuse a tokenizer that is not there, or that needs a package which is not there.

    Raises:
        EndpointError: what is missing, and what to do instead.
    """
    if not any(TOKENIZER.fullmatch(name) for name in model_files(folder)):
        raise EndpointError(
            f"{folder}: not a causal LM that can be loaded: no tokenizer there, expected tokenizer.json"
        )
    alone = folder / "tokenizer.model"
    if (folder / "tokenizer.json").exists() or not alone.exists():
        return
    with open(alone, "rb") as file:
        package = "tiktoken" if re.match(rb"[A-Za-z0-9+/]+=* \d+\n", file.readline(200)) else "sentencepiece"
    if importlib.util.find_spec(package) is None:
        raise EndpointError(
            f"{folder}: its tokenizer is tokenizer.model alone, and the package {package}, which reads that, is not "
            f"installed; expected tokenizer.json beside it: install {package} and protobuf, load it once with "
            "AutoTokenizer.from_pretrained and save it there with save_pretrained"
        )


def position_limit(folder: Path) -> int | None:
    """How many tokens a model has positions for; None if it can be asked further, or does not say.

    Positions that rotate (RoPE) go on behind what a model was trained for; learned ones end.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False).get_text_config()
    except Exception:  # whoever loads the model says what is wrong with it
        return None
    if any(getattr(config, name, None) for name in ("rope_parameters", "rope_theta", "rope_scaling")):
        return None
    if any(key.startswith(NO_POSITIONS) for key in config.to_dict()):
        return None
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "max_seq_len", None)
    return limit if isinstance(limit, int) and limit > 0 else None


def check_positions(folder: Path, needed: int, what: str, remedy: str) -> None:
    """Refuse a text that is longer than a model has positions for.

    Args:
        folder: the model.
        needed: tokens of the longest text.
        what: the longest text.
        remedy: what to change.

    Raises:
        EndpointError: how long it is, and how long it may be.
    """
    limit = position_limit(folder)
    if limit is not None and needed > limit:
        raise EndpointError(
            f"{folder}: {what}: {needed} tokens, found {limit} positions; {remedy}, or take another model"
        )


def first_line(error: BaseException) -> str:
    """What an exception says first; its name if it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
