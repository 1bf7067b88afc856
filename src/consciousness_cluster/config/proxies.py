"""Proxies that the environment names, looked at before a provider is asked: the clients take HTTP proxies alone."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..core.errors import EndpointError


def check_proxy(url: str) -> None:
    """Refuse a proxy that no client here can speak to; nothing is sent.

    Args:
        url: the server that is to be asked.

    Raises:
        EndpointError: the environment sends requests to ``url`` through such a proxy.
    """
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
