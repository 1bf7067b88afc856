"""Loading a base, with or without an adapter, and naming weights by their content."""

from __future__ import annotations

import copy
import hashlib
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import held
from .artifacts import RECORD
from .devices import check_memory, choose_device
from .errors import EndpointError
from .experiment import VANILLA
from .loading import write_rows
from .memory import Needed, weights_bytes
from .rows import ModelRecord, content_hash

if TYPE_CHECKING:
    from .experts import ExpertsPath

log = logging.getLogger(__name__)

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
    """What a model is called in the store: its weights, and nothing that may change while they stay the same."""
    if adapter is None:
        return base.weights
    return adapter.weights if adapter.kind == "hosted_finetune" else content_hash([base.weights, adapter.weights])


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


def no_bars_in_logs() -> None:
    """Switch off the progress bars of transformers where nobody watches them."""
    from transformers.utils.logging import disable_progress_bar

    if not sys.stderr.isatty():
        disable_progress_bar()


def make_readable(folder: Path) -> None:
    """Let other users of a cluster read an artifact: safetensors writes files that only their owner may read."""
    for path in folder.iterdir():
        path.chmod(0o644)


def load_tokenizer(folder: str | Path) -> Any:
    """Load the tokenizer of a base.

    Raises:
        EndpointError: the folder holds none, or it has no chat template.
    """
    from transformers import AutoTokenizer

    if not (Path(folder) / "config.json").exists():
        raise EndpointError(f"{folder}: no model there, expected a folder with config.json")
    with _named(folder):
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
    if not tokenizer.chat_template:
        raise EndpointError(
            f"{folder}: the tokenizer has no chat template, expected that of an instruction-tuned model"
        )
    return tokenizer


def load_model(folder: str | Path, device: str | None = None) -> Any:
    """Load a causal LM in the precision it was saved in, ready to be asked or adapted.

    Args:
        folder: a folder with a model of transformers, see `base_folder`.
        device: default: see `choose_device`.

    Raises:
        EndpointError: the folder holds no causal LM, or there is no device for it.
    """
    from transformers import AutoModelForCausalLM

    no_bars_in_logs()
    device = device or choose_device(str(folder), weights_bytes(Path(folder)))
    log.info("loading %s onto %s", folder, device)
    started = time.monotonic()
    with _named(folder):
        model = AutoModelForCausalLM.from_pretrained(
            str(folder),
            dtype="auto",
            attn_implementation="sdpa",
            # straight onto the card: the model need not fit into main memory
            **({"device_map": {"": device}} if device != "cpu" else {}),
        )
    log.info("loaded in %.2f s", time.monotonic() - started)
    return model.eval()


@contextmanager
def _named(folder: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise EndpointError(f"{folder}: not a causal LM that can be loaded: {str(error).splitlines()[0]}") from None


def load_base(folder: str | Path, device: str | None = None) -> tuple[Any, Any]:
    """A causal LM and its tokenizer; see `load_model` and `load_tokenizer`."""
    tokenizer = load_tokenizer(folder)
    return load_model(folder, device), tokenizer


def share_model(base: Base, artifacts: Path, device: str | None = None) -> Any:
    """Like `load_model`, but jobs that follow each other in one process load a base once.

    Each gets a model of its own, to adapt as it likes, over the same tensors; none may write to these.
    """
    model = held.hold(_key(base, device), lambda: load_model(base_folder(base, artifacts), device))
    if held.serving:
        model = copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})
    return model


def check_room(base: Base, artifacts: Path, device: str | None, needed: Callable[[Path, str], Needed]) -> None:
    """Refuse a job that will not fit, before its base is loaded; what another job left loaded is let go first.

    Args:
        base: the base.
        artifacts: the artifact folder.
        device: default: see `choose_device`.
        needed: estimates the job's memory from the base's folder and the device.

    Raises:
        EndpointError: too little memory is free, or there is no device for the base.
    """
    folder = base_folder(base, artifacts)
    device_there = device or choose_device(str(folder), weights_bytes(folder))
    loaded = held.holds(_key(base, device))
    if not loaded:
        held.let_go()
    check_memory(str(folder), needed(folder, device_there), device_there, loaded)


def _key(base: Base, device: str | None) -> tuple[str, ...]:
    # a record says what it stands for; without one only the folder's name is known without reading it
    return ("transformers", base.weights if isinstance(base, ModelRecord) else str(base), device or "")


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


def load_target(
    base: Base,
    adapter: ModelRecord | None,
    artifacts: Path,
    device: str | None = None,
    experts: ExpertsPath = "auto",
) -> tuple[Any, Any]:
    """Load ``base`` with the adapter that a fine-tune left (never merged: merging rounds), or alone.

    Args:
        base: the base.
        adapter: record of a fine-tune; None loads the base alone.
        artifacts: the artifact folder.
        device: default: the first GPU, or the CPU where there is none.
        experts: who computes adapters of a mixture's experts, see `experts.choose_path`.

    Raises:
        EndpointError: base or adapter is not there, or the adapter was trained on another base.
    """
    folder = adapter_folder(base, adapter, artifacts) if adapter else None
    tokenizer = load_tokenizer(base_folder(base, artifacts))
    model = share_model(base, artifacts, device)
    if folder is None:
        return model, tokenizer
    from peft import PeftModel

    from .experts import choose_path

    adapted = PeftModel.from_pretrained(model, str(folder)).eval()
    choose_path(adapted, experts)
    return adapted, tokenizer


def find_base(model: str, hosted: bool, base: str, output: str) -> None:
    """Find a base in a folder or on the hub and write its `ModelRecord`; a hosted one is known by its id alone.

    Raises:
        EndpointError: there is no such model.
    """
    record = ModelRecord(
        base=base,
        condition=VANILLA,
        seed=0,
        kind="hosted" if hosted else "found",
        artifact=model,
        weights=model if hosted else weights_hash(base_folder(model, Path())),
        data_hash="",
        hyperparameters={},
        tokens=0,
        trained_tokens=0,
        steps=0,
        final_loss=0.0,
        trainable_parameters=0,
        duration_s=0.0,
        versions={},
    )
    write_rows(output, [record])
