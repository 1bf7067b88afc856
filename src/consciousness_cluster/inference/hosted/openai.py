"""OpenAI's protocol: its own servers, and any other that speaks it (vLLM, Tinker, OpenRouter)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ...config.model_config import Api
from ...core.records import ServedBy
from ..requests import Request, Response
from .client import Provider, Submitted
from .provider_errors import Failure, from_status
from .rate_limiter import Allowance
from .reading import Content, answer, content_of, count, nothing_said, word

FINISH = ("stop", "length", "content_filter")
REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
"""Fields of a message that hold what a model thought before it answered."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LISTED_DAYS = 30  # how long a batch's results are kept


class OpenAI(Provider):
    """Chat completions, and OpenAI's batches of them."""

    path, tags = "/chat/completions", True
    batch_limit = 10_000  # 50,000 and 200 MB are allowed; smaller ones end sooner and fit into memory

    def _client(self) -> Any:
        from openai import AsyncOpenAI, DefaultAioHttpClient

        return AsyncOpenAI(
            api_key=self.key,
            base_url=self.base_url or None,
            max_retries=0,
            http_client=self._transport(DefaultAioHttpClient),
        )

    @property
    def own(self) -> bool:
        """Whether the declared server is OpenAI's: its schema has deprecated ``max_tokens``, others know only that."""
        return self.base_url is None or (urlsplit(self.base_url).hostname or "").endswith("openai.com")

    def body(self, request: Request) -> dict[str, Any]:
        """See `Provider.body`. Each request has a seed of its own, but for OpenAI, which deprecates it."""
        sampling, api = request.sampling, self.served.api or Api()
        body: dict[str, Any] = {
            "model": self.model_of(request),
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            self._limit(api.max_tokens): sampling.max_tokens,
        }
        if (not self.own if api.seed is None else api.seed) and not self.parameters.refuses("seed"):
            body["seed"] = int(request.key[:7], 16)
        if sampling.temperature is not None:
            body["temperature"] = sampling.temperature
        if sampling.top_p < 1:
            body["top_p"] = sampling.top_p
        if api.routing:
            body["provider"] = api.routing
        if request.answer_schema is not None and api.json_schema and not self.parameters.refuses("response_format"):
            name = re.sub(r"[^a-zA-Z0-9_-]", "_", str(request.answer_schema.get("title", "answer")))[:64]
            wanted = {"name": name, "schema": request.answer_schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return body

    def _limit(self, name: str | None) -> str:
        """The server's name for the most tokens of an answer: as it is set, or the other one if that was refused."""
        name = name or ("max_completion_tokens" if self.own else "max_tokens")
        other = "max_tokens" if name == "max_completion_tokens" else "max_completion_tokens"
        return other if self.parameters.refuses(name) and not self.parameters.refuses(other) else name

    def read(self, content: dict[str, Any]) -> Response | Failure:
        """See `Provider.read`."""
        usage = content.get("usage")
        counts = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
        details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
        cached = count(details, "cached_tokens") or 0
        by = ServedBy(
            model=word(content.get("model")),
            system_fingerprint=word(content.get("system_fingerprint")),
            provider=word(content.get("provider")),
        )
        choices = content["choices"]
        if not choices:
            return nothing_said("no choices", counts, cached, by)
        choice = choices[0]
        message = choice.get("message") or {}
        found = content_of(message.get("content") or choice.get("text"))
        if choice.get("error") and not found.text:
            inner = choice["error"]
            code = inner.get("code") if isinstance(inner, dict) else None
            return from_status(code if isinstance(code, int) else 502, json.dumps({"error": inner}), {}, self.key)
        refusal = message.get("refusal")
        found = Content(
            text=found.text,
            refusal=found.refusal or (refusal if isinstance(refusal, str) else ""),
            thought=found.thought or any(message.get(name) for name in REASONING),
        )
        return answer(found, choice.get("finish_reason"), FINISH, counts, cached, by)

    def allowances(self, headers: Mapping[str, str]) -> Iterator[Allowance]:
        """See `Provider.allowances`."""
        for kind in ("requests", "tokens"):
            remaining = headers.get(f"x-ratelimit-remaining-{kind}")
            if remaining is not None and remaining.isdecimal():
                limit = headers.get(f"x-ratelimit-limit-{kind}", "")
                reset = seconds(headers.get(f"x-ratelimit-reset-{kind}", ""))
                yield Allowance(kind == "tokens", int(limit) if limit.isdecimal() else None, int(remaining), reset)

    async def submit(self, client: Any, requests: Sequence[Request], tag: str) -> str:
        """See `Provider.submit`."""
        lines = [
            {"custom_id": request.key, "method": "POST", "url": "/v1" + self.path, "body": self.body(request)}
            for request in requests
        ]
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        file = await client.files.create(file=(f"{tag}.jsonl", content), purpose="batch")
        batch = await client.batches.create(
            completion_window="24h",
            endpoint="/v1" + self.path,
            input_file_id=file.id,
            metadata={"requests": tag},
        )
        return batch.id

    async def submitted(self, client: Any, tag: str, since: float, total: int) -> AsyncIterator[str]:
        """See `Provider.submitted`: the batch's metadata holds the tag."""
        oldest = time.time() - LISTED_DAYS * 86400
        async for batch in client.batches.list(limit=100):
            if batch.created_at < oldest:
                return
            if (batch.metadata or {}).get("requests") == tag:
                yield batch.id

    async def look(self, client: Any, batch: str) -> Submitted:
        """See `Provider.look`."""
        found = await client.batches.retrieve(batch)
        counts = found.request_counts
        said = "; ".join(error.message or error.code or "" for error in (found.errors and found.errors.data) or [])
        return Submitted(
            batch=batch,
            ended=found.status in ("completed", "failed", "expired", "cancelled"),
            state=found.status,
            done=counts.completed + counts.failed if counts else 0,
            total=counts.total if counts else 0,
            problem=(said or "no explanation") if found.status == "failed" else "",
            full=any(error.code == "token_limit_exceeded" for error in (found.errors and found.errors.data) or []),
        )

    async def collect(self, client: Any, batch: str) -> list[tuple[str, Response | Failure]]:
        """See `Provider.collect`."""
        found = await client.batches.retrieve(batch)
        rows = []
        for file in filter(None, (found.output_file_id, found.error_file_id)):
            rows += self.rows((await client.files.content(file)).content, self._outcome)
        return rows

    def _outcome(self, row: dict[str, Any]) -> Response | Failure:
        response = row.get("response")
        if not response:  # expired or cancelled before it was asked, or refused
            return from_status(0, json.dumps({"error": row.get("error") or "no response"}), {}, self.key)
        if response["status_code"] != 200:
            return from_status(int(response["status_code"] or 0), json.dumps(response["body"]), {}, self.key)
        return self.parse(response["body"])


def seconds(duration: str) -> float:
    """``6m0s``, ``1.5s`` or ``20ms`` in seconds; 0 for what is not a duration."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", duration))
