"""The key of a provider: read from the environment at the last moment, and kept out of everything that is said."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from ..core.errors import EndpointError

if TYPE_CHECKING:
    from .experiment import Experiment

LOGGERS = ("openai", "anthropic", "httpx2", "httpcore2", "aiohttp")


def read_key(variable: str) -> str:
    """The key in environment variable ``variable``.

    Raises:
        EndpointError: it is not set, or holds what no HTTP header can carry; the value is never repeated.
    """
    key = _given(variable)
    if not key:
        raise EndpointError(
            f"{variable}: not set in the environment, expected the provider's key (any word if it wants none)"
        )
    if not (key.isascii() and key.isprintable()):
        del key  # a traceback may show variables
        raise EndpointError(f"{variable}: holds characters that no API key has")
    return key


def _given(variable: str) -> str:
    return os.environ.get(variable, "").strip()


def unset_keys(experiment: Experiment) -> list[str]:
    """Say in a line each which keys are missing, and which models give no new answers without them."""
    needed: dict[str, list[str]] = {}
    for role, served in experiment.models.items():
        if served.hosted and not _given(served.key_variable):
            needed.setdefault(served.key_variable, []).append(role)
    return [f"{variable} is not set: no new answers of {', '.join(roles)}" for variable, roles in needed.items()]


def scrubbed(text: str, key: str) -> str:
    """``text`` without the key."""
    return text.replace(key, "[key]") if key else text


def quiet_clients() -> None:
    """Leave the clients' loggers only warnings: they log a line per call, and at debug level much more."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
