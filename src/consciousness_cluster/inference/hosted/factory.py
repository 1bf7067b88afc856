"""Models behind an HTTP API, behind the one `complete`: through single calls, or the provider's batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...config.model_config import Served
from ..requests import Endpoint, Request
from ..store import Store, shard
from .anthropic import Anthropic
from .batch_endpoint import BatchEndpoint
from .batch_journal import BatchJournal
from .client import Provider
from .concurrent import ConcurrentEndpoint
from .openai import OpenAI

PROVIDERS: dict[str, type[Provider]] = {"openai": OpenAI, "anthropic": Anthropic}

__all__ = ["open_hosted"]


def open_hosted(served: Served, model: str, store: str | Path, name: str | None = None) -> Endpoint:
    """The endpoint of a hosted model; nothing is sent, and no key is read, before the first request.

    Args:
        served: the declared endpoint.
        model: the model's identity in the store.
        store: the store's folder: what must outlive a kill (batches under way) lies below it.
        name: the provider's id of the model, which may be a fine-tuned one; None: the same as ``model``.
    """
    provider = PROVIDERS[served.endpoint](served, name or model)
    path = shard(store, model)
    notes = BatchJournal(path.parent / "batches" / path.stem)
    if served.api and served.api.batch:

        def stored(requests: Sequence[Request]) -> set[str]:
            answers = Store(store, model)
            return {request.key for request in requests if request in answers}

        return BatchEndpoint(model, provider, notes, stored)
    return ConcurrentEndpoint(model, provider, notes)
