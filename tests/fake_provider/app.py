"""What every handler needs of the application."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from .refusals import Refused
from .state import State

STATE = web.AppKey("state", State)


async def read_json(request: web.Request, provider: str) -> Any:
    """The body of a request, or the provider's 400."""
    try:
        return json.loads(await request.read())
    except ValueError:
        raise Refused(provider, 400, "We could not parse the JSON body of your request.") from None
