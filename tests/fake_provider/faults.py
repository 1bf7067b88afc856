"""Faults on demand, as a client meets them: refusals of the server, broken connections, broken bodies.

A fault strikes before the answer is generated (nothing is paid) or after it (`PAID`: paid for, and lost or late).
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from .state import State

UNPAID = ("latency", "rate_limit", "quota", "server_error", "overloaded", "unavailable", "reset", "status")
PAID = ("reset_after", "truncated", "malformed", "slow")


class Fault(BaseModel):
    """One fault, and when it strikes."""

    model_config = ConfigDict(extra="forbid")

    id: str = ""
    kind: Literal[UNPAID + PAID]  # type: ignore[valid-type]
    on: str | None = Field(None, description="chat, messages, models, files, jobs, batches; default: chat and messages")
    times: int | None = Field(1, description="how often it strikes; null for ever")
    skip: int = Field(0, description="matching requests that it lets pass first")
    every: int = Field(1, description="then it strikes every so many")
    probability: float = 1.0
    seed: int = 0
    match: str = Field("", description="only requests whose body holds this text")
    method: str | None = None
    seconds: float = Field(0.05, description="of latency, or of a slow body")
    retry_after: float | None = Field(None, description="seconds, in the headers of a 429, 503 or 529")
    status: int = 400
    message: str = "the fake was told to fail"
    code: str | None = None
    seen: int = 0
    struck: int = 0


def choose(state: State, operation: str, method: str, body: bytes) -> Fault | None:
    """The first fault that strikes this request; its count is kept."""
    for stored in state.all("fault"):
        fault = Fault(**stored)
        wanted = operation in ("chat", "messages") if fault.on is None else operation == fault.on
        if not wanted or (fault.method and fault.method != method) or fault.match.encode() not in body:
            continue
        number, fault.seen = fault.seen, fault.seen + 1
        due = number >= fault.skip and (number - fault.skip) % fault.every == 0
        spent = fault.times is not None and fault.struck >= fault.times
        chance = random.Random(f"{fault.id} {fault.seed} {number}").random()
        strikes = due and not spent and chance < fault.probability
        fault.struck += strikes
        state.put("fault", fault.model_dump())
        if strikes:
            return fault
    return None


def failure(fault: Fault, provider: str) -> tuple[int, dict[str, Any], dict[str, str]] | None:
    """Status, error body and headers of a fault that the server itself reports; None for the others."""
    headers = {}
    if fault.retry_after is not None:
        headers = {"retry-after": f"{fault.retry_after:g}", "retry-after-ms": f"{fault.retry_after * 1000:g}"}
    if fault.kind == "rate_limit":
        message = "Rate limit reached for requests. Please try again in a moment."
        limits = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": f"{fault.retry_after or 1:g}s"}
        if provider == "anthropic":
            message = "This request would exceed your organization's rate limit."
            limits = {"anthropic-ratelimit-requests-remaining": "0"}
        return 429, error(provider, 429, message, "rate_limit_exceeded"), limits | headers
    if fault.kind == "quota":
        if provider == "anthropic":
            message = "Your credit balance is too low to access the Anthropic API."
            return 400, error(provider, 400, message), headers
        message = "You exceeded your current quota, please check your plan and billing details."
        body = error(provider, 429, message, "insufficient_quota")
        body["error"]["type"] = "insufficient_quota"
        return 429, body, headers
    if fault.kind == "server_error":
        return 500, error(provider, 500, "The server had an error while processing your request."), headers
    if fault.kind == "unavailable":
        return 503, error(provider, 503, "The engine is currently overloaded, please try again later."), headers
    if fault.kind == "overloaded":
        status = 529 if provider == "anthropic" else 503
        return status, error(provider, status, "Overloaded"), headers
    if fault.kind == "status":
        return fault.status, error(provider, fault.status, fault.message, fault.code), headers
    return None


TYPES = {
    "anthropic": {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        529: "overloaded_error",
    },
    "openai": {429: "requests", 500: "server_error", 503: "server_error"},
}


def error(provider: str, status: int, message: str, code: str | None = None, param: str | None = None) -> dict:
    """An error body in the provider's shape."""
    if provider == "anthropic":
        kind = TYPES["anthropic"].get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"}
    kind = TYPES["openai"].get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def reset(request: web.Request) -> None:
    """Break the connection so that the client sees it reset."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def spoil(request: web.Request, response: web.Response, fault: Fault) -> web.StreamResponse:
    """Deliver a finished answer badly."""
    content = response.body if isinstance(response.body, bytes) else b""
    if fault.kind == "malformed":
        return web.Response(status=200, body=content[: len(content) // 2], headers=response.headers)
    if fault.kind == "reset_after":
        reset(request)
        return response
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = len(content)
    await stream.prepare(request)
    if fault.kind == "truncated":
        await stream.write(content[: len(content) // 2])
        if request.transport is not None:
            request.transport.close()
        return stream
    parts = 10
    for part in range(parts):  # slow
        await stream.write(content[len(content) * part // parts : len(content) * (part + 1) // parts])
        await asyncio.sleep(fault.seconds / parts)
    await stream.write_eof()
    return stream
