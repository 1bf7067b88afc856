"""The HTTP server: who may ask, which fault strikes, who answers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiohttp import web

from . import anthropic_batches, anthropic_messages, openai_batches, openai_chat, openai_files, openai_jobs
from .app import STATE, read_json
from .faults import PAID, Fault, choose, error, failure, reset, spoil
from .refusals import Refused
from .state import State, digest

Handler = Any


def provider_of(request: web.Request) -> str:
    """Whose API this request speaks."""
    anthropic = "x-api-key" in request.headers or "anthropic-version" in request.headers
    return "anthropic" if anthropic or request.path.startswith("/v1/messages") else "openai"


def operation_of(request: web.Request) -> str:
    """The word by which faults name what is asked."""
    path = request.path
    for prefix, name in (
        ("/v1/messages/batches", "batches"),
        ("/v1/messages", "messages"),
        ("/v1/chat/completions", "chat"),
        ("/v1/models", "models"),
        ("/v1/files", "files"),
        ("/v1/fine_tuning/jobs", "jobs"),
        ("/v1/batches", "batches"),
    ):
        if path.startswith(prefix):
            return name
    return path


def authorize(request: web.Request, state: State) -> None:
    """Raise `Refused` for a missing or wrong key."""
    if provider_of(request) == "anthropic":
        key = request.headers.get("x-api-key", "") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if key not in state.settings["keys"]:
            raise Refused("anthropic", 401, "invalid x-api-key" if key else "x-api-key header is required")
        if "anthropic-version" not in request.headers:
            raise Refused("anthropic", 400, "anthropic-version: header is required")
        return
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key:
        raise Refused("openai", 401, "You didn't provide an API key.")
    if key not in state.settings["keys"]:
        shown = f"{key[:3]}***{key[-2:]}"
        message = f"Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com/account/api-keys."
        raise Refused("openai", 401, message, "invalid_api_key")


@web.middleware
async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Authorization, load, faults, errors and headers, around every call of the providers' APIs."""
    if request.path.startswith("/fake/"):
        return await handler(request)
    state, provider = request.app[STATE], provider_of(request)
    started = time.monotonic()
    uploads = request.content_type.startswith("multipart/")
    body = b"" if uploads else await request.read()  # an upload's parts are read by who takes them
    operation = operation_of(request)
    generates = operation in ("chat", "messages")
    fault = None
    state.in_flight += 1
    state.peak = max(state.peak, state.in_flight)
    try:
        authorize(request, state)
        limit = state.settings["max_in_flight"]
        if limit is not None and state.in_flight > limit:
            fault = Fault(kind="rate_limit", retry_after=0.05)
        else:
            fault = choose(state, operation, request.method, body)
        if generates and state.settings["latency"]:
            await asyncio.sleep(state.settings["latency"])
        response = await _answer(request, handler, fault, provider)
    except Refused as refused:
        response = web.json_response(refused.body, status=refused.status)
    except web.HTTPNotFound:
        message = f"Invalid URL ({request.method} {request.path})" if provider == "openai" else "Not Found"
        response = web.json_response(error(provider, 404, message), status=404)
    finally:
        state.in_flight -= 1
    _add_headers(response, provider, state, started)
    return await spoil(request, response, fault) if fault and fault.kind in PAID else response


async def _answer(request: web.Request, handler: Handler, fault: Fault | None, provider: str) -> web.Response:
    if fault is None or fault.kind in PAID:
        return await handler(request)
    if fault.kind == "latency":
        await asyncio.sleep(fault.seconds)
        return await handler(request)
    if fault.kind == "reset":
        reset(request)
        return web.Response(status=500)  # nobody receives it
    failed = failure(fault, provider)
    assert failed is not None, fault.kind
    status, content, headers = failed
    return web.json_response(content, status=status, headers=headers)


def _add_headers(response: web.StreamResponse, provider: str, state: State, started: float) -> None:
    if response.prepared:
        return
    state.answered += 1
    name = f"req_{digest(state.answered, started)[:24]}"
    if provider == "anthropic":
        headers = {
            "request-id": name,
            "anthropic-ratelimit-requests-limit": "10000",
            "anthropic-ratelimit-requests-remaining": str(max(0, 9_999 - state.in_flight)),
        }
    else:
        headers = {
            "x-request-id": name,
            "openai-processing-ms": str(round((time.monotonic() - started) * 1000)),
            "x-ratelimit-limit-requests": "10000",
            "x-ratelimit-remaining-requests": str(max(0, 9_999 - state.in_flight)),
            "x-ratelimit-reset-requests": "6ms",
        }
    for key, value in headers.items():
        response.headers.setdefault(key, value)


async def chat(request: web.Request) -> web.Response:
    """POST /v1/chat/completions"""
    return web.json_response(openai_chat.complete(request.app[STATE], await read_json(request, "openai")))


async def messages(request: web.Request) -> web.Response:
    """POST /v1/messages"""
    return web.json_response(anthropic_messages.complete(request.app[STATE], await read_json(request, "anthropic")))


async def list_models(request: web.Request) -> web.Response:
    """GET /v1/models"""
    state = request.app[STATE]
    if provider_of(request) == "anthropic":
        retired = state.settings["retired"]
        data = [anthropic_messages.model_object(name) for name in anthropic_messages.MODELS if name not in retired]
        page = {"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]}
        return web.json_response(page)
    known = openai_chat.known_models(state)
    return web.json_response(
        {"object": "list", "data": [openai_chat.model_object(name, model) for name, model in known.items()]}
    )


async def retrieve_model(request: web.Request) -> web.Response:
    """GET /v1/models/{model}"""
    state, name = request.app[STATE], request.match_info["model"]
    if provider_of(request) == "anthropic":
        return web.json_response(anthropic_messages.model_object(anthropic_messages.find_model(state, name)))
    return web.json_response(openai_chat.model_object(name, openai_chat.find_model(state, name)))


async def control(request: web.Request) -> web.Response:
    """GET and POST /fake/{what}: settings, faults, the ledger, load."""
    state, what = request.app[STATE], request.match_info["what"]
    if request.method == "POST" and what == "settings":
        state.set(await request.json())
    elif request.method == "POST" and what == "faults":
        fault = Fault(**await request.json())
        fault.id = state.new_id("fault", "fault-", fault.model_dump())
        state.put("fault", fault.model_dump())
        return web.json_response(fault.model_dump())
    elif request.method == "DELETE" and what == "faults":
        for stored in state.all("fault"):
            state.put("fault", stored | {"times": stored["struck"]})
    answers = {
        "settings": lambda: state.settings,
        "faults": lambda: state.all("fault"),
        "ledger": lambda: state.ledger,
        "load": lambda: {"in_flight": state.in_flight, "peak": state.peak, "answered": state.answered},
    }
    if what not in answers:
        raise web.HTTPNotFound()
    return web.json_response(answers[what]())


def application(state: State) -> web.Application:
    """The fake as an aiohttp application."""
    app = web.Application(middlewares=[serve], client_max_size=512 * 2**20)
    app[STATE] = state
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/messages", messages)
    app.router.add_get("/v1/models", list_models)
    app.router.add_get("/v1/models/{model:.+}", retrieve_model)
    for part in (anthropic_batches, openai_batches, openai_files, openai_jobs):
        part.add_routes(app)
    app.router.add_route("*", "/fake/{what}", control)
    return app
