"""What the providers have in common: one call through their own client, and what it may end with."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ...config.api_keys import quiet_clients, read_key, scrubbed
from ...config.model_config import Api, Served
from ...config.proxies import check_proxy
from ..requests import Request, Response
from .parameters import Parameters
from .provider_errors import Failure, UnreadableError, from_status
from .rate_limiter import START, Allowance
from .reading import complete_counts, loads

log = logging.getLogger(__name__)

TIMEOUT, CONNECT_TIMEOUT = 600.0, 30.0
"""Seconds without a byte from the server, and until a connection stands."""

SENT = 4
"""How often one request is sent at most, each time without a parameter more that the server refuses."""

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
        name: the provider's id of the model; None: the same as its identity in requests.
    """

    path: str
    tags: bool
    """Whether a batch can carry a tag by which it is found again."""

    batch_limit: int
    """Requests in one batch."""

    at_first: int = START
    """Requests in flight before anything is known of the server's limits."""

    def __init__(self, served: Served, name: str | None = None) -> None:
        self.served, self.name = served, name
        self.key = ""
        self.direct = False
        self.parameters = Parameters(served.endpoint, self.base_url or "", name or served.model or "")

    def model_of(self, request: Request) -> str:
        """The provider's id of the model that a request asks."""
        return self.name or request.model

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
            EndpointError: the key is not in the environment, or the environment names a proxy that cannot be used.
        """
        quiet_clients()
        self.direct = check_proxy(self.served)
        self.key = read_key(self.served.key_variable)
        return self._client()

    @abstractmethod
    def _client(self) -> Any: ...

    def _transport(self, http_client: Callable[..., Any]) -> Any:
        """The client's own ``DefaultAioHttpClient``, with our limits."""
        from httpx2 import Limits, Timeout

        limits, transport = Limits(max_connections=self.concurrency, keepalive_expiry=30.0), None
        if self.direct:
            from openai._vendor.httpx_aiohttp import AiohttpTransport  # what DefaultAioHttpClient uses

            transport = AiohttpTransport(limits=limits)
        return http_client(
            timeout=Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
            limits=limits,
            follow_redirects=False,  # a redirect would take the key along
            transport=transport,
        )

    @abstractmethod
    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body that asks ``request``."""

    @abstractmethod
    def read(self, content: dict[str, Any]) -> Response | Failure:
        """The answer in a body, or why it holds none; raises what `parse` turns into `UnreadableError`."""

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
                content = loads(content)
            status = _status_within(content)
            if status and not _has_text(content):
                return from_status(status, json.dumps(content), {}, self.key)
            return self.read(content)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise UnreadableError(f"an answer that cannot be read ({type(error).__name__})") from None

    async def ask(self, client: Any, request: Request) -> tuple[Response | Failure, Mapping[str, str]]:
        """Ask one request once; returns the answer, or why there is none, and the response's headers."""
        import httpx2

        headers: Mapping[str, str] = {}

        async def call(body: dict[str, Any]) -> Response | Failure:
            nonlocal headers
            # the path itself: the typed method would check the body and build a model of the answer, twice the work
            try:
                response = await client.post(self.path, body=body, cast_to=httpx2.Response)
            except Exception as error:
                headers = getattr(getattr(error, "response", None), "headers", headers)
                raise
            headers = response.headers
            return self.parse(response.content)

        body = self.body(request)
        outcome, sent = await self.attempt(call(body)), 1
        while isinstance(outcome, Failure) and sent < SENT and self.do_without(outcome, request, body):
            body = self.body(request)
            outcome, sent = await self.attempt(call(body)), sent + 1
        return recorded(outcome, request), headers

    def do_without(self, failure: Failure, request: Request, sent: dict[str, Any] | None = None) -> bool:
        """Whether ``request``, refused for a parameter that it ``sent``, is another one now that this was learnt.

        In a batch all were sent before anything was learnt of one of them.
        """
        body = self.body(request) | dict.fromkeys(self.parameters.known) if sent is None else sent
        return self.parameters.learn(failure, body) and self.body(request).keys() != body.keys()

    def rows(
        self, content: bytes, outcome: Callable[[dict[str, Any]], Response | Failure]
    ) -> list[tuple[str, Response | Failure]]:
        """The rows of a batch's results; one that cannot be read takes none of the others with it."""
        found: list[tuple[str, Response | Failure]] = []
        for line in content.splitlines():
            try:
                row = loads(line)
                key = str(row["custom_id"])
            except (ValueError, KeyError, TypeError, RecursionError):
                if line.strip():
                    log.warning("a row of a batch's results cannot be read: %.100r", line)
                continue
            try:
                found.append((key, outcome(row)))
            except (UnreadableError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                words = str(error) if isinstance(error, UnreadableError) else f"a row without an answer ({error!r})"
                found.append((key, Failure("passing", scrubbed(words, self.key)[:300], maybe_paid=True)))
        return found

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


def recorded(outcome: Response | Failure, request: Request | None = None) -> Response | Failure:
    """The outcome itself; a lasting refusal of one request is an answer of its own kind, not a mistake."""
    if isinstance(outcome, Failure):
        return outcome.as_response() if outcome.kind == "refused" and outcome.withheld else outcome
    return complete_counts(outcome, request) if request else outcome


def _status_within(content: dict[str, Any]) -> int:
    """The HTTP status that an error in a body stands for, as some servers put it into an HTTP 200; 0 without one."""
    error = content.get("error")
    base = content.get("base_resp")
    failed = isinstance(base, dict) and base.get("status_code") not in (0, None)
    if not error and content.get("object") != "error" and not failed:
        return 0
    code = error.get("code") if isinstance(error, dict) else content.get("code")
    number = int(code) if isinstance(code, int | str) and str(code).isdecimal() else 0
    return number if 400 <= number < 600 else 502


def _has_text(content: dict[str, Any]) -> bool:
    """Whether there is an answer beside an error."""
    choices = content.get("choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices else content
    return bool(isinstance(message, dict) and message.get("content"))
