"""Proxies that the environment names, looked at before a provider is asked: the clients take HTTP proxies alone."""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..core.errors import EndpointError
from .model_config import Served

USUAL = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def check_proxy(served: Served) -> None:
    """Refuse a proxy that no client here can speak to; nothing is sent.

    Args:
        served: the hosted model that is to be asked.

    Raises:
        EndpointError: the environment sends requests to its server through such a proxy.
    """
    endpoint = served.endpoint
    url = (served.api.base_url if served.api else None) or os.environ.get(f"{endpoint.upper()}_BASE_URL")
    url = url or USUAL.get(endpoint, "https:")
    parts, proxies = urlsplit(url), getproxies()
    name = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(name)
    if not proxy or proxy_bypass(parts.netloc):
        return
    kind = urlsplit(proxy if "://" in proxy else f"http://{proxy}").scheme.lower()
    if kind not in ("http", "https"):
        raise EndpointError(  # not the proxy itself: its address may hold a password
            f"{name.upper()}_PROXY: found a proxy of kind {kind}://, expected http:// (or https://); set"
            f" {parts.scheme.upper()}_PROXY to an HTTP proxy, or NO_PROXY={parts.hostname} to do without"
        )
