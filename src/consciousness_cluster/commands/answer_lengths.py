"""How long prompts and answers usually are, from the answers in the store, or by a stated assumption."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..inference.requests import Request

CHARACTERS = 4.0
"""Per token of English, where a model has no stored answers; chat templates put some tokens around each message."""
AROUND = 8
ANSWER = 250
"""Tokens of an answer to a question about oneself; an assumption."""
REPLY = 50
"""Tokens of a reply that follows a JSON schema (a verdict with its quote); an assumption."""

OWN, SAME, OTHER, ASSUMED = (
    "its stored answers",
    "other models' answers to the same questions",
    "its stored answers to other questions",
    f"assumed: {CHARACTERS:g} characters a token, answers of {ANSWER} tokens, verdicts of {REPLY}",
)


class Mean:
    """A running mean."""

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0

    def add(self, value: float, count: int = 1) -> None:
        """Count ``value``, which stands for ``count`` values."""
        self.count, self.total = self.count + count, self.total + value

    @property
    def value(self) -> float:
        """The mean; only of something that was counted."""
        return self.total / self.count


class Lengths:
    """Typical lengths, by question and model.

    Args:
        store: the store's folder.
    """

    def __init__(self, store: str | Path) -> None:
        self._answers: defaultdict[tuple[str, str], Mean] = defaultdict(Mean)
        self._characters: defaultdict[str, Mean] = defaultdict(Mean)
        for shard in sorted(Path(store).glob("*.jsonl")):
            with open(shard, encoding="utf-8") as lines:
                for line in lines:
                    if line.endswith("\n"):
                        self._count(json.loads(line))

    def _count(self, entry: dict[str, Any]) -> None:
        request, response = entry["request"], entry["response"]
        question, kind = _question(request["messages"][-1]["content"], request.get("answer_schema"))
        for model in (request["model"], ""):
            for what in (question, kind):
                self._answers[model, what].add(response["completion_tokens"])
        if response["prompt_tokens"]:
            characters = sum(len(message["content"]) for message in request["messages"])
            self._characters[request["model"]].add(characters, response["prompt_tokens"])

    def prompt(self, request: Request, models: Sequence[str]) -> float:
        """Expected tokens of a prompt; ``models``: its own and its base's identity."""
        characters = sum(len(message.content) for message in request.messages)
        for model in models:
            if model in self._characters:
                return characters / self._characters[model].value
        return characters / CHARACTERS + AROUND * len(request.messages)

    def answer(self, request: Request, models: Sequence[str]) -> tuple[float, str]:
        """Expected tokens of an answer, and where that number comes from."""
        question, kind = _question(request.messages[-1].content, request.answer_schema)
        wanted = [(model, question, OWN) for model in models]
        wanted += [("", question, SAME)] if not request.answer_schema else []
        wanted += [(model, kind, OTHER) for model in models]
        for model, what, source in wanted:
            if (model, what) in self._answers:
                return min(self._answers[model, what].value, request.sampling.max_tokens), source
        return min(REPLY if request.answer_schema else ANSWER, request.sampling.max_tokens), ASSUMED


def _question(text: str, schema: dict[str, Any] | None) -> tuple[str, str]:
    """What is asked, and of which kind it is: a judge's question is known by its schema, not by its words."""
    if schema:
        return f"schema {schema.get('title')}", f"schema {schema.get('title')}"
    return text, "text"
