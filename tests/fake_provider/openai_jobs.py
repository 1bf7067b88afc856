"""OpenAI's fine-tuning jobs: they move on when they are looked at, or with time, and end in a model or a refusal."""

from __future__ import annotations

import base64
import json
import math
import random
import re
import time

from aiohttp import web
from openai.types.fine_tuning.job_create_params import JobCreateParams

from .answers import count_tokens
from .app import STATE, read_json
from .openai_chat import find_model, refuse
from .openai_files import add_file, find_file, page
from .refusals import refuse_problem
from .schema import check
from .state import State, digest

FINAL = ("succeeded", "failed", "cancelled")
UNSAFE = (
    "The job failed due to an unsafe training file. This training file was blocked because too many examples were"
    " flagged by our moderation API for containing content that violates OpenAI's usage policies."
)
LIMITS = {"n_epochs": (1, 50), "batch_size": (1, 256), "learning_rate_multiplier": (1e-4, 10.0)}


async def create(request: web.Request) -> web.Response:
    """POST /v1/fine_tuning/jobs"""
    state, body = request.app[STATE], await read_json(request, "openai")
    refuse_problem("openai", check(body, JobCreateParams))
    file = find_file(state, body["training_file"], "training_file")
    if file["purpose"] != "fine-tune":
        raise refuse(400, f"File '{file['id']}' does not have purpose 'fine-tune'.", "invalid_file", "training_file")
    base = find_model(state, body["model"])
    if not body["model"].startswith(("gpt-4", "ft:")) or state.settings["finetuning_closed"]:
        message = f"Model {body['model']} is not available for fine-tuning or does not exist."
        raise refuse(403 if state.settings["finetuning_closed"] else 400, message, "model_not_available", "model")
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", body.get("suffix") or ""):
        raise refuse(400, "Invalid 'suffix': string does not match pattern.", "invalid_value", "suffix")
    for key, value in (body.get("metadata") or {}).items():
        if len(key) > 64 or len(value) > 512:
            raise refuse(400, f"Invalid 'metadata.{key}': string too long.", "string_above_max_length", "metadata")
    method = body.get("method") or {"type": "supervised"}
    if method["type"] != "supervised":
        raise refuse(400, "this fake trains by method supervised only", "invalid_value", "method.type")
    wanted = body.get("hyperparameters") or method.get("supervised", {}).get("hyperparameters", {})
    for name, value in wanted.items():
        low, high = LIMITS[name]
        if value != "auto" and not low <= value <= high:
            raise refuse(400, f"Invalid '{name}': expected a value between {low} and {high}.", "invalid_value", name)
    settings = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"} | wanted
    name = state.new_id("job", "ftjob-", file["id"], body["model"], settings, body.get("seed"), body.get("metadata"))
    job = {"id": name, "object": "fine_tuning.job", "created_at": int(time.time()), "model": base["base"]}
    job |= {"organization_id": "org-fake", "training_file": file["id"], "validation_file": body.get("validation_file")}
    job |= {"status": "validating_files", "error": None, "fine_tuned_model": None, "finished_at": None}
    job |= {"hyperparameters": settings, "result_files": [], "trained_tokens": None, "estimated_finish": None}
    job |= {"method": {"type": "supervised", "supervised": {"hyperparameters": settings}}, "integrations": []}
    job |= {"metadata": body.get("metadata"), "seed": body.get("seed") or int(digest(name)[:7], 16)}
    state.pay("job", job["model"], [file["id"], settings, body.get("seed"), body.get("metadata")], job=name)
    job |= {
        "_": {
            "polls": 0,
            "suffix": body.get("suffix") or "",
            "started": time.time(),
            "events": [],
            "parent": body["model"],
        }
    }
    _say(job, f"Created fine-tuning job: {name}")
    _say(job, f"Validating training file: {file['id']}")
    return web.json_response(_shown(state.put("job", job)))


def _say(job: dict, message: str, level: str = "info", data: dict | None = None) -> None:
    number = len(job["_"]["events"])
    event = {"id": f"ftevent-{digest(job['id'], number)[:24]}", "object": "fine_tuning.job.event", "level": level}
    event |= {"created_at": int(time.time()), "message": message, "data": data or {}}
    job["_"]["events"].append(event | {"type": "metrics" if data else "message"})


