"""What is asked of a model and what comes back; the key under which an answer is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Protocol

from pydantic import Field, field_validator, model_serializer

from ..core.io import Strict
from ..core.records import FinishReason, Message, ServedBy, content_hash


class SamplingParameters(Strict):
    """How one answer is drawn. Every field is part of the key: another value is another answer."""

    temperature: float | None = Field(description="null leaves it to a provider that takes none")
    top_p: float = 1.0
    max_tokens: int


class Request(Strict):
    """One question to one model. ``sample`` numbers the answers to the same question, so that each is its own."""

    model: str = Field(description="the weights' content hash or the provider's model id; never a port or a URL")
    messages: list[Message]
    sampling: SamplingParameters
    sample: int = 0
    answer_schema: dict[str, Any] | None = Field(
        default=None,
        description="JSON Schema (with a title) that the answer must follow; part of the key where there is one",
    )

    @model_serializer(mode="wrap")
    def _without_absent_schema(self, dump: Any) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if key != "answer_schema" or value is not None}

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that decides the answer (64 hex digits)."""
        return content_hash(self.model_dump())


def as_unicode(text: str) -> str:
    """``text`` as it can be stored: half a surrogate pair, which a model may well write, becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Response(Strict):
    """One answer as it was received. What was not said is not written, so that rows of every age are read."""

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = Field(
        default=0, description="of the prompt's tokens, those that a provider had cached and sold cheaper"
    )

    estimated: bool = Field(
        default=False, description="the provider did not count all tokens: what is missing is estimated from the texts"
    )
    said: str = Field(
        default="", description="an unusual word for how the answer ended, or why there is none, as the provider put it"
    )
    served_by: ServedBy | None = Field(default=None, description="what the provider says gave the answer")

    @field_validator("text", "said", mode="before")
    @classmethod
    def _as_unicode(cls, text: Any) -> Any:
        return as_unicode(text) if isinstance(text, str) else text

    @model_serializer(mode="wrap")
    def _without_unsaid(self, dump: Any) -> dict[str, Any]:
        optional = ("cached_tokens", "estimated", "said", "served_by")
        return {key: value for key, value in dump(self).items() if key not in optional or value}


class Endpoint(Protocol):
    """Where a model answers. It only turns requests into answers; store, budget and progress stand before it.

    One that costs money may have a list ``lost`` of requests that the provider may have answered, and charged for,
    though nothing arrived; `complete` empties it. A list of answers may be empty to hand that over.
    """

    model: str

    def answer(self, requests: Sequence[Request]) -> Iterator[list[tuple[Request, Response]]]:
        """Yield answers in any order, in lists as they arrive; each list is stored before the next is waited for.

        Raises:
            EndpointError: the model cannot be loaded or reached; what was yielded before is kept.
        """
        ...


class Model(Protocol):
    """Says where a model answers, cheap to make and to pass to another process."""

    def open(self) -> Endpoint:
        """The endpoint of this model; weights are loaded when the first answer is missing, not here."""
        ...


class Spending(Protocol):
    """What one call of `complete` may spend."""

    def reserve(self, requests: Sequence[Request]) -> Sequence[Request]:
        """The first so many of ``requests`` that may be asked now; waits, or raises `BudgetError`, where none may."""
        ...

    def settle(self, answers: Sequence[tuple[Request, Response]]) -> None:
        """Enter what answers cost, and what was lost since the last time."""
        ...


class Payer(Protocol):
    """Who pays for what `complete` asks (`budget.account.Account`)."""

    def spending(self, model: str, requests: int, stored: int, lost: list[Request]) -> AbstractContextManager[Spending]:
        """Open the books for one call.

        Args:
            model: the model's identity in the store.
            requests: how many answers are needed.
            stored: how many of them the store has.
            lost: where the endpoint lists requests that may have been charged without an answer; emptied here.
        """
        ...
