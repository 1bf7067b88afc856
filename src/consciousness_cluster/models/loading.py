"""Loading a base, with or without an adapter."""

from __future__ import annotations

import copy
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import EndpointError
from ..core.records import ModelRecord
from . import resident
from .memory_estimate import Needed, weights_bytes
from .placement import check_memory, choose_device

if TYPE_CHECKING:
    from .moe_lora import ExpertsPath
from .identity import Base, adapter_folder, base_folder

log = logging.getLogger(__name__)


def no_bars_in_logs() -> None:
    """Switch off the progress bars of transformers where nobody watches them."""
    from transformers.utils.logging import disable_progress_bar

    if not sys.stderr.isatty():
        disable_progress_bar()


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
    model = resident.hold(_key(base, device), lambda: load_model(base_folder(base, artifacts), device))
    if resident.serving:
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
    loaded = resident.holds(_key(base, device))
    if not loaded:
        resident.let_go()
    check_memory(str(folder), needed(folder, device_there), device_there, loaded)


def _key(base: Base, device: str | None) -> tuple[str, ...]:
    # a record says what it stands for; without one only the folder's name is known without reading it
    return ("transformers", base.weights if isinstance(base, ModelRecord) else str(base), device or "")


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
        experts: who computes adapters of a mixture's experts, see `moe_lora.choose_path`.

    Raises:
        EndpointError: base or adapter is not there, or the adapter was trained on another base.
    """
    folder = adapter_folder(base, adapter, artifacts) if adapter else None
    tokenizer = load_tokenizer(base_folder(base, artifacts))
    model = share_model(base, artifacts, device)
    if folder is None:
        return model, tokenizer
    from peft import PeftModel

    from .moe_lora import choose_path

    adapted = PeftModel.from_pretrained(model, str(folder)).eval()
    choose_path(adapted, experts)
    return adapted, tokenizer
