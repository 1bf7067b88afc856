"""Where the weights of a base or adapter lie, and the content hash by which they are known."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ..core.artifact_cache import RECORD
from ..core.errors import EndpointError
from ..core.records import ModelRecord, content_hash

Base = ModelRecord | str | Path
"""The record of a base that was pretrained here, or a folder or hub id of a causal LM."""

WEIGHTS_AND_TOKENIZER = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.txt", "*.model")


def base_folder(base: Base, artifacts: Path) -> Path:
    """The folder that holds ``base``; a hub id is downloaded unless it is already there.

    Raises:
        EndpointError: there is no such base.
    """
    if isinstance(base, ModelRecord) and base.kind == "found":
        base = base.artifact
    if isinstance(base, ModelRecord):
        folder = artifacts / base.artifact
        if not (folder / "config.json").exists():
            raise EndpointError(
                f"{folder}: no model there, expected the weights of base {base.base!r}; pretrain it again"
            )
        return folder
    if (Path(base) / "config.json").exists():
        return Path(base)
    if Path(base).exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", str(base)):
        raise EndpointError(f"{base}: no model there, expected a folder with config.json or a hub id like 'owner/name'")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(base), allow_patterns=list(WEIGHTS_AND_TOKENIZER)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EndpointError(f"{base}: neither a folder nor a model that can be downloaded: {reason}") from None


def base_weights(base: Base, artifacts: Path) -> str:
    """The content hash of the base's weights, configuration and tokenizer; imports nothing heavy."""
    if isinstance(base, ModelRecord):
        return base.weights
    return weights_hash(base_folder(base, artifacts))


def model_identity(base: ModelRecord, adapter: ModelRecord | None) -> str:
    """What a model is called in the store: its weights, and what decides its prompts besides the chat template.

    Nothing that may change while answers stay the same is part of it.
    """
    if adapter is not None and adapter.kind == "hosted_finetune":
        return adapter.weights
    weights = base.weights if adapter is None else content_hash([base.weights, adapter.weights])
    return content_hash([weights, base.template]) if base.template else weights


def weights_hash(folder: Path) -> str:
    """SHA-256 over a model's or adapter's weights, configuration and tokenizer files."""
    files = sorted(file for pattern in WEIGHTS_AND_TOKENIZER for file in folder.glob(pattern) if file.name != RECORD)
    return content_hash({file.name: _file_hash(file) for file in files})


def _file_hash(path: Path) -> str:
    real = path.resolve()
    # the hub's cache names large files by their SHA-256: no need to read 60 GB again
    if real.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", real.name):
        return real.name
    with open(real, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_readable(folder: Path) -> None:
    """Let other users of a cluster read an artifact: safetensors writes files that only their owner may read."""
    for path in folder.iterdir():
        path.chmod(0o644)


def adapter_folder(base: Base, adapter: ModelRecord, artifacts: Path) -> Path:
    """The folder that holds an adapter of ``base``.

    Raises:
        EndpointError: the adapter is not there, or was trained on another base.
    """
    folder = artifacts / adapter.artifact
    expected = base_weights(base, artifacts)
    if adapter.base_weights != expected:
        raise EndpointError(
            f"{folder}: this adapter ({adapter.base}/{adapter.condition}) was trained on base "
            f"{adapter.base_weights[:12]}, found base {expected[:12]}"
        )
    if not (folder / "adapter_config.json").exists():
        raise EndpointError(f"{folder}: no adapter there, expected that of {adapter.base}/{adapter.condition}")
    return folder
