"""A model on this machine: a base, with the adapter of a fine-tune or alone."""

from __future__ import annotations

from pathlib import Path

from ..loading import Strict, load_json
from ..rows import ModelRecord
from ..weights import load_target, model_identity
from .transformers import TransformersEndpoint


class LocalModel(Strict):
    """Where a local model's records and weights lie.

    Args:
        base: file with the base's `ModelRecord`.
        adapter: file with the adapter's `ModelRecord`; None asks the base itself.
        artifacts: the artifact folder.
        batch_size: prompts answered at once.
        threads: CPU threads.
    """

    base: str
    adapter: str | None = None
    artifacts: str
    batch_size: int
    threads: int = 1

    def open(self) -> TransformersEndpoint:
        """The endpoint; weights are loaded when the first answer is missing.

        Raises:
            EndpointError: the weights are not there, or the adapter belongs to another base.
        """
        artifacts = Path(self.artifacts)
        base = load_json(ModelRecord, self.base)
        adapter = load_json(ModelRecord, self.adapter) if self.adapter else None
        return TransformersEndpoint(
            model=model_identity(base, adapter),
            load=lambda: load_target(base, adapter, artifacts),
            batch_size=self.batch_size,
            threads=self.threads,
        )
