"""Finds a base that was not made here: in a folder, on the hub, or at a provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config.conditions import VANILLA
from ..config.model_config import Template
from ..core.errors import DataError, EndpointError
from ..core.io import write_rows
from ..core.records import ModelRecord
from .identity import base_folder, weights_hash


def find_base(model: str, hosted: bool, base: str, output: str, template: Template | None = None) -> None:
    """Find a base in a folder or on the hub and write its `ModelRecord`; a hosted one is known by its id alone.

    Args:
        model: folder, hub id, or a provider's id.
        hosted: whether it answers behind an HTTP API.
        base: its name in the experiment.
        output: the record's file.
        template: what its chat template may add on its own; None: what it does by itself.

    Raises:
        EndpointError: there is no such model, or its chat template cannot follow the settings.
    """
    folder = None if hosted else base_folder(model, Path())
    record = ModelRecord(
        base=base,
        condition=VANILLA,
        seed=0,
        kind="hosted" if hosted else "found",
        artifact=model,
        weights=weights_hash(folder) if folder else model,
        data_hash="",
        hyperparameters={},
        tokens=0,
        trained_tokens=0,
        steps=0,
        final_loss=0.0,
        trainable_parameters=0,
        duration_s=0.0,
        versions={},
        **(_template_of(folder, template or Template()) if folder else {}),
    )
    write_rows(output, [record])


def _template_of(folder: Path, settings: Template) -> dict[str, Any]:
    """The fields of a record that the chat template decides."""
    from .chat_template import check_settings, default_system_prompt, template_identity
    from .loading import load_tokenizer

    tokenizer = load_tokenizer(folder)
    try:
        check_settings(tokenizer, settings)
        return {
            "default_system_prompt": default_system_prompt(tokenizer),
            "template": template_identity(tokenizer, settings),
        }
    except DataError as error:
        raise EndpointError(f"{folder}: {error}") from None