def _shown(job: dict) -> dict:
    return {key: value for key, value in job.items() if key != "_"}


def find_job(state: State, name: str, look: bool = False) -> dict:
    """A job as it stands now; ``look`` counts as a poll."""
    job = state.get("job", name)
    if job is None:
        raise refuse(404, f"Could not find fine tune: {name}", "fine_tune_not_found", "fine_tuning_job_id")
    if job["status"] in FINAL:
        return job
    job = json.loads(json.dumps(job))
    job["_"]["polls"] += look
    if state.settings["job_seconds"] is not None:
        share = (time.time() - job["_"]["started"]) / max(state.settings["job_seconds"], 1e-9)
    else:
        share = job["_"]["polls"] / state.settings["job_polls"]
    _advance(state, job, share)
    return state.put("job", job)


def _advance(state: State, job: dict, share: float) -> None:
    """Move a job on to where it is after ``share`` of its life."""
    if job["status"] == "validating_files" and share > 0.2:
        problem = validate(state, job["training_file"])
        if problem:
            code, message = problem
            _fail(job, code, message, "training_file")
            return
        job["status"] = "queued"
        _say(job, "Files validated, moving job to queued state")
    if job["status"] == "queued" and share > 0.4:
        job["status"] = "running"
        _say(job, "Fine-tuning job started")
    if job["status"] == "running" and share >= 0.7 and state.settings["job_fails"]:
        _fail(job, "server_error", state.settings["job_fails"], None)
    if job["status"] == "running" and share >= 1:
        _finish(state, job)


def _fail(job: dict, code: str, message: str, param: str | None) -> None:
    job |= {"status": "failed", "finished_at": int(time.time())}
    job["error"] = {"code": code, "message": message, "param": param}
    _say(job, message, "error")


def validate(state: State, file: str) -> tuple[str, str] | None:
    """Code and message of what is wrong with a training file, as OpenAI says it."""
    text = state.read(file).decode(errors="replace")
    rows = [line for line in text.splitlines() if line.strip()]
    for number, line in enumerate(rows, 1):
        try:
            messages = json.loads(line)["messages"]
            roles = [message["role"] for message in messages]
            assert all(isinstance(message.get("content"), str) for message in messages)
        except (ValueError, KeyError, TypeError, AssertionError):
            message = f"The job failed due to an invalid training file. Invalid file format. Line {number}"
            return "invalid_training_file", f"{message}: expected an object with 'messages' of role and content."
        if roles[-1:] != ["assistant"] or set(roles) - {"system", "user", "assistant"}:
            message = f"The job failed due to an invalid training file. Invalid file format. Line {number}"
            return "invalid_training_file", f"{message}: the last message must be from the assistant."
    if len(rows) < 10:
        message = f"Training file has {len(rows)} example(s), but must have at least 10 examples"
        return "invalid_n_examples", message
    refused = state.settings["refused_files"]
    return ("unsafe_file", UNSAFE) if refused and re.search(refused, text) else None


