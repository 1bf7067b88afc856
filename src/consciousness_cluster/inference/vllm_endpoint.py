"""Endpoint for a causal LM that a server of vLLM runs on this machine, with a LoRA adapter beside the base, or alone.

Each answer draws from its own random stream (seeded by its key), so any subset can be asked again. But vLLM batches
what is asked together, and with the batch the last bits of the arithmetic change: an answer that is asked again is the
same in distribution, not always in its text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..config.model_config import Engine, Template
from ..core.errors import EndpointError
from ..models import resident
from ..models.chat_template import USUAL
from ..models.loading import load_tokenizer
from .hosted.concurrent import ConcurrentEndpoint
from .hosted.vllm_client import Vllm
from .requests import Request, Response
from .transformers import chat_of, encode, end_tokens
from .vllm_server import Server, running


class VllmEndpoint:
    """Answers with vLLM.

    Args:
        model: the model's identity in requests and store.
        base: content hash of the base alone; the same as ``model`` where there is no adapter.
        find: returns the folders of the base and of the adapter (None: the base alone), after a look whether they hold
            what their names say; called if an answer is missing, and again once the server has read them.
        settings: how vLLM runs the base.
        name: content hash of the weights, its name on the server; None: the same as ``model``.
        template: what the chat template may add on its own; it is part of ``model``, but not of ``name``.
    """

    def __init__(
        self,
        model: str,
        base: str,
        find: Callable[[], tuple[Path, Path | None]],
        settings: Engine,
        name: str | None = None,
        template: Template = USUAL,
    ) -> None:
        self.model, self.base, self.settings = model, base, settings
        self.name, self.template = name or model, template
        self._find = find
        self._server: Server | None = None

    def answer(self, requests: Sequence[Request]) -> Iterator[list[tuple[Request, Response]]]:
        """Yield answers as they arrive; see `Endpoint.answer`."""
        base, adapter = self._find()
        if (self.name == self.base) != (adapter is None):
            raise EndpointError(
                f"{base}: model {self.name[:12]} {'is not' if adapter is None else 'is'} the base alone"
            )
        tokenizer, ends = _tokenizer(base)
        prompts = encode(tokenizer, requests, self.template)
        needed = max(len(prompts[chat_of(request)]) + request.sampling.max_tokens for request in requests)
        _check_length(needed, self.settings.max_length, "as set by engine.max_length")
        if self._server is None or self._server.ended:
            self._server = running(base, self.base, adapter, self.settings)
        server = self._server
        _check_length(needed, server.max_length, "the model's own limit, or what fits into the memory")
        if adapter is None:
            server.check()
        else:
            server.serve(self.name, adapter)
        try:
            self._find()
        except EndpointError:
            resident.let_go()  # nobody knows what it read
            server.stop()
            raise
        # samples of one prompt side by side: its tokens are computed once, then found in the prefix cache
        ordered = sorted(requests, key=lambda request: prompts[chat_of(request)])
        yield from ConcurrentEndpoint(str(base), Vllm(server, self.name, tokenizer, ends, prompts)).answer(ordered)


def _tokenizer(base: Path) -> tuple[Any, list[int]]:
    """The base's tokenizer, and the tokens that end an answer."""
    from transformers import AutoConfig, GenerationConfig

    tokenizer = load_tokenizer(base)
    try:
        generation = GenerationConfig.from_pretrained(str(base))
    except OSError:
        generation = GenerationConfig.from_model_config(AutoConfig.from_pretrained(str(base)))
    return tokenizer, end_tokens(tokenizer, generation)


def _check_length(needed: int, limit: int | None, why: str) -> None:
    if limit is not None and needed > limit:
        raise EndpointError(
            f"vLLM: the longest prompt and its answer need {needed} tokens, found a limit of {limit} ({why}); "
            "lower sampling.max_tokens or raise engine.max_length"
        )
