"""Anthropic's message batches: results in another order; rows that succeed, fail, expire or are cancelled."""

from __future__ import annotations

import datetime
import json
import random
import re
import time
from typing import Any

from aiohttp import web

from .anthropic_messages import complete, refuse
from .app import STATE, read_json
from .refusals import Refused
from .state import State


async def create(request: web.Request) -> web.Response:
    """POST /v1/messages/batches"""
    state, body = request.app[STATE], await read_json(request, "anthropic")
    rows = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        raise refuse(400, "requests: Field required" if rows is None else "requests: List should have at least 1 item")
    unknown = [f"{key}" for key in body if key != "requests"]
    names = set()
    for index, row in enumerate(rows):
        unknown += [f"requests.{index}.{key}" for key in row if key not in ("custom_id", "params")]
        for key in ("custom_id", "params"):
            if key not in row:
                raise refuse(400, f"requests.{index}.{key}: Field required")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", row["custom_id"]):
            raise refuse(400, f"requests.{index}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if row["custom_id"] in names:
            raise refuse(400, f"requests.{index}.custom_id: Duplicate custom_id '{row['custom_id']}'")
        names.add(row["custom_id"])
    if unknown:
        raise refuse(400, f"{unknown[0]}: Extra inputs are not permitted")
    batch = {"id": state.new_id("message_batch", "msgbatch_", rows), "polls": 0, "started": time.time(), "ended": None}
    batch |= {"cancelled": None, "count": len(rows), "counts": None, "deleted": False}
    state.write(batch["id"], json.dumps(rows).encode())
    return web.json_response(_shown(request, state.put("message_batch", batch)))


def _date(seconds: float | None) -> str | None:
    return seconds and datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat().replace("+00:00", "Z")


def _shown(request: web.Request, batch: dict) -> dict[str, Any]:
    counts = {"processing": batch["count"], "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    status = "ended" if batch["ended"] else "canceling" if batch["cancelled"] else "in_progress"
    url = f"{request.url.origin()}/v1/messages/batches/{batch['id']}/results" if batch["ended"] else None
    return {
        "id": batch["id"],
        "type": "message_batch",
        "processing_status": status,
        "request_counts": batch["counts"] or counts,
        "created_at": _date(batch["started"]),
        "expires_at": _date(batch["started"] + 86_400),
        "ended_at": _date(batch["ended"]),
        "cancel_initiated_at": _date(batch["cancelled"]),
        "archived_at": None,
        "results_url": url,
    }


def find_batch(state: State, name: str, look: bool = False) -> dict:
    """A batch as it stands now; ``look`` counts as a poll."""
    batch = state.get("message_batch", name)
    if batch is None or batch["deleted"]:
        raise refuse(404, f"Could not find batch with id '{name}'")
    if batch["ended"]:
        return batch
    batch = batch | {"polls": batch["polls"] + look}
    if state.settings["batch_seconds"] is not None:
        share = (time.time() - batch["started"]) / max(state.settings["batch_seconds"], 1e-9)
    else:
        share = batch["polls"] / state.settings["batch_polls"]
    expires = state.settings["batch_expires_after"]
    if batch["cancelled"] and look:
        _end(state, batch, 0.5, "canceled")
    elif share >= 1:
        _end(state, batch, 1.0 if expires is None else expires, "expired")
    return state.put("message_batch", batch)


def _end(state: State, batch: dict, share: float, rest: str) -> None:
    rows, chance = json.loads(state.read(batch["id"])), random.Random(batch["id"])
    results = []
    for number, row in enumerate(rows):
        if number >= share * len(rows):
            result: dict[str, Any] = {"type": rest}
        else:
            try:
                if chance.random() < state.settings["batch_failed_rows"]:
                    raise refuse(500, "Internal server error")
                message = complete(state, row["params"], batch=batch["id"], custom_id=row["custom_id"])
                message["usage"]["service_tier"] = "batch"
                result = {"type": "succeeded", "message": message}
            except Refused as refused:
                result = {"type": "errored", "error": refused.body}
        results.append({"custom_id": row["custom_id"], "result": result})
    chance.shuffle(results)
    state.write(f"{batch['id']}_results", "".join(json.dumps(result) + "\n" for result in results).encode())
    kinds = [result["result"]["type"] for result in results]
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    batch |= {"ended": time.time(), "counts": {kind: kinds.count(kind) for kind in names}}


async def retrieve(request: web.Request) -> web.Response:
    """GET /v1/messages/batches/{batch}"""
    return web.json_response(_shown(request, find_batch(request.app[STATE], request.match_info["batch"], look=True)))


async def results(request: web.Request) -> web.Response:
    """GET /v1/messages/batches/{batch}/results"""
    state = request.app[STATE]
    batch = find_batch(state, request.match_info["batch"])
    if not batch["ended"]:
        raise refuse(400, f"Batch '{batch['id']}' has no available results.")
    return web.Response(body=state.read(f"{batch['id']}_results"), content_type="application/x-jsonl")


async def list_batches(request: web.Request) -> web.Response:
    """GET /v1/messages/batches"""
    state, query = request.app[STATE], request.query
    found = [find_batch(state, batch["id"]) for batch in state.all("message_batch")[::-1] if not batch["deleted"]]
    names = [batch["id"] for batch in found]
    start = names.index(query["after_id"]) + 1 if query.get("after_id") in names else 0
    end = start + int(query.get("limit", 20))
    data = [_shown(request, batch) for batch in found[start:end]]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return web.json_response({"data": data, "has_more": end < len(found)} | ends)


async def cancel(request: web.Request) -> web.Response:
    """POST /v1/messages/batches/{batch}/cancel"""
    state = request.app[STATE]
    batch = find_batch(state, request.match_info["batch"])
    if batch["ended"]:
        raise refuse(400, "Batch has already ended and cannot be canceled.")
    return web.json_response(_shown(request, state.put("message_batch", batch | {"cancelled": time.time()})))


def add_routes(app: web.Application) -> None:
    """Serve all this."""
    app.router.add_post("/v1/messages/batches", create)
    app.router.add_get("/v1/messages/batches", list_batches)
    app.router.add_get("/v1/messages/batches/{batch}", retrieve)
    app.router.add_get("/v1/messages/batches/{batch}/results", results)
    app.router.add_post("/v1/messages/batches/{batch}/cancel", cancel)
