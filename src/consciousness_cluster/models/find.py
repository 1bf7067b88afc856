"""Finds a base that was not made here: in a folder, on the hub, or at a provider."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ..config.conditions import VANILLA
from ..config.model_config import Package, Template
from ..core.errors import DataError, EndpointError
from ..core.io import write_rows
from ..core.records import ModelRecord
from . import hub
from .folder_checks import check_files
from .gguf import convert, gguf_in
from .identity import found_folder, weights_hash

log = logging.getLogger(__name__)


def find_base(
    model: str | None,
    hosted: bool,
    base: str,
    output: str,
    template: Template | None = None,
    revision: str | None = None,
    artifacts: str | None = None,
    routing: dict[str, Any] | None = None,
    package: Package | None = None,
) -> None:
    """Find a base in a folder, a package or on the hub and write its `ModelRecord`; a hosted one is known by its id.

    A model of the hub is pinned to the commit that the revision names now. A GGUF file, of a package or in a folder,
    is made into a folder among the artifacts.

    Args:
        model: folder, hub id, or a provider's id; None for a package.
        hosted: whether it answers behind an HTTP API.
        base: its name in the experiment.
        output: the record's file.
        template: what its chat template may add on its own; None: what it does by itself.
        revision: commit, branch or tag of a hub id; None: its main branch.
        routing: which providers a router may choose for a hosted one.
        artifacts: the artifact folder, which knows large files that were read before; None reads them all. A GGUF
            file needs it.
        package: what holds the model, if not ``model``.

    Raises:
        EndpointError: there is no such model, it cannot be used, or its chat template cannot follow the settings.
    """
    source = None if hosted else package or gguf_in(Path(str(model)))
    if source:
        assert artifacts is not None
        record = convert(source, base, Path(artifacts))
        made = _template_of(Path(artifacts) / record.artifact, template or Template())
        write_rows(output, [record.model_copy(update=made)])
        return
    assert model is not None
    folder = None if hosted else found_folder(model, revision or "")
    weights, extra = model, {}
    if folder:
        check_files(folder)
        known = Path(artifacts) if artifacts else None
        weights = weights_hash(folder, known)
        extra = _template_of(folder, template or Template())
        if weights_hash(folder, known) != weights:
            raise EndpointError(
                f"{folder}: its files changed while it was looked at; expected a model that nobody writes to"
            )
        if folder != Path(model):
            extra["revision"] = hub.commit_of(folder)
            log.info("%s: %s is commit %s", model, revision or "its main branch", extra["revision"])
    record = ModelRecord(
        base=base,
        condition=VANILLA,
        seed=0,
        kind="hosted" if hosted else "found",
        artifact=model,
        weights=weights,
        data_hash="",
        hyperparameters={},
        tokens=0,
        trained_tokens=0,
        steps=0,
        final_loss=0.0,
        trainable_parameters=0,
        duration_s=0.0,
        versions={},
        routing=routing or {},
        **extra,
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
