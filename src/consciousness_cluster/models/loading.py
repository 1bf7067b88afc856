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
from .folder_checks import check_files, check_precision, check_tokenizer, first_line
from .identity import Base, adapter_folder, base_folder, base_weights
from .memory_estimate import Needed, UnknownArchitectureError, weights_bytes
from .placement import check_memory, choose_device

if TYPE_CHECKING:
    from .moe_lora import ExpertsPath

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
    check_files(Path(folder))
    check_tokenizer(Path(folder))
    with _named(folder, "not a causal LM that can be loaded: its tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
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
    no_bars_in_logs()
    check_files(Path(folder))
    device = device or choose_device(str(folder), weights_bytes(Path(folder)))
    check_precision(Path(folder), device)
    log.info("loading %s onto %s", folder, device)
    started = time.monotonic()
    with _named(folder, "not a causal LM that can be loaded"):
        model, told = _from_pretrained(folder, device)
    if missing := sorted(told["missing_keys"]):
        # transformers would make them up
        raise EndpointError(
            f"{folder}: {len(missing)} tensors of {type(model).__name__} are not among the weights, e.g. {missing[0]}; "
            "expected a whole model of the class that config.json names"
        )
    log.info("loaded in %.2f s", time.monotonic() - started)
    return model.eval()


def _from_pretrained(folder: str | Path, device: str) -> tuple[Any, dict[str, Any]]:
    """The model, and what transformers says of its tensors; with sdpa, or what its class has in place of it."""
    from transformers import AutoModelForCausalLM

    load: Any = AutoModelForCausalLM.from_pretrained
    settings: dict[str, Any] = {"dtype": "auto", "output_loading_info": True, "trust_remote_code": False}
    if device != "cpu":  # straight onto the card: the model need not fit into main memory
        settings["device_map"] = {"": device}
    try:
        return load(str(folder), attn_implementation="sdpa", **settings)
    except ValueError as error:
        if "scaled_dot_product_attention" not in str(error):
            raise
    log.info("%s: its class has no sdpa; attention is computed by transformers' own code", folder)
    return load(str(folder), attn_implementation="eager", **settings)


@contextmanager
def _named(folder: str | Path, what: str) -> Iterator[None]:
    """Whatever a library raises about somebody's files becomes a line."""
    try:
        yield
    except Exception as error:
        kind = "" if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: "
        raise EndpointError(f"{folder}: {what}: {kind}{first_line(error)}") from None


def share_model(base: Base, artifacts: Path, device: str | None = None) -> Any:
    """Like `load_model`, but jobs that follow each other in one process load a base once.

    Each gets a model of its own, to adapt as it likes, over the same tensors; none may write to these.
    """
    folder = base_folder(base, artifacts)
    model = resident.hold(_key(base, artifacts, device, folder), lambda: load_model(folder, device))
    base_folder(base, artifacts)  # nobody changed it while it was loaded, or since an earlier job did that
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
    check_files(folder)
    device_there = device or choose_device(str(folder), weights_bytes(folder))
    loaded = resident.holds(_key(base, artifacts, device, folder))
    if not loaded:
        resident.let_go()
    try:
        estimate = needed(folder, device_there)
    except UnknownArchitectureError as error:
        log.warning("%s: %s; the memory for anything but its weights is not estimated", folder, error)
        estimate = Needed(weights_bytes(folder), 0, 0)
    check_memory(str(folder), estimate, device_there, loaded)


def _key(base: Base, artifacts: Path, device: str | None, folder: Path) -> tuple[str, ...]:
    # the folder too: a model on a CPU lies in its files, and is changed with them
    return ("transformers", base_weights(base, artifacts), str(folder.resolve()), device or "")


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

    with _named(folder, "not an adapter that can be loaded"):
        adapted = PeftModel.from_pretrained(model, str(folder)).eval()
    choose_path(adapted, experts)
    if adapter:
        adapter_folder(base, adapter, artifacts)  # nobody changed it meanwhile
    return adapted, tokenizer
