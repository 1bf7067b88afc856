"""What a provider says about a model: is it there, may it be fine-tuned, are batches taken. No answer is paid for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ..config.api_keys import quiet_clients, read_key, scrubbed
from ..config.model_config import Served
from ..config.proxies import direct_client
from ..core.errors import ClusterError, EndpointError, nearest

Finding = tuple[Literal["yes", "no", "unknown"], str]
TIMEOUT = 30.0


def answers_there(served: Served) -> Finding:
    """Whether the server lists the model for this key."""

    def ask(client: Any) -> Finding:
        names = [model.id for model in client.models.list()]
        if served.model in names:
            return "yes", "listed"
        return _retrieve(client, str(served.model), names)

    return _asked(served, ask)


def _retrieve(client: Any, model: str, names: list[str]) -> Finding:
    """Lists leave models out that the server has nevertheless: fine-tuned ones, aliases."""
    try:
        client.models.retrieve(model)
    except Exception as error:
        if getattr(error, "status_code", None) != 404:
            raise
        if model.startswith("tinker://"):
            return "unknown", "not listed, as saved weights may be"
        return "no", f"the server has no such model{nearest(model, names) if len(names) < 200 else ''}"
    return "yes", "there, though not listed"


def takes_batches(served: Served) -> Finding:
    """Whether the server has a batch API for this key."""

    def ask(client: Any) -> Finding:
        batches = client.messages.batches if served.endpoint == "anthropic" else client.batches
        batches.list(limit=1)
        return "yes", "the batch API answers"

    return _asked(served, ask, missing="the server has no batch API")


def trains_at_openai(served: Served) -> Finding:
    """Whether the fine-tuning API answers this key. What it trains, and on what, it says only when a job is made."""

    def ask(client: Any) -> Finding:
        client.fine_tuning.jobs.list(limit=1)
        return "unknown", "the fine-tuning API answers; whether it takes this model and these rows shows with the job"

    return _asked(served, ask, missing="the server has no fine-tuning API")


def trains_at_tinker(served: Served) -> Finding:
    """Whether Tinker trains the model now."""
    from ..finetuning.tinker_service import check_trains, in_tinkers_words, open_service

    try:
        service = open_service(served)
        with in_tinkers_words("to say what it trains"):
            check_trains(service, str(served.model))
    except ClusterError as error:
        return "no", str(error)
    return "yes", "among the models that Tinker trains"


def _asked(served: Served, ask: Callable[[Any], Finding], missing: str = "") -> Finding:
    """What ``ask`` finds with the provider's client; its errors become findings, without the key in them."""
    quiet_clients()
    try:
        key = read_key(served.key_variable)
        direct = direct_client(served)
    except EndpointError as error:
        return "no", str(error)
    client = _client(served, key, direct)
    try:
        return ask(client)
    except Exception as error:
        status = getattr(error, "status_code", None)
        words = " ".join(scrubbed(_words(error), key).split())[:300]
        if status is None:
            if type(error).__name__ not in ("APIConnectionError", "APITimeoutError"):
                raise
            return "no", f"cannot be reached: {words}"
        if status == 401:  # providers repeat parts of the key
            return "no", f"the server does not accept the key in {served.key_variable} (status 401)"
        if status == 404:
            return ("no", missing) if missing else ("unknown", "the server does not list its models")
        return "no" if status in (400, 402, 403) else "unknown", f"status {status}: {words}"
    finally:
        client.close()


def _client(served: Served, key: str, more: dict[str, Any]) -> Any:
    where = served.api.base_url if served.api else None
    if served.endpoint == "anthropic":
        from anthropic import Anthropic

        return Anthropic(api_key=key, max_retries=1, timeout=TIMEOUT, base_url=where, **more)
    from openai import OpenAI

    return OpenAI(api_key=key, max_retries=1, timeout=TIMEOUT, base_url=where, **more)


def _words(error: Exception) -> str:
    """The provider's own words, with nothing of the request."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else None
    return str(said or error.__cause__ or error)
