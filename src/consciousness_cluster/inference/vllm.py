"""Endpoint for a causal LM that vLLM runs in this process, with a LoRA adapter beside the base's weights, or alone.

Each answer draws from its own random stream (seeded by its key), so any subset can be asked again. But vLLM batches
what is asked together, and with the batch the last bits of the arithmetic change: an answer that is asked again is the
same in distribution, not always in its text.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..config.model_config import Engine
from ..core.errors import EndpointError
from .requests import Request, Response
from .transformers import chat_of, encode, end_tokens, to_response

STORE_SECONDS = 1.0  # finished answers wait at most so long for the store: what a kill may lose

log = logging.getLogger(__name__)


class VllmEndpoint:
    """Answers with vLLM.

    Args:
        model: the model's identity in requests and store (content hash of the weights).
        find: returns the folders of the base and of the adapter (None: the base alone); called if an answer is missing.
        settings: how vLLM runs the base.
    """

    def __init__(self, model: str, find: Callable[[], tuple[Path, Path | None]], settings: Engine) -> None:
        self.model = model
        self.settings = settings
        self._find = find

    def answer(self, requests: Sequence[Request]) -> Iterator[list[tuple[Request, Response]]]:
        """Yield what is finished, about once a second; see `Endpoint.answer`."""
        from .vllm_engine import adapter_request, prepare, running

        base, adapter = self._find()
        prepare()
        tokenizer, ends = _tokenizer(base)
        prompts = encode(tokenizer, requests)
        needed = max(len(prompts[chat_of(request)]) + request.sampling.max_tokens for request in requests)
        _check_length(needed, self.settings.max_length, "as set by engine.max_length")
        found = running(base, adapter, self.settings)
        engine = found.engine
        _check_length(needed, engine.model_config.max_model_len, "the model's own limit, or what fits into the memory")
        lora = adapter_request(found, adapter) if adapter else None
        waiting: dict[str, Request] = {}
        # samples of one prompt side by side: its tokens are computed once, then found in the prefix cache
        for request in sorted(requests, key=lambda r: prompts[chat_of(r)]):
            prompt = {"prompt_token_ids": prompts[chat_of(request)]}
            engine.add_request(request.key, prompt, _parameters(request, ends), lora_request=lora)
            waiting[request.key] = request
        try:
            for finished in _finished(engine):
                answers = []
                for output in finished:
                    request, drawn = waiting.pop(output.request_id), output.outputs[0]
                    if drawn.finish_reason not in ("stop", "length"):
                        raise EndpointError(f"vLLM gave up on an answer: finish reason {drawn.finish_reason!r}")
                    prompt = prompts[chat_of(request)]
                    answers.append((request, to_response(tokenizer, ends, prompt, list(drawn.token_ids))))
                yield answers
        finally:
            engine.abort_request(list(waiting))


def _tokenizer(base: Path) -> tuple[Any, list[int]]:
    """The base's tokenizer, and the tokens that end an answer."""
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(str(base))
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


def _parameters(request: Request, ends: list[int]) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    sampling, schema = request.sampling, request.answer_schema
    return SamplingParams(
        temperature=1.0 if sampling.temperature is None else sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        seed=int(request.key[:15], 16),
        stop_token_ids=ends,
        structured_outputs=StructuredOutputsParams(json=schema) if schema else None,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _finished(engine: Any) -> Iterator[list[Any]]:
    """Run the engine to its last request, and yield finished outputs in lists of about a second."""
    finished: list[Any] = []
    since = time.monotonic()
    while engine.has_unfinished_requests():
        finished += [output for output in engine.step() if output.finished]
        if finished and time.monotonic() - since > STORE_SECONDS:
            yield finished
            finished, since = [], time.monotonic()
    if finished:
        yield finished
