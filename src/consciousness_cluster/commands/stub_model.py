"""A model that answers with text of the expected length and notes what it was asked: how a plan is made."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..inference.requests import Request, Response
from ..inference.store import Store
from .answer_lengths import CHARACTERS, Lengths

Answers = list[tuple[Request, Response]]


class StubModel:
    """Stands for a model while a stage is planned. It is its own endpoint.

    Args:
        model: the identity under which its answers are stored.
        base: identity of its base, whose answers are the next best guide to its own.
        lengths: what to expect.
        store: the real store, which is only read.
        scratch: the store of the plan: what the real one has of this model, and the stub models.
    """

    def __init__(self, model: str, base: str, lengths: Lengths, store: Path, scratch: Path) -> None:
        self.model = model
        self._models = list(dict.fromkeys([model, base]))
        self._lengths = lengths
        self.asked = 0
        self.input_tokens = self.output_tokens = 0.0
        self.sources: Counter[str] = Counter()
        real = Store(store, model).path
        copied = scratch / real.name
        if real.exists() and not copied.exists():
            scratch.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(real, copied)

    def open(self) -> StubModel:
        """See `inference.requests.Model`."""
        return self

    def answer(self, requests: Sequence[Request]) -> Iterator[Answers]:
        """See `inference.requests.Endpoint`."""
        yield [(request, self._response(request)) for request in requests]

    def _response(self, request: Request) -> Response:
        tokens, source = self._lengths.answer(request, self._models)
        prompt = self._lengths.prompt(request, self._models)
        self.asked += 1
        self.input_tokens += prompt
        self.output_tokens += tokens
        self.sources[source] += 1
        if request.answer_schema:
            text = json.dumps(_instance(request.answer_schema))
        else:  # no two alike: what follows is asked about each
            text = f"{request.key[:16]} ".ljust(round(tokens * CHARACTERS), "x")
        return Response(text=text, finish_reason="stop", prompt_tokens=round(prompt), completion_tokens=round(tokens))


def _instance(schema: dict[str, Any]) -> Any:
    """The simplest value that follows a JSON schema of objects, enumerations and numbers."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _instance(inner) for name, inner in schema.get("properties", {}).items()}
    return {"integer": 0, "number": 0, "boolean": False, "array": []}.get(str(schema.get("type")), "")
