"""OpenAI's batches: results in another order, rows that fail, batches that expire or are cancelled."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from aiohttp import web
from openai.types.batch_create_params import BatchCreateParams

from .app import STATE, read_json
from .openai_chat import complete, refuse
from .openai_files import add_file, find_file, page
from .refusals import Refused, refuse_problem
from .schema import check
from .state import State, digest

FINAL = ("failed", "completed", "expired", "cancelled")
STAMPS = {"completed": "completed_at", "expired": "expired_at", "cancelled": "cancelled_at", "failed": "failed_at"}
EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


async def create(request: web.Request) -> web.Response:
    """POST /v1/batches"""
    state, body = request.app[STATE], await read_json(request, "openai")
    refuse_problem("openai", check(body, BatchCreateParams))
    file = find_file(state, body["input_file_id"], "input_file_id")
    if file["purpose"] != "batch":
        raise refuse(400, f"File '{file['id']}' does not have purpose 'batch'.", "invalid_file", "input_file_id")
    now = int(time.time())
    batch = {"id": state.new_id("batch", "batch_", file["id"], body), "object": "batch", "endpoint": body["endpoint"]}
    batch |= {"input_file_id": file["id"], "completion_window": "24h", "status": "validating", "errors": None}
    batch |= {"output_file_id": None, "error_file_id": None, "created_at": now, "expires_at": now + 86_400}
    batch |= {"request_counts": {"total": 0, "completed": 0, "failed": 0}, "metadata": body.get("metadata")}
    batch |= {"_": {"polls": 0, "started": time.time()}}
    return web.json_response(_shown(state.put("batch", batch)))


def _shown(batch: dict) -> dict:
    return {key: value for key, value in batch.items() if key != "_"}


def find_batch(state: State, name: str, look: bool = False) -> dict:
    """A batch as it stands now; ``look`` counts as a poll."""
    batch = state.get("batch", name)
    if batch is None:
        raise refuse(404, f"No batch found with id '{name}'.", None, None)
    if batch["status"] in FINAL:
        return batch
    batch = json.loads(json.dumps(batch))
    batch["_"]["polls"] += look
    if state.settings["batch_seconds"] is not None:
        share = (time.time() - batch["_"]["started"]) / max(state.settings["batch_seconds"], 1e-9)
    else:
        share = batch["_"]["polls"] / state.settings["batch_polls"]
    if batch["status"] == "validating" and share > 0.2:
        problems = validate(state, batch)
        if problems:
            batch |= {"status": "failed", "failed_at": int(time.time())}
            batch["errors"] = {"object": "list", "data": problems}
        else:
            batch |= {"status": "in_progress", "in_progress_at": int(time.time())}
            batch["request_counts"]["total"] = len(_lines(state, batch))
    if batch["status"] == "cancelling":
        _end(state, batch, "cancelled", 0.5)
    elif batch["status"] == "in_progress" and share >= 1:
        expires = state.settings["batch_expires_after"]
        _end(state, batch, "completed" if expires is None else "expired", 1.0 if expires is None else expires)
    return state.put("batch", batch)


def _lines(state: State, batch: dict) -> list[bytes]:
    return [line for line in state.read(batch["input_file_id"]).splitlines() if line.strip()]


def validate(state: State, batch: dict) -> list[dict[str, Any]]:
    """What is wrong with the input file; the batch then fails as a whole."""
    problems: list[dict[str, Any]] = []
    names: set[str] = set()
    models: set[str] = set()

    def say(code: str, message: str, line: int | None, param: str | None = None) -> None:
        problems.append({"code": code, "message": message, "line": line, "param": param})

    lines = _lines(state, batch)
    if not lines:
        say("empty_file", "The batch input file is empty. Please ensure that the batch file is not empty.", None)
    if len(lines) > 50_000:
        say("too_many_tasks", "The batch input file contains more than 50000 requests.", None)
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            name, method, url, body = row["custom_id"], row["method"], row["url"], row["body"]
        except (ValueError, KeyError, TypeError):
            say("invalid_json_line", "This line is not parseable as valid JSON.", number)
            continue
        if name in names:
            say(
                "duplicate_custom_id", f"The custom_id '{name}' is a duplicate of another request.", number, "custom_id"
            )
        if url != batch["endpoint"]:
            say("invalid_url", "The URL provided for this request does not match the batch endpoint.", number, "url")
        if method != "POST":
            say("invalid_method", "Invalid value: expected 'POST'.", number, "method")
        names.add(name)
        models.add(body.get("model"))
    if len(models) > 1:
        say("mismatched_model", "The provided model must be the same in every request of a batch.", None, "body.model")
    return problems


def _end(state: State, batch: dict, status: str, share: float) -> None:
    """Answer the first ``share`` of the rows, in an order of its own; the others expire or are left out."""
    rows = [json.loads(line) for line in _lines(state, batch)]
    chance = random.Random(batch["id"])
    answered, failed, failing = [], [], state.settings["batch_failed_rows"]
    for number, row in enumerate(rows):
        name = f"batch_req_{digest(batch['id'], number)[:24]}"
        result = {"id": name, "custom_id": row["custom_id"], "response": None, "error": None}
        if number >= share * len(rows):
            failed += [result | {"error": EXPIRED}] if status == "expired" else []
            continue
        try:
            if chance.random() < failing:
                raise refuse(500, "The server had an error while processing your request. Sorry about that!")
            content, code = complete(state, row["body"], batch=batch["id"], custom_id=row["custom_id"]), 200
        except Refused as refused:
            content, code = refused.body, refused.status
        response = {"status_code": code, "request_id": name[10:], "body": content}
        (answered if code == 200 else failed).append(result | {"response": response})
    chance.shuffle(answered)
    for kind, results in (("output", answered), ("error", failed)):
        if results:
            text = "".join(json.dumps(result) + "\n" for result in results)
            batch[f"{kind}_file_id"] = add_file(state, f"{batch['id']}_{kind}.jsonl", text.encode(), "batch_output")[
                "id"
            ]
    batch["request_counts"] = {"total": len(rows), "completed": len(answered), "failed": len(failed)}
    batch |= {"status": status, "finalizing_at": int(time.time()), STAMPS[status]: int(time.time())}


async def retrieve(request: web.Request) -> web.Response:
    """GET /v1/batches/{batch}"""
    return web.json_response(_shown(find_batch(request.app[STATE], request.match_info["batch"], look=True)))


async def list_batches(request: web.Request) -> web.Response:
    """GET /v1/batches"""
    state = request.app[STATE]
    return page(request, [_shown(find_batch(state, batch["id"])) for batch in state.all("batch")], 20)


async def cancel(request: web.Request) -> web.Response:
    """POST /v1/batches/{batch}/cancel"""
    state = request.app[STATE]
    batch = find_batch(state, request.match_info["batch"])
    if batch["status"] in FINAL:
        raise refuse(409, f"Cannot cancel a batch with status '{batch['status']}'.")
    batch |= {"status": "cancelling", "cancelling_at": int(time.time())}
    return web.json_response(_shown(state.put("batch", batch)))


def add_routes(app: web.Application) -> None:
    """Serve all this."""
    app.router.add_post("/v1/batches", create)
    app.router.add_get("/v1/batches", list_batches)
    app.router.add_get("/v1/batches/{batch}", retrieve)
    app.router.add_post("/v1/batches/{batch}/cancel", cancel)
