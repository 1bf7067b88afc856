"""OpenAI's files: upload, list, retrieve, content, delete."""

from __future__ import annotations

import hashlib
import time
from typing import Any, get_args

from aiohttp import web
from openai.types import FilePurpose

from .app import STATE
from .openai_chat import refuse
from .state import State

ENDINGS = {"fine-tune": ".jsonl", "batch": ".jsonl"}


def page(request: web.Request, newest_last: list[dict[str, Any]], default: int, order: str = "desc") -> web.Response:
    """One page of a list, in OpenAI's cursor style."""
    query = request.query
    items = newest_last if query.get("order", order) == "asc" else newest_last[::-1]
    names = [item["id"] for item in items]
    start = names.index(query["after"]) + 1 if query.get("after") in names else 0
    end = start + int(query.get("limit", default))
    return web.json_response({"object": "list", "data": items[start:end], "has_more": end < len(items)})


def add_file(state: State, name: str, content: bytes, purpose: str) -> dict[str, Any]:
    """Keep a file; its id follows from its content."""
    what = hashlib.sha256(content).hexdigest()
    item = {"id": state.new_id("file", "file-", name, what), "object": "file", "bytes": len(content)}
    item |= {"created_at": int(time.time()), "filename": name, "purpose": purpose, "status": "processed"}
    state.write(item["id"], content)
    return state.put("file", item)


def find_file(state: State, name: str, param: str | None = None) -> dict[str, Any]:
    """A file, or OpenAI's 404 (400 where a body names it)."""
    found = state.get("file", name)
    if found is None or found.get("deleted"):
        if param:
            raise refuse(400, f"invalid {param}: {name}", "invalid_file_id", param)
        raise refuse(404, f"No such File object: {name}", None, "id")
    return found


async def upload(request: web.Request) -> web.Response:
    """POST /v1/files"""
    form = await request.post()
    unknown = [key for key in form if key not in ("file", "purpose") and not key.startswith("expires_after[")]
    if unknown:
        raise refuse(400, f"Unknown parameter: '{unknown[0]}'.", "unknown_parameter", unknown[0])
    file, purpose = form.get("file"), form.get("purpose")
    if not isinstance(file, web.FileField):
        raise refuse(400, "'file' is a required property", None, None)
    if purpose not in get_args(FilePurpose):
        allowed = ", ".join(f"'{each}'" for each in get_args(FilePurpose))
        raise refuse(400, f"'{purpose}' is not one of [{allowed}] - 'purpose'")
    ending = ENDINGS.get(str(purpose), "")
    if not file.filename.endswith(ending):
        raise refuse(400, f"Invalid file format for {purpose}. Must be {ending}", "invalid_file_format", "file")
    return web.json_response(add_file(request.app[STATE], file.filename, file.file.read(), str(purpose)))


async def list_files(request: web.Request) -> web.Response:
    """GET /v1/files"""
    files = [item for item in request.app[STATE].all("file") if not item.get("deleted")]
    purpose = request.query.get("purpose")
    return page(request, [item for item in files if purpose in (None, item["purpose"])], 10_000)


async def retrieve(request: web.Request) -> web.Response:
    """GET /v1/files/{file}"""
    return web.json_response(find_file(request.app[STATE], request.match_info["file"]))


async def content(request: web.Request) -> web.Response:
    """GET /v1/files/{file}/content"""
    state = request.app[STATE]
    item = find_file(state, request.match_info["file"])
    return web.Response(body=state.read(item["id"]), content_type="application/octet-stream")


async def delete(request: web.Request) -> web.Response:
    """DELETE /v1/files/{file}"""
    state = request.app[STATE]
    item = find_file(state, request.match_info["file"])
    state.put("file", item | {"deleted": True})
    return web.json_response({"id": item["id"], "object": "file", "deleted": True})


def add_routes(app: web.Application) -> None:
    """Serve all this."""
    app.router.add_post("/v1/files", upload)
    app.router.add_get("/v1/files", list_files)
    app.router.add_get("/v1/files/{file}", retrieve)
    app.router.add_get("/v1/files/{file}/content", content)
    app.router.add_delete("/v1/files/{file}", delete)
