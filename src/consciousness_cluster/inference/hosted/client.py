"""What the providers have in common: one call through their own client, and what it may end with."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ...config.api_keys import quiet_clients, read_key, scrubbed
from ...config.model_config import Api, Served
from ..requests import Request, Response
from .provider_errors import Failure, UnreadableError, from_status
from .rate_limiter import START, Allowance

TIMEOUT, CONNECT_TIMEOUT = 600.0, 30.0
"""Seconds without a byte from the server, and until a connection stands."""

FILTERED = ("content_filter", "content_policy_violation", "invalid_prompt")
"""Codes with which a content filter refuses a prompt."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Submitted:
    """Where a batch stands."""

    batch: str
    ended: bool
    state: str
    done: int
    total: int
    problem: str = ""
    full: bool = False
    """It was not begun because too much is waiting there already."""


class Provider(ABC):
    """Speaks one provider's protocol through its own client, whose retries are off: ours count what they resend.

    Args:
        served: the declared endpoint; the key is read when `connect` is called.
    """

    path: str
    tags: bool
    """Whether a batch can carry a tag by which it is found again."""

    batch_limit: int
    """Requests in one batch."""

    at_first: int = START
    """Requests in flight before anything is known of the server's limits."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.key = ""

    @property
    def base_url(self) -> str | None:
        """The server, if it is not the client's own choice."""
        return self.served.api.base_url if self.served.api else None

    @property
    def concurrency(self) -> int:
        """The most requests in flight at once."""
        return (self.served.api or Api()).concurrency

    def connect(self) -> Any:
        """The provider's asynchronous client, with the key.

        Raises:
            EndpointError: the key is not in the environment.
        """
        quiet_clients()
        self.key = read_key(self.served.key_variable)
        return self._client()

    @abstractmethod
    def _client(self) -> Any: ...

    def _transport(self, http_client: Callable[..., Any]) -> Any:
        """The client's own ``DefaultAioHttpClient``, with our limits."""
        from httpx2 import Limits, Timeout

        return http_client(
            timeout=Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
            limits=Limits(max_connections=self.concurrency, keepalive_expiry=30.0),
            follow_redirects=False,  # a redirect would take the key along
        )

    @abstractmethod
    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body that asks ``request``."""

    @abstractmethod
    def read(self, content: dict[str, Any]) -> Response:
        """The answer in a body; raises what `parse` turns into `UnreadableError`."""

    @abstractmethod
    def allowances(self, headers: Mapping[str, str]) -> Iterator[Allowance]:
        """What the rate-limit headers say is left."""

    @abstractmethod
    async def submit(self, client: Any, requests: Sequence[Request], tag: str) -> str:
        """Hand a batch in and return its id; ``tag`` is remembered by providers that can."""

    @abstractmethod
    def submitted(self, client: Any, tag: str, since: float, total: int) -> AsyncIterator[str]:
        """Ids of batches that may have been handed in with ``tag``, since a Unix time, with ``total`` requests."""

    @abstractmethod
    async def look(self, client: Any, batch: str) -> Submitted:
        """Where a batch stands."""

    @abstractmethod
    async def collect(self, client: Any, batch: str) -> list[tuple[str, Response | Failure]]:
        """(request key, what came back) of every request of an ended batch."""

    def parse(self, content: Any) -> Response | Failure:
        """The answer in the body of an HTTP 200."""
        try:
            if isinstance(content, bytes | str):
                content = json.loads(content)
            if content.get("error"):  # some servers put an error into an HTTP 200
                status = content["error"].get("code")
                return from_status(status if isinstance(status, int) else 502, json.dumps(content), {}, self.key)
            return self.read(content)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise UnreadableError(f"an answer that cannot be read ({type(error).__name__})") from None

    async def ask(self, client: Any, request: Request) -> tuple[Response | Failure, Mapping[str, str]]:
        """Ask one request once; returns the answer, or why there is none, and the response's headers."""
        import httpx2

        headers: Mapping[str, str] = {}

        async def call() -> Response | Failure:
            nonlocal headers
            # the path itself: the typed method would check the body and build a model of the answer, twice the work
            try:
                response = await client.post(self.path, body=self.body(request), cast_to=httpx2.Response)
            except Exception as error:
                headers = getattr(getattr(error, "response", None), "headers", headers)
                raise
            headers = response.headers
            return self.parse(response.content)

        return recorded(await self.attempt(call())), headers

    async def attempt(self, call: Awaitable[Result]) -> Result | Failure:
        """Await a call of the client; whatever it raises becomes a `Failure`, which holds no header and no key."""
        try:
            return await call
        except UnreadableError as error:
            return Failure("passing", str(error), maybe_paid=True)
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # the client's models of what it received
            words = scrubbed(f"{type(error).__name__}: {error}", self.key)[:300]
            return Failure("passing", f"an answer that cannot be read ({words})", maybe_paid=True)
        except Exception as error:
            return self._failure(error)

    def _failure(self, error: Exception) -> Failure:
        response = getattr(error, "response", None)
        if response is not None and hasattr(error, "status_code"):
            return from_status(response.status_code, response.content, response.headers, self.key)
        import aiohttp

        chain: list[BaseException] = [error]
        while (cause := chain[-1].__cause__) is not None:
            chain.append(cause)
        said = (
            " ".join(str(chain[-1]).split()) or "no explanation"
        )  # the innermost: OpenAI's client calls a reset a timeout
        words = scrubbed(f"{type(chain[-1]).__name__}: {said}", self.key)[:500]
        if type(error).__name__ not in ("APIConnectionError", "APITimeoutError"):
            return Failure("fatal", words)
        connected = not any(isinstance(each, aiohttp.ClientConnectorError) for each in chain)
        return Failure("passing", words, maybe_paid=connected)


def recorded(outcome: Response | Failure) -> Response | Failure:
    """The outcome itself; a content filter's refusal of the prompt is an answer of its own kind, not a mistake."""
    if isinstance(outcome, Failure) and outcome.kind == "refused" and outcome.code in FILTERED:
        return Response(text="", finish_reason="content_filter", prompt_tokens=0, completion_tokens=0)
    return outcome
