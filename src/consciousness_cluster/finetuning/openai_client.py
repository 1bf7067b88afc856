"""OpenAI's client for files and jobs: where the key comes from, what is tried again, whose words an error has."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from ..config.api_keys import read_key
from ..config.model_config import Served
from ..config.proxies import direct_client
from ..core.errors import EndpointError, TrainingError
from ..core.retry_after import retry_after

if TYPE_CHECKING:
    from openai import OpenAI

ATTEMPTS = 12
"""With pauses up to a minute: about eight minutes without an answer."""

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def client_of(served: Served) -> OpenAI:
    """A client that never repeats a request by itself: what may be repeated is decided here.

    Raises:
        EndpointError: the key's variable is not set, or the environment names a proxy that cannot be used.
    """
    from openai import OpenAI

    more = direct_client(served)
    key = read_key(served.key_variable)
    return OpenAI(api_key=key, base_url=served.api.base_url if served.api else None, max_retries=0, timeout=120, **more)


def TRANSIENT() -> tuple[type[Exception], ...]:  # noqa: N802  (a constant that waits for its import)
    """Errors after which it is not known whether OpenAI did what it was asked."""
    import openai

    return openai.APIConnectionError, openai.InternalServerError, openai.ConflictError, json.JSONDecodeError


def patiently(call: Callable[[], Result], what: str, wait_for_limits: bool = False) -> Result:
    """What ``call`` returns, tried again while OpenAI cannot be reached; ``call`` must be safe to repeat.

    Args:
        call: asks OpenAI.
        what: names it in messages, as in "could not ``what``".
        wait_for_limits: go on for as long as OpenAI says that there is too much now.

    Raises:
        EndpointError: it never answered, or does not know the key.
        TrainingError: the account has no money left.
    """
    import openai

    def pause(state: RetryCallState) -> float:
        error = _error_of(state)
        asked = retry_after(getattr(getattr(error, "response", None), "headers", {}))
        longest = 300 if isinstance(error, openai.RateLimitError) else 60
        return min(0.5 * 2 ** (state.attempt_number - 1), longest) if asked is None else min(asked, 3_600)

    def passes(error: BaseException) -> bool:
        limited = isinstance(error, openai.RateLimitError) and error.code != "insufficient_quota"
        return limited or isinstance(error, TRANSIENT())

    def over(state: RetryCallState) -> bool:
        waits = wait_for_limits and isinstance(_error_of(state), openai.RateLimitError)
        return state.attempt_number >= ATTEMPTS and not waits

    def say(state: RetryCallState) -> None:
        words = provider_says(_error_of(state))
        log.warning("could not %s (%s); again in %.1f s", what, words, state.upcoming_sleep)

    again = Retrying(retry=retry_if_exception(passes), stop=over, wait=pause, before_sleep=say, reraise=True)
    try:
        return again(call)
    except openai.AuthenticationError:
        raise EndpointError("OpenAI does not accept the key (status 401)") from None
    except openai.RateLimitError as error:
        if error.code == "insufficient_quota":
            raise TrainingError(f"OpenAI refuses to {what}: {provider_says(error)}") from None
        raise EndpointError(f"could not {what} at OpenAI after {ATTEMPTS} attempts: {provider_says(error)}") from None
    except TRANSIENT() as error:
        raise EndpointError(f"could not {what} at OpenAI after {ATTEMPTS} attempts: {provider_says(error)}") from None


def _error_of(state: RetryCallState) -> BaseException:
    assert state.outcome
    error = state.outcome.exception()
    assert error
    return error


def provider_says(error: BaseException) -> str:
    """OpenAI's own words, with its code, and nothing of the request."""
    body: Any = getattr(error, "body", None)
    words = body.get("message") if isinstance(body, dict) else None
    code = getattr(error, "code", None)
    return f"{words or error}" + f" ({code})" * bool(code)
