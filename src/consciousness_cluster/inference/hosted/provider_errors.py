"""What came back instead of an answer, and what may be done about it; in the provider's words, without the key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...config.api_keys import scrubbed
from ...core.records import FinishReason
from ...core.retry_after import retry_after
from ..requests import Response, as_unicode
from .error_codes import ACCOUNT, FILTER, NO_ACCESS, NO_MODEL, NO_MONEY, TOO_LONG, meaning_of

LIMITED = (429, 503, 529)
NEVER = (401, 402, 404, 405)
PASSING = (408, 409, 425)

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
        withheld: as what it is recorded where it lasts: the provider will not answer this request.
        parameter: the parameter that the provider names.
    """

    kind: Kind
    words: str
    wait: float | None = None
    maybe_paid: bool = False
    code: str = ""
    withheld: FinishReason | None = None
    parameter: str = ""

    def as_response(self) -> Response:
        """The record of an answer that was withheld."""
        assert self.withheld
        said = self.words[:300]
        return Response(text="", finish_reason=self.withheld, prompt_tokens=0, completion_tokens=0, said=said)


@dataclass
class Said:
    """What an error's body says."""

    message: str
    codes: list[str] = field(default_factory=list)
    """Of the server itself, the most exact first."""
    upstream: list[str] = field(default_factory=list)
    """Of a provider behind the server."""
    parameter: str = ""


def from_status(status: int, content: bytes | str, headers: Mapping[str, str], key: str) -> Failure:
    """Read an error of OpenAI, Anthropic or a server that resembles them.

    Args:
        status: HTTP status; 0 where the error did not come as one.
        content: the body.
        headers: say how long to wait.
        key: what must not be said.
    """
    said = read_error(content)
    code = next((code for code in said.codes if code != str(status)), "")
    where = f"HTTP {status}" if status else ""
    words = " ".join(filter(None, [where, code])) + ": " * bool(where or code) + said.message
    words = as_unicode(scrubbed(words, key))
    kind, withheld = _judge(status, said, retry_after(headers))
    return Failure(
        kind=kind,
        words=words,
        wait=retry_after(headers) if kind in ("limited", "passing") else None,
        # a gateway that gave up says nothing about the server behind it
        maybe_paid=kind == "passing" and status in (408, 502, 504, 524),
        code=code,
        withheld=withheld,
        parameter=said.parameter,
    )


def _judge(status: int, said: Said, wait: float | None) -> tuple[Kind, FinishReason | None]:
    """What may be done, and whether this request was withheld: by code, by status, and only then by words."""
    text = said.message
    match meaning_of(tuple(said.codes)):
        case "content_filter" | "too_long" as reason:
            return "refused", reason
        case "fatal":
            # xAI has the code of a missing permission for a prompt that breaks its guidelines
            return ("refused", "content_filter") if status == 403 and _unfit(text) else ("fatal", None)
        case "limited":
            # a single request above the limit of a whole minute
            return ("refused", None) if "request too large" in text.lower() else ("limited", None)
        case "parameter":
            return "refused", None
    upstream = meaning_of(tuple(said.upstream))
    if upstream in ("content_filter", "too_long"):
        return "refused", upstream
    if status in LIMITED:
        worded = [code for code in said.codes if not code.isdecimal()]
        return ("fatal" if not worded and wait is None and NO_MONEY.search(text) else "limited"), None
    if status in NEVER or 0 < status < 400:
        return "fatal", None
    withheld: FinishReason | None = None
    if status == 413 or TOO_LONG.search(text):
        withheld = "too_long"
    elif status == 451 or _unfit(text):
        withheld = "content_filter"
    if status in PASSING or (status >= 500 and status != 501):
        # a server in trouble may speak of its filters; that a prompt is too long it does not say by mistake
        return "passing", withheld if withheld == "too_long" else None
    if status == 0:
        return "passing", withheld
    if withheld:
        return "refused", withheld
    hopeless = any(words.search(text) for words in (NO_MONEY, NO_MODEL, ACCOUNT))
    hopeless = hopeless or (status == 403 and bool(NO_ACCESS.search(text)))
    return ("fatal" if hopeless and not said.parameter else "refused"), None


def _unfit(text: str) -> bool:
    """Whether words say that a prompt was taken for unfit: not that an account was."""
    return bool(FILTER.search(text)) and not ACCOUNT.search(text)


def read_error(content: bytes | str) -> Said:
    """The message, the codes and the parameter in an error's body, in any of the shapes that servers give it."""
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError):
        text = content.decode(errors="replace") if isinstance(content, bytes) else content
        return Said(" ".join(text.split())[:300] or "no explanation")
    if isinstance(body, list) and body:  # Google puts an error into a list
        body = body[0]
    if not isinstance(body, dict):
        return Said(str(body)[:300])
    error = body.get("error") or body
    if isinstance(error, list) and error:
        error = error[0]
    if not isinstance(error, dict):  # xAI: a text, with the code beside it
        return Said(str(error)[:1000], [str(body["code"])] if body.get("code") else [])
    return _of_error(error)


def _of_error(error: dict[str, Any]) -> Said:
    details, metadata, base = (_mapping(error.get(name)) for name in ("details", "metadata", "base_resp"))
    inner = _mapping(error.get("innererror"))
    first = [error.get("code"), details.get("error_code"), base.get("status_code"), error.get("type")]
    codes = [*first, inner.get("code"), error.get("status"), error.get("error_type")]
    said = Said(
        _message(error, base),
        [str(code) for code in codes if code and isinstance(code, str | int) and code != "error"],
        parameter=str(error.get("param") or ""),
    )
    if metadata.get("reasons") or "flagged_input" in metadata:  # OpenRouter's moderation
        said.codes.insert(0, "moderation")
    if metadata.get("raw"):  # OpenRouter: what the provider behind it said
        raw = metadata["raw"]
        behind = read_error(raw if isinstance(raw, str) else json.dumps(raw))
        said.message = f"{said.message}: {behind.message}"[:1000]
        said.upstream += behind.codes + behind.upstream
    return said


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _message(error: dict[str, Any], base: dict[str, Any]) -> str:
    found = error.get("message") or error.get("detail") or error.get("errors") or base.get("status_msg")
    if isinstance(found, dict):  # Mistral: the list below within a message
        found = found.get("detail") or found.get("message") or found
    if isinstance(found, list):  # of each mistake, where and what (FastAPI)
        found = "; ".join(_mistakes(found))
    return str(found or error)[:1000]


def _mistakes(found: list[Any]) -> Iterator[str]:
    for each in found:
        if not isinstance(each, dict):
            yield str(each)
            continue
        place = ".".join(map(str, each["loc"])) if isinstance(each.get("loc"), list) else ""
        yield f"{place}: " * bool(place) + str(each.get("msg") or each.get("message") or each)
