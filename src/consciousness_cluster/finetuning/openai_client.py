"""OpenAI's client for files and jobs: where the key comes from, what is tried again, whose words an error has."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..config.api_keys import read_key
from ..config.model_config import Served
from ..core.errors import EndpointError

if TYPE_CHECKING:
    from openai import OpenAI

ATTEMPTS = 12
"""With pauses up to a minute: about eight minutes without an answer."""

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def client_of(served: Served) -> OpenAI:
    """A client that never repeats a request by itself: what may be repeated is decided here.

    Raises:
        EndpointError: the key's variable is not set.
    """
    from openai import OpenAI

    key = read_key(served.key_variable)
    return OpenAI(api_key=key, base_url=served.api.base_url if served.api else None, max_retries=0, timeout=120)


def TRANSIENT() -> tuple[type[Exception], ...]:  # noqa: N802  (a constant that waits for its import)
    """Errors after which it is not known whether OpenAI did what it was asked."""
    import openai

    return openai.APIConnectionError, openai.InternalServerError, openai.ConflictError, json.JSONDecodeError


def retry_after(error: Exception, attempt: int, longest: float) -> float:
    """Seconds to wait: what the server asks for, else doubling from half a second."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return min(float(headers[name]) / unit, 3_600)
        except (KeyError, ValueError):
            continue
    return min(0.5 * 2**attempt, longest)


def patiently(call: Callable[[], Result], what: str) -> Result:
    """What ``call`` returns, tried again while OpenAI cannot be reached; ``call`` must be safe to repeat.

    Raises:
        EndpointError: it never answered, or does not know the key.
    """
    import openai

    problem = ""
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except openai.AuthenticationError:
            raise EndpointError("OpenAI does not accept the key (status 401)") from None
        except (openai.RateLimitError, *TRANSIENT()) as error:
            if getattr(error, "code", None) == "insufficient_quota":
                raise
            problem, pause = provider_says(error), retry_after(error, attempt, longest=60)
            log.warning("could not %s (%s); again in %.1f s", what, problem, pause)
            time.sleep(pause)
    raise EndpointError(f"could not {what} at OpenAI after {ATTEMPTS} attempts: {problem}")


def provider_says(error: Exception) -> str:
    """OpenAI's own words, with its code, and nothing of the request."""
    body: Any = getattr(error, "body", None)
    words = body.get("message") if isinstance(body, dict) else None
    code = getattr(error, "code", None)
    return f"{words or error}" + f" ({code})" * bool(code)
