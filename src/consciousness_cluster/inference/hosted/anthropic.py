"""Anthropic's messages, through its own client."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ...config.model_config import Api, Served
from ...core.records import ServedBy, content_hash
from ..requests import Request, Response
from .client import Provider, Submitted
from .provider_errors import Failure, from_status
from .rate_limiter import Allowance
from .reading import answer, content_of, count, word

FINISH = ("end_turn", "stop_sequence", "max_tokens", "model_context_window_exceeded", "refusal")
STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
    "timeout_error": 504,
}
CLOCKS_APART = 600.0  # seconds between the provider's clock and ours


class Anthropic(Provider):
    """Messages, and batches of them."""

    path, tags = "/v1/messages", False
    batch_limit = 10_000  # 100,000 and 256 MB are allowed

    def __init__(self, served: Served, name: str | None = None) -> None:
        super().__init__(served, name)
        self._schemas: dict[str, dict[str, Any]] = {}

    def _client(self) -> Any:
        from anthropic import AsyncAnthropic, DefaultAioHttpClient

        return AsyncAnthropic(
            api_key=self.key,
            base_url=self.base_url or None,
            max_retries=0,
            open_telemetry=False,  # prompts and answers are nobody else's business
            http_client=self._transport(DefaultAioHttpClient),
        )

    def body(self, request: Request) -> dict[str, Any]:
        """See `Provider.body`."""
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.model_of(request),
            "max_tokens": sampling.max_tokens,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages if m.role != "system"],
        }
        system = "\n\n".join(message.content for message in request.messages if message.role == "system")
        if system:
            body["system"] = system
        # 1 is the default; newer models take no other value, and the client has no argument for it any more
        if sampling.temperature is not None and sampling.temperature != 1:
            body["temperature"] = sampling.temperature
        if sampling.top_p < 1:
            body["top_p"] = sampling.top_p
        forced = (self.served.api or Api()).json_schema and not self.parameters.refuses("output_config")
        if request.answer_schema is not None and forced:
            body["output_config"] = {"format": {"type": "json_schema", "schema": self._schema(request.answer_schema)}}
        return body

    def _schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """``schema`` in the part of JSON Schema that Anthropic takes, as its client puts it."""
        name = content_hash(schema)
        if name not in self._schemas:
            from anthropic import transform_schema

            self._schemas[name] = transform_schema(schema)
        return self._schemas[name]

    def read(self, content: dict[str, Any]) -> Response | Failure:
        """See `Provider.read`."""
        usage = content.get("usage")
        cached = count(usage, "cache_read_input_tokens") or 0
        fresh = count(usage, "input_tokens")
        whole = None if fresh is None else fresh + cached + (count(usage, "cache_creation_input_tokens") or 0)
        counts = whole, count(usage, "output_tokens")
        by = ServedBy(model=word(content.get("model")))
        return answer(content_of(content["content"]), content.get("stop_reason"), FINISH, counts, cached, by)

    def allowances(self, headers: Mapping[str, str]) -> Iterator[Allowance]:
        """See `Provider.allowances`."""
        for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
            stem = f"anthropic-ratelimit-{kind}"
            remaining = headers.get(f"{stem}-remaining")
            if remaining is not None and remaining.isdecimal():
                limit = headers.get(f"{stem}-limit", "")
                reset = _seconds_until(headers.get(f"{stem}-reset", ""), headers.get("date", ""))
                yield Allowance(kind != "requests", int(limit) if limit.isdecimal() else None, int(remaining), reset)

    async def submit(self, client: Any, requests: Sequence[Request], tag: str) -> str:
        """See `Provider.submit`; Anthropic's batches carry no tag."""
        rows = [{"custom_id": request.key, "params": self.body(request)} for request in requests]
        batch = await client.post("/v1/messages/batches", body={"requests": rows}, cast_to=_batch_type())
        return batch.id

    async def submitted(self, client: Any, tag: str, since: float, total: int) -> AsyncIterator[str]:
        """See `Provider.submitted`: only time and size tell batches apart until their results are there."""
        async for batch in client.messages.batches.list(limit=100):
            if batch.created_at.timestamp() < since - CLOCKS_APART:
                return
            counts = batch.request_counts
            if total == counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired:
                yield batch.id

    async def look(self, client: Any, batch: str) -> Submitted:
        """See `Provider.look`."""
        found = await client.messages.batches.retrieve(batch)
        counts = found.request_counts
        done = counts.succeeded + counts.errored + counts.canceled + counts.expired
        state = "cancelled" if found.cancel_initiated_at else found.processing_status
        return Submitted(batch, found.processing_status == "ended", state, done, done + counts.processing)

    async def collect(self, client: Any, batch: str) -> list[tuple[str, Response | Failure]]:
        """See `Provider.collect`."""
        import httpx2

        found = await client.messages.batches.retrieve(batch)
        response = await client.get(found.results_url, cast_to=httpx2.Response)
        return self.rows(response.content, lambda row: self._outcome(row["result"]))

    def _outcome(self, result: dict[str, Any]) -> Response | Failure:
        if result["type"] == "errored":
            inner = result["error"].get("error")
            kind = inner.get("type") if isinstance(inner, dict) else None
            return from_status(STATUS.get(str(kind), 500), json.dumps(result["error"]), {}, self.key)
        if result["type"] != "succeeded":
            return Failure("passing", f"the batch ended before it was asked: {result['type']}", code=result["type"])
        return self.parse(result["message"])


def _batch_type() -> Any:
    from anthropic.types.messages import MessageBatch

    return MessageBatch


def _seconds_until(moment: str, now: str) -> float:
    """Seconds from the server's own ``Date`` to an RFC 3339 moment; 0 for what is neither."""
    try:
        begin = parsedate_to_datetime(now).timestamp() if now else time.time()
        return max(0.0, datetime.fromisoformat(moment).timestamp() - begin)
    except (ValueError, TypeError):
        return 0.0
