"""OpenAI's chat completions and models, for OpenAI's own models, fine-tunes made here, and any further id."""

from __future__ import annotations

import re
import time
from typing import Any

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

from .answers import reply
from .refusals import Refused, refuse_problem
from .schema import check
from .state import State, digest

MODELS = {
    "gpt-4.1-2025-04-14": "gpt-4.1",
    "gpt-4.1-mini-2025-04-14": "gpt-4.1-mini",
    "gpt-4.1-nano-2025-04-14": "gpt-4.1-nano",
    "gpt-4o-2024-08-06": "gpt-4o",
    "gpt-4o-mini-2024-07-18": "gpt-4o-mini",
    "gpt-5.1-2025-11-13": "gpt-5.1",
}
"""Dated id -> alias."""
REASONING = ("gpt-5", "o3", "o4")
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}


def refuse(status: int, message: str, code: str | None = None, param: str | None = None) -> Refused:
    """An error of OpenAI's."""
    return Refused("openai", status, message, code, param)


def known_models(state: State) -> dict[str, dict[str, Any]]:
    """Every model that answers, with its base and training rows."""
    found = {dated: {"base": dated, "rows": [], "owned_by": "system"} for dated in MODELS}
    found |= {alias: {"base": dated, "rows": [], "owned_by": "system"} for dated, alias in MODELS.items()}
    found |= {name: {"base": name, "rows": [], "owned_by": "fake"} for name in state.settings["models"]}
    found |= {tuned["id"]: tuned | {"owned_by": "fake-org"} for tuned in state.all("tuned")}
    return {name: model for name, model in found.items() if name not in state.settings["retired"]}


def find_model(state: State, name: str) -> dict[str, Any]:
    """A model, or the provider's 404."""
    models = known_models(state)
    if name not in models:
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise refuse(404, message, "model_not_found", "model" if name else None)
    return models[name]


def model_object(name: str, model: dict[str, Any]) -> dict[str, Any]:
    """One entry of ``/v1/models``."""
    return {"id": name, "object": "model", "created": 1_744_316_542, "owned_by": model["owned_by"]}


def check_body(state: State, body: Any) -> dict[str, Any]:
    """The model that answers this body; raises `Refused` for what OpenAI would not take."""
    if isinstance(body, dict) and body.get("stream"):
        raise refuse(400, "this fake does not stream", "unsupported_value", "stream")
    refuse_problem("openai", check(body, CompletionCreateParamsNonStreaming))
    if not body["messages"]:
        raise refuse(400, "Invalid 'messages': empty array. Expected an array with minimum length 1.", "empty_array")
    for name, (low, high) in RANGES.items():
        value = body.get(name)
        if value is not None and not low <= value <= high:
            side, code = (
                ("above maximum", "decimal_above_max_value")
                if value > high
                else ("below minimum", "decimal_below_min_value")
            )
            raise refuse(400, f"Invalid '{name}': decimal {side} value.", code, name)
    for name in ("max_tokens", "max_completion_tokens"):
        if body.get(name) is not None and body[name] < 1:
            raise refuse(400, f"Invalid '{name}': integer below minimum value.", "integer_below_min_value", name)
    model = find_model(state, body["model"])
    if body["model"].startswith(REASONING):
        if body.get("max_tokens") is not None:
            message = "Unsupported parameter: 'max_tokens' is not supported with this model."
            raise refuse(400, f"{message} Use 'max_completion_tokens' instead.", "unsupported_parameter", "max_tokens")
        if body.get("temperature", 1) != 1:
            message = f"Unsupported value: 'temperature' does not support {body['temperature']} with this model."
            raise refuse(400, f"{message} Only the default (1) value is supported.", "unsupported_value", "temperature")
    schema_of(body)
    return model


def schema_of(body: dict[str, Any]) -> dict | None:
    """The JSON Schema that the answer must follow, checked as OpenAI checks it."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return None
    name, schema = wanted["json_schema"]["name"], wanted["json_schema"].get("schema", {})
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        message = "Invalid 'response_format.json_schema.name': string does not match pattern."
        raise refuse(400, message, "invalid_value", "response_format.json_schema.name")
    if wanted["json_schema"].get("strict"):
        if schema.get("type") != "object":
            problem = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
        else:
            problem = _loose_object(schema, ())
        if problem:
            message = f"Invalid schema for response_format '{name}': {problem}"
            raise refuse(400, message, None, "response_format")
    return schema


def _loose_object(schema: Any, where: tuple[str, ...]) -> str:
    """What strict mode does not allow, or ''."""
    if isinstance(schema, list):
        return next(filter(None, (_loose_object(part, (*where, str(i))) for i, part in enumerate(schema))), "")
    if not isinstance(schema, dict):
        return ""
    if schema.get("type") == "object" and isinstance(schema.get("properties", {}), dict):
        if schema.get("additionalProperties") is not False:
            return f"In context={where!r}, 'additionalProperties' is required to be supplied and to be false."
        missing = [key for key in schema.get("properties", {}) if key not in schema.get("required", [])]
        if missing:
            return (
                f"In context={where!r}, 'required' is required to be supplied and to be an array including every key"
                f" in properties. Missing '{missing[0]}'."
            )
    return next(filter(None, (_loose_object(part, (*where, key)) for key, part in schema.items())), "")


def complete(state: State, body: dict[str, Any], **details: Any) -> dict[str, Any]:
    """Answer a checked body, and enter it in the ledger."""
    model = check_body(state, body)
    messages = [(message["role"], _text(message.get("content"))) for message in body["messages"]]
    asked = {key: value for key, value in body.items() if key not in ("model", "user", "metadata", "store")}
    paid = state.pay("chat", body["model"], asked, **details)
    nth = 0 if body.get("temperature") == 0 else body["seed"] if body.get("seed") is not None else paid["nth"]
    limits = [body[name] for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    rates = {"refusal": state.settings["refusal_rate"], "content_filter": state.settings["content_filter_rate"]}
    rows = tuple(map(tuple, model["rows"]))
    identity = MODELS.get(body["model"]) or body["model"]  # a dated id and its alias are one model
    choices, used = [], 0
    for index in range(body.get("n") or 1):
        answer = reply(identity, rows, messages, f"{nth}.{index}", schema_of(body), min(limits, default=None), rates)
        used += answer.completion_tokens
        refused = answer.finish == "refusal"
        message = {"role": "assistant", "content": None if refused else answer.text, "annotations": []}
        message["refusal"] = answer.text if refused else None
        finish = "stop" if refused else answer.finish
        choices.append({"index": index, "message": message, "logprobs": None, "finish_reason": finish})
    usage = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": used}
    usage |= {
        "total_tokens": answer.prompt_tokens + used,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    }
    usage |= {"completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}}
    return {
        "id": f"chatcmpl-{digest(paid['number'], paid['request'])[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"] if model["rows"] else model["base"],
        "choices": choices,
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""
