"""vLLM's server on this machine, asked with the tokens that this project makes of a chat, and answering in tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...config.api_keys import quiet_clients
from ...config.model_config import Served
from ...core.records import Message
from ..requests import Request, Response
from ..transformers import chat_of, to_response
from ..vllm_settings import MAX_SEQUENCES
from .openai import OpenAI
from .provider_errors import Failure
from .rate_limiter import Allowance
from .reading import INTERRUPTED

if TYPE_CHECKING:
    from ..vllm_server import Server

CONCURRENCY = MAX_SEQUENCES + MAX_SEQUENCES // 4
"""Requests in flight: somewhat more than are drawn at once, so that the next is there when one ends."""


USUAL = ("stop", "length")
"""Finish reasons; what the tokens are, and not these, says how an answer ended."""


class Vllm(OpenAI):
    """Completions of token ids: training, transformers and vLLM see the same tokens of the same chat.

    Args:
        server: the server; it serves the model that is asked.
        model: that model's name on the server.
        tokenizer: the base's.
        ends: tokens that end an answer.
        prompts: token ids of each chat that is asked.
    """

    path, at_first = "/completions", CONCURRENCY

    def __init__(
        self,
        server: Server,
        model: str,
        tokenizer: Any,
        ends: list[int],
        prompts: Mapping[tuple[Message, ...], list[int]],
    ) -> None:
        super().__init__(Served(endpoint="vllm"))
        self.server, self.model, self.tokenizer, self.ends, self.prompts = server, model, tokenizer, ends, prompts

    @property
    def concurrency(self) -> int:
        """The most requests in flight at once."""
        return CONCURRENCY

    def connect(self) -> Any:
        """See `Provider.connect`; the key is the server's own."""
        quiet_clients()
        self.key = self.server.key
        return self._client()

    def _client(self) -> Any:
        import httpx2
        from openai import AsyncOpenAI
        from openai._vendor.httpx_aiohttp import AiohttpTransport  # what DefaultAioHttpClient uses, without its uds

        return AsyncOpenAI(
            api_key=self.key,
            base_url="http://vllm/v1",
            max_retries=0,
            timeout=None,  # an answer may wait for others; if the server ends, so does the connection
            http_client=httpx2.AsyncClient(
                transport=AiohttpTransport(uds=self.server.socket, limits=httpx2.Limits(max_connections=CONCURRENCY)),
                timeout=None,
            ),
        )

    def body(self, request: Request) -> dict[str, Any]:
        """See `Provider.body`. Each request has a seed of its own."""
        sampling = request.sampling
        return {
            "model": self.model,
            "prompt": self.prompts[chat_of(request)],
            "temperature": 1.0 if sampling.temperature is None else sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": int(request.key[:15], 16),
            "stop_token_ids": self.ends,
            "return_token_ids": True,
        } | ({"structured_outputs": {"json": request.answer_schema}} if request.answer_schema else {})

    async def ask(self, client: Any, request: Request) -> tuple[Response | Failure, Mapping[str, str]]:
        """See `Provider.ask`: nothing was paid for what broke off, and a server that is gone does not come back."""
        outcome, headers = await super().ask(client, request)
        if isinstance(outcome, Failure):
            outcome = replace(outcome, maybe_paid=False)
            if outcome.kind == "passing" and self.server.ended:
                outcome = replace(outcome, kind="fatal", words=f"vLLM's server ended: {self.server.reason()}")
        return outcome, headers

    def parse(self, content: Any) -> Response | Failure:
        """See `Provider.parse`; an answer that another model gave is refused."""
        if isinstance(content, bytes) and content.startswith(b"{"):
            content = json.loads(content)
            model, choices = content.get("model"), content.get("choices") or [{}]
            if model not in (None, self.model):
                return Failure("fatal", f"model {self.model[:12]} was asked, but {str(model)[:12]} answered")
            if choices[0].get("finish_reason") in INTERRUPTED:
                return Failure("passing", f"vLLM gave up on an answer: {choices[0]['finish_reason']!r}")
        return super().parse(content)

    def read(self, content: dict[str, Any]) -> Response | Failure:
        """See `Provider.read`: the text is decoded from the answer's tokens, as that of the transformers endpoint."""
        if not content["choices"]:
            return Failure("passing", "vLLM gave up on an answer: no choices")
        choice, finish = content["choices"][0], content["choices"][0].get("finish_reason")
        response = to_response(self.tokenizer, self.ends, choice["prompt_token_ids"], choice["token_ids"])
        said = "" if finish in USUAL else f"finish reason {json.dumps(finish)[:100]}"
        return response.model_copy(update={"said": said}) if said else response

    def allowances(self, headers: Mapping[str, str]) -> Iterator[Allowance]:
        """See `Provider.allowances`: there is none."""
        return iter(())
