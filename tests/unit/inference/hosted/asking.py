"""One endpoint's fake and a store of its own; without the fake's own imports, for processes that are killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consciousness_cluster.config.model_config import Api, Served
from consciousness_cluster.core.records import Message
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.inference.hosted.factory import open_hosted
from consciousness_cluster.inference.requests import Request, SamplingParameters
from consciousness_cluster.inference.store import Store

MODELS = {"openai": "gpt-4.1-2025-04-14", "anthropic": "claude-opus-4-6"}


@dataclass
class Hosted:
    """One endpoint's fake, and a store of its own."""

    name: str
    fake: Any
    folder: Path
    model: str = ""

    def __post_init__(self):
        self.model = self.model or MODELS[self.name]

    @property
    def operation(self):
        return {"openai": "chat", "anthropic": "messages"}[self.name]

    @property
    def store(self):
        return Store(self.folder, self.model)

    def endpoint(self, model=None, quick=True, **api):
        url = {"openai": self.fake.openai_url, "anthropic": self.fake.anthropic_url}[self.name]
        model = model or self.model
        endpoint = open_hosted(
            Served(endpoint=self.name, model=model, api=Api(**{"base_url": url} | api)), model, self.folder
        )
        if quick:
            endpoint.backoff = 0.001
        return endpoint

    def request(self, text, sample=0, schema=None, model=None, **sampling):
        *before, last = text if isinstance(text, list) else [text]
        messages = [Message(role="system", content=each) for each in before] + [Message(role="user", content=last)]
        parameters = SamplingParameters(**{"temperature": 1.0, "max_tokens": 60} | sampling)
        return Request(
            model=model or self.model, messages=messages, sampling=parameters, sample=sample, answer_schema=schema
        )

    def requests(self, number, samples=1):
        return [self.request(f"What would you like, {i}?", s) for i in range(number) for s in range(samples)]

    def ask(self, requests, **api):
        return complete(requests, self.endpoint(**api), self.store)

    def paid(self):
        """Requests that the provider was paid for."""
        return self.fake.ledger(self.operation)


def at(name, url, folder):
    """The same in a process that only knows the fake's address."""

    class Fake:
        openai_url, anthropic_url = f"{url}/v1", url

    return Hosted(name, Fake, Path(folder))
