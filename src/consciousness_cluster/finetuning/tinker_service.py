"""Tinker's client: an optional package, imported when it is needed; whose words an error has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..config.api_keys import read_key
from ..config.model_config import Served
from ..config.proxies import check_proxy
from ..core.errors import EndpointError, TrainingError, nearest

SAMPLER = "/oai/api/v1"
"""What Tinker's OpenAI-compatible server, where its models are asked, has behind the address where they are trained."""


@dataclass(frozen=True)
class Service:
    """Tinker.

    Attributes:
        training: a ``tinker.ServiceClient``.
        rest: a ``tinker.RestClient``.
    """

    training: Any
    rest: Any


def open_service(served: Served) -> Service:
    """Reach Tinker where ``served`` says; its key stands in the environment alone.

    Raises:
        EndpointError: the package or the key is missing, or Tinker cannot be reached.
    """
    try:
        import tinker  # pyright: ignore[reportMissingImports]  # in an environment of its own
    except ModuleNotFoundError as error:
        if error.name != "tinker":
            raise
        raise EndpointError(
            "fine-tuning at Tinker needs a package that is not installed: pip install -r envs/tinker.txt"
        ) from None
    check_proxy(served)
    key = read_key(served.key_variable)
    url = served.api.base_url if served.api else None
    where = {"base_url": url.rstrip("/").removesuffix(SAMPLER) if url else None, "api_key": key}
    with in_tinkers_words("this key"):
        return Service(training=tinker.ServiceClient(**where), rest=tinker.RestClient(**where))


def check_trains(service: Service, model: str) -> None:
    """Ask Tinker whether it trains ``model``; nothing is paid for before that.

    Raises:
        TrainingError: it does not; names the nearest that it does.
    """
    supported = service.rest.get_server_capabilities().result().supported_models
    names = [each.model_name for each in supported if each.model_name and each.trainable is not False]
    if model not in names:
        raise TrainingError(f"Tinker does not train {model!r}{nearest(model, names)}")


@contextmanager
def in_tinkers_words(what: str) -> Iterator[None]:
    """Turn Tinker's errors into this project's, in Tinker's words.

    Raises:
        EndpointError: it cannot be reached, or does not know the key.
        TrainingError: it refuses ``what``, or failed at it.
    """
    import tinker  # pyright: ignore[reportMissingImports]  # in an environment of its own

    try:
        yield
    except tinker.AuthenticationError:
        raise EndpointError("Tinker does not accept the key (status 401)") from None
    except tinker.APIConnectionError as error:
        raise EndpointError(f"Tinker cannot be reached: {error}") from None
    except tinker.TinkerError as error:
        raise TrainingError(f"Tinker refuses {what}: {getattr(error, 'message', None) or error}") from None
