"""Parameters that a server refuses and a request does without: left out for the rest of this process."""

from __future__ import annotations

import logging
import re
from typing import Any

from .error_codes import meaning_of
from .provider_errors import Failure

log = logging.getLogger(__name__)

SETTINGS = {
    "seed": "api: {seed: false}",
    "max_tokens": "api: {max_tokens: max_completion_tokens}",
    "max_completion_tokens": "api: {max_tokens: max_tokens}",
    "response_format": "api: {json_schema: false}",
    "output_config": "api: {json_schema: false}",
}
"""What may be left out or renamed without another answer being asked for, and the setting that says so beforehand."""

MENTIONS = {
    "seed": re.compile(r"\bseed\b"),
    "max_tokens": re.compile(r"\bmax_tokens\b"),
    "max_completion_tokens": re.compile(r"\bmax_completion_tokens\b"),
    "response_format": re.compile(r"response_?format|json[ _]?schema|structured[ _]outputs?", re.IGNORECASE),
    "output_config": re.compile(r"output_?(config|format)|json[ _]?schema|structured[ _]outputs?", re.IGNORECASE),
}
REFUSES = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown (name|parameter|field|argument)|unexpected|extra (inputs|fields)"
    r"|not permitted|not allowed|not accept|unavailable|not available|not implemented|deprecated|cannot find|instead"
    r"|supported values|conversion failed",
    re.IGNORECASE,
)

_refused: dict[tuple[str, str, str], set[str]] = {}
"""By endpoint, server and model."""


class Parameters:
    """What one model at one server is known to refuse.

    Args:
        endpoint, server, model: where it answers; what was learnt there holds for every job of this process.
    """

    def __init__(self, endpoint: str, server: str, model: str) -> None:
        self.known = _refused.setdefault((endpoint, server, model), set())

    def refuses(self, name: str) -> bool:
        """Whether the server was found to refuse a parameter."""
        return name in self.known

    def learn(self, failure: Failure, body: dict[str, Any]) -> bool:
        """Whether a request with ``body`` failed because of a parameter that it can do without."""
        name = _refused_parameter(failure, body)
        if name and name not in self.known:
            self.known.add(name)
            log.warning("%s; asked without it from now on (%s says so beforehand)", failure.words[:300], SETTINGS[name])
        return name is not None


def _refused_parameter(failure: Failure, body: dict[str, Any]) -> str | None:
    if failure.kind != "refused" or failure.withheld:
        return None
    sent = [name for name in SETTINGS if name in body]
    named = re.split(r"[.\[]", failure.parameter)[0]
    unsupported = meaning_of((failure.code,)) == "parameter" and failure.code.startswith(("unsupported", "unknown"))
    if not (unsupported or REFUSES.search(failure.words)):
        return None
    if named in sent:
        return named
    return next((name for name in sent if MENTIONS[name].search(failure.words)), None)
