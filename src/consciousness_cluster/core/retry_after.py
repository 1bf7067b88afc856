"""How long a server asks to wait before a request is made again."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers ask to wait; None if they say nothing that can be read.

    ``retry-after-ms`` (OpenAI) goes before ``retry-after``, which is a number of seconds or an HTTP date (RFC 9110),
    counted from the response's own ``date``.
    """
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if "retry-after" in headers:
            return max(0.0, float(headers["retry-after"]))
    except ValueError:
        return _until(headers["retry-after"], headers) if "retry-after" in headers else None
    return None


def _until(date: str, headers: Mapping[str, str]) -> float | None:
    try:
        now = parsedate_to_datetime(headers["date"])
        return max(0.0, (parsedate_to_datetime(date) - now).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