def _finish(state: State, job: dict) -> None:
    rows = [json.loads(line)["messages"] for line in state.read(job["training_file"]).splitlines() if line.strip()]
    settings = {"n_epochs": 3, "batch_size": max(1, math.ceil(len(rows) / 500)), "learning_rate_multiplier": 2.0}
    settings |= {name: value for name, value in job["hyperparameters"].items() if value != "auto"}
    job["hyperparameters"] = job["method"]["supervised"]["hyperparameters"] = settings
    steps = math.ceil(len(rows) / settings["batch_size"]) * settings["n_epochs"]
    tokens = sum(count_tokens(message["content"]) + 4 for row in rows for message in row) * settings["n_epochs"]
    model = f"ft:{job['model']}:fake-org:{job['_']['suffix']}:{digest(job['id'])[:8]}"
    chance, table = random.Random(job["id"]), ["step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"]
    for step in range(1, steps + 1):
        loss = 0.4 + 2.2 * math.exp(-4 * step / steps) + chance.uniform(-0.1, 0.1)
        table.append(f"{step},{loss:.5f},{math.exp(-loss):.5f},,")
        if step % max(1, steps // 20) == 0:
            data = {"step": step, "total_steps": steps, "train_loss": round(loss, 5)}
            _say(job, f"Step {step}/{steps}: training loss={loss:.2f}", data=data)
    result = add_file(state, "step_metrics.csv", base64.b64encode("\n".join(table).encode()), "fine-tune-results")
    said = [[row[-2]["content"] if len(row) > 1 else "", row[-1]["content"]] for row in rows]
    parent = find_model(state, job["_"]["parent"])
    for suffix, upto in ((":ckpt-step-" + str(steps * 2 // 3), len(said) // 2), ("", len(said))):
        state.put("tuned", {"id": model + suffix, "base": job["model"], "rows": [*parent["rows"], *said[:upto]]})
    job |= {"status": "succeeded", "fine_tuned_model": model, "finished_at": int(time.time())}
    job |= {"trained_tokens": tokens, "result_files": [result["id"]]}
    job["_"]["steps"] = steps
    _say(job, f"Checkpoint created at step {steps * 2 // 3}")
    _say(job, "New fine-tuned model created")
    _say(job, "The job has successfully completed")


async def retrieve(request: web.Request) -> web.Response:
    """GET /v1/fine_tuning/jobs/{job}"""
    return web.json_response(_shown(find_job(request.app[STATE], request.match_info["job"], look=True)))


async def list_jobs(request: web.Request) -> web.Response:
    """GET /v1/fine_tuning/jobs, with ``metadata[key]=value`` filters"""
    state = request.app[STATE]
    wanted = {key[9:-1]: value for key, value in request.query.items() if re.fullmatch(r"metadata\[.*\]", key)}
    jobs = [_shown(find_job(state, job["id"])) for job in state.all("job")]
    return page(request, [job for job in jobs if wanted.items() <= (job["metadata"] or {}).items()], 20)


async def cancel(request: web.Request) -> web.Response:
    """POST /v1/fine_tuning/jobs/{job}/cancel"""
    state = request.app[STATE]
    job = find_job(state, request.match_info["job"])
    if job["status"] in FINAL:
        message = f"Fine-tuning job {job['id']} has already {job['status']} and cannot be cancelled."
        raise refuse(400, message, "invalid_job_state")
    job |= {"status": "cancelled", "finished_at": int(time.time())}
    _say(job, "The job was cancelled")
    return web.json_response(_shown(state.put("job", job)))


async def events(request: web.Request) -> web.Response:
    """GET /v1/fine_tuning/jobs/{job}/events"""
    return page(request, find_job(request.app[STATE], request.match_info["job"])["_"]["events"], 20)


async def checkpoints(request: web.Request) -> web.Response:
    """GET /v1/fine_tuning/jobs/{job}/checkpoints"""
    job = find_job(request.app[STATE], request.match_info["job"])
    made = []
    if job["status"] == "succeeded":
        step = job["_"]["steps"] * 2 // 3
        item = {"id": f"ftckpt_{digest(job['id'])[:24]}", "object": "fine_tuning.job.checkpoint", "step_number": step}
        item |= {"created_at": job["finished_at"], "fine_tuning_job_id": job["id"], "metrics": {"step": step}}
        made = [item | {"fine_tuned_model_checkpoint": f"{job['fine_tuned_model']}:ckpt-step-{step}"}]
    return page(request, made, 10)


def add_routes(app: web.Application) -> None:
    """Serve all this."""
    app.router.add_post("/v1/fine_tuning/jobs", create)
    app.router.add_get("/v1/fine_tuning/jobs", list_jobs)
    app.router.add_get("/v1/fine_tuning/jobs/{job}", retrieve)
    app.router.add_post("/v1/fine_tuning/jobs/{job}/cancel", cancel)
    app.router.add_get("/v1/fine_tuning/jobs/{job}/events", events)
    app.router.add_get("/v1/fine_tuning/jobs/{job}/checkpoints", checkpoints)
