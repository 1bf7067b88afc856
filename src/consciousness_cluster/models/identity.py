"""Where the weights of a base or adapter lie, and the content hash by which they are known.

A record says which content was found. Whoever loads it gets that content or an error: what lies in a folder, or under
a name on the hub, may be another model by now.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..core.artifact_cache import RECORD
from ..core.errors import EndpointError
from ..core.records import ModelRecord, content_hash
from . import hub
from .file_hashes import hash_files

Base = ModelRecord | str | Path
"""The record of a base, or a folder or hub id of a causal LM."""

WEIGHTS_AND_TOKENIZER = (
    *("*.safetensors", "*.bin", "*.json", "*.jinja", "*.txt", "*.model"),
    "additional_chat_templates/*.jinja",
)
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def base_folder(base: Base, artifacts: Path) -> Path:
    """The folder that holds ``base``; a model of the hub is downloaded unless it is already there.

    What a record stands for is checked: the files are those that were found or made (each large one is read once).

    Raises:
        EndpointError: there is no such base, or its files are others than the record says.
    """
    if not isinstance(base, ModelRecord):
        return found_folder(str(base))
    if base.kind != "found":
        folder = artifacts / base.artifact
        maker = "find_base" if base.kind == "converted" else "pretrain_base"
        if not (folder / "config.json").exists():
            raise EndpointError(
                f"{folder}: no model there, expected the weights of base {base.base!r}; make it again with "
                f"--forcerun {maker}"
            )
        return _checked(folder, base, artifacts, f"delete {folder} and run again with --forcerun {maker}")
    if not base.revision:
        folder = Path(base.artifact)
        if not (folder / "config.json").exists():
            raise EndpointError(
                f"{folder}: no model there, expected the one that was found as {base.base!r} "
                f"(content {base.weights[:12]}); put it back, or find another with --forcerun find_base find_judge"
            )
        again = "run again to find the new model, whose answers and adapters are its own, or put the old files back"
        return _checked(folder, base, artifacts, again)
    patterns = list(WEIGHTS_AND_TOKENIZER)
    if (folder := hub.cached(base.artifact, base.revision, patterns)) is None or (
        weights_hash(folder, artifacts) != base.weights
    ):
        folder = hub.download(base.artifact, base.revision, patterns)  # or what is missing of it
    again = f"delete {folder} (and its blobs) and run again to download it anew"
    return _checked(folder, base, artifacts, again)


def found_folder(model: str, revision: str = "") -> Path:
    """A folder with a model, or that of a model of the hub, as it is now.

    Args:
        model: folder or hub id.
        revision: of a hub id; '' is its main branch.

    Raises:
        EndpointError: there is no such model.
    """
    if (Path(model) / "config.json").exists():
        return Path(model)
    if Path(model).exists() or not HUB_ID.fullmatch(model):
        raise EndpointError(
            f"{model}: no model there, expected a folder with config.json or a GGUF file, or a hub id owner/name"
        )
    folder = hub.download(model, revision, list(WEIGHTS_AND_TOKENIZER))
    if not (folder / "config.json").exists():
        raise EndpointError(f"{model}: on the hub, but without a config.json; expected a model of transformers")
    return folder


def base_weights(base: Base, artifacts: Path) -> str:
    """The content hash of the base's weights, configuration and tokenizer; imports nothing heavy."""
    if isinstance(base, ModelRecord):
        return base.weights
    return weights_hash(base_folder(base, artifacts), artifacts)


def model_identity(base: ModelRecord, adapter: ModelRecord | None) -> str:
    """What a model is called in the store: its weights, and what decides its prompts besides the chat template.

    Of a hosted model: the provider's id, and which providers a router may choose for it. Nothing that may change while
    answers stay the same is part of it.
    """
    if base.kind == "hosted" or (adapter is not None and adapter.kind == "hosted_finetune"):
        name = (adapter or base).weights
        return f"{name} routed {content_hash(base.routing)[:16]}" if base.routing else name
    weights = base.weights if adapter is None else content_hash([base.weights, adapter.weights])
    return content_hash([weights, base.template]) if base.template else weights


def model_files(folder: Path) -> list[str]:
    """A model's or adapter's weights, configuration and tokenizer files: their paths below ``folder``, sorted."""
    found = {file.relative_to(folder).as_posix() for pattern in WEIGHTS_AND_TOKENIZER for file in folder.glob(pattern)}
    return sorted(found - {RECORD})


def weights_hash(folder: Path, artifacts: Path | None = None) -> str:
    """SHA-256 over a model's or adapter's weights, configuration and tokenizer files.

    Args:
        folder: where they lie.
        artifacts: the artifact folder, which knows large files that were read before; None reads them all.

    Raises:
        EndpointError: a file cannot be read, or changed meanwhile.
    """
    return content_hash(hash_files(folder, model_files(folder), artifacts))


def folder_files(model: str) -> list[str]:
    """Paths of the files of a model in a folder; [] of a hub id."""
    folder = Path(model)
    return [str(folder / name) for name in _files_of(folder)]


def folder_weights(model: str, artifacts: Path) -> str:
    """The content hash of a model in a folder, '' of a hub id; see `weights_hash`."""
    names = _files_of(Path(model))
    return content_hash(hash_files(Path(model), names, artifacts)) if names else ""


def _files_of(folder: Path) -> list[str]:
    """What a model in a folder consists of, in this project's form or as a GGUF file; [] where there is none."""
    if (folder / "config.json").exists():
        return model_files(folder)
    return sorted(file.name for file in folder.glob("*.gguf"))


def _checked(folder: Path, record: ModelRecord, artifacts: Path, remedy: str) -> Path:
    """``folder``, if it holds what ``record`` says."""
    found = weights_hash(folder, artifacts)
    if found != record.weights:
        what = f"{record.base}/{record.condition}" if record.kind == "adapter" else record.base
        raise EndpointError(
            f"{folder}: its files changed since {what} was recorded: recorded {record.weights[:12]}, "
            f"found {found[:12]}; {remedy}"
        )
    return folder


def make_readable(folder: Path) -> None:
    """Let other users of a cluster read an artifact: safetensors writes files that only their owner may read."""
    for path in folder.iterdir():
        path.chmod(0o644)


def adapter_folder(base: Base, adapter: ModelRecord, artifacts: Path) -> Path:
    """The folder that holds an adapter of ``base``.

    Raises:
        EndpointError: the adapter is not there, is not what was trained, or was trained on another base.
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
    return _checked(folder, adapter, artifacts, f"delete {folder} and run again with --forcerun finetune")
