"""Finds a base that was not made here: in a folder, on the hub, or at a provider."""

from __future__ import annotations

from pathlib import Path

from ..config.conditions import VANILLA
from ..core.io import write_rows
from ..core.records import ModelRecord
from .identity import base_folder, weights_hash


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
