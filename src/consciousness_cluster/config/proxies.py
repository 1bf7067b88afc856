"""Proxies that the environment names, looked at before a provider is asked: the clients take HTTP proxies alone."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..core.errors import EndpointError
from .model_config import Served

USUAL = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def check_proxy(served: Served) -> bool:
    """Refuse a proxy that no client here can speak to; nothing is sent.

    Args:
        served: the hosted model that is to be asked.

    Returns:
        Whether a client must be kept from the environment's proxies: they are for other servers, but it could not even
        be made.

    Raises:
        EndpointError: the environment sends requests to its server through such a proxy.
    """
    endpoint = served.endpoint
    url = (served.api.base_url if served.api else None) or os.environ.get(f"{endpoint.upper()}_BASE_URL")
    url = url or USUAL.get(endpoint, "https:")
    parts, proxies = urlsplit(url), getproxies()
    odd = [name for name in ("http", "https", "all") if _kind(proxies.get(name)) not in ("", "http", "https")]
    name = parts.scheme if proxies.get(parts.scheme) else "all"
    if name not in odd or proxy_bypass(parts.netloc):
        return bool(odd)
    raise EndpointError(  # not the proxy itself: its address may hold a password
        f"{name.upper()}_PROXY: found a proxy of kind {_kind(proxies[name])}://, expected http:// (or https://); set"
        f" {parts.scheme.upper()}_PROXY to an HTTP proxy, or NO_PROXY={parts.hostname} to do without"
    )


def _kind(proxy: str | None) -> str:
    return "" if not proxy else urlsplit(proxy if "://" in proxy else f"http://{proxy}").scheme.lower()


def direct_client(served: Served) -> dict[str, Any]:
    """Arguments with which a provider's client leaves the environment's proxies alone, where it must.

    Raises:
        EndpointError: see `check_proxy`.
    """
    if not check_proxy(served):
        return {}
    from httpx2 import Client, HTTPTransport

    return {"http_client": Client(transport=HTTPTransport())}
