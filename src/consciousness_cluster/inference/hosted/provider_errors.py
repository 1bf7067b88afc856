"""What came back instead of an answer, and what may be done about it; in the provider's words, without the key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...config.api_keys import scrubbed
from ...core.retry_after import retry_after

LIMITED = (429, 503, 529)
NEVER = (401, 402, 403, 404, 405)
NO_MONEY = ("insufficient_quota", "billing", "spend_limit", "credit balance")

Kind = Literal["limited", "passing", "refused", "fatal"]
"""limited: wait and ask slower. passing: try again. refused: this request will never pass. fatal: no request will."""


class UnreadableError(Exception):
    """A body that is not what the provider's schema promises."""


@dataclass(frozen=True)
class Failure:
    """One call that gave no answer.

    Args:
        kind: what may be done, see `Kind`.
        words: what the provider said.
        wait: seconds that the provider asks to wait.
        maybe_paid: the provider may have answered, and counted, what never arrived here.
        code: the provider's own word for it.
    """

    kind: Kind
    words: str
    wait: float | None = None
    maybe_paid: bool = False
    code: str = ""


def from_status(status: int, content: bytes | str, headers: Mapping[str, str], key: str) -> Failure:
    """Read an HTTP error, of OpenAI, Anthropic or a server that resembles them."""
    message, code = _said(content)
    words = scrubbed(f"HTTP {status}{f' {code}' if code else ''}: {message}", key)
    wait = retry_after(headers)
    if status < 400 or status in NEVER or (status < 500 and any(word in words.lower() for word in NO_MONEY)):
        return Failure("fatal", words, code=code)
    if status in LIMITED:
        return Failure("limited", words, wait, code=code)
    if status in (408, 409, 425) or status >= 500:
        # a gateway that gave up says nothing about the server behind it
        return Failure("passing", words, wait, maybe_paid=status in (408, 502, 504, 524), code=code)
    return Failure("refused", words, code=code)


def _said(content: bytes | str) -> tuple[str, str]:
    """The message and the code in an error's body."""
    try:
        body: Any = json.loads(content)
    except ValueError:
        text = content.decode(errors="replace") if isinstance(content, bytes) else content
        return " ".join(text.split())[:300] or "no explanation", ""
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return str(error)[:300], ""
    details = error.get("details")
    code = error.get("code") or (details.get("error_code") if isinstance(details, dict) else None) or error.get("type")
    return str(error.get("message") or error.get("detail") or error)[:1000], str(code or "")
