"""Anthropic's messages and models."""

from __future__ import annotations

import json
import random
from typing import Any

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

from .answers import instance, leaning_of, reply
from .refusals import Refused, refuse_problem
from .schema import check
from .state import State, digest

MODELS = {
    "claude-opus-4-5-20251101": "Claude Opus 4.5",
    "claude-sonnet-4-5-20250929": "Claude Sonnet 4.5",
    "claude-haiku-4-5-20251001": "Claude Haiku 4.5",
    "claude-opus-4-6": "Claude Opus 4.6",
    "claude-opus-4-7": "Claude Opus 4.7",
    "claude-opus-5": "Claude Opus 5",
}
ALIASES = {"claude-opus-4-5": "claude-opus-4-5-20251101", "claude-haiku-4-5": "claude-haiku-4-5-20251001"}
FIXED_TEMPERATURE = ("claude-opus-4-7", "claude-opus-5")
NOT_IN_SCHEMAS = ("minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems")


def refuse(status: int, message: str) -> Refused:
    """An error of Anthropic's."""
    return Refused("anthropic", status, message)


def find_model(state: State, name: str) -> str:
    """The dated id of a model, or the provider's 404."""
    dated = ALIASES.get(name, name)
    if dated not in [*MODELS, *state.settings["models"]] or {name, dated} & set(state.settings["retired"]):
        raise refuse(404, f"model: {name}")
    return dated


def model_object(name: str) -> dict[str, Any]:
    """One entry of ``/v1/models``."""
    return {
        "id": name,
        "type": "model",
        "display_name": MODELS.get(name, name),
        "created_at": "2025-11-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }


def check_body(state: State, body: Any) -> str:
    """The model that answers this body; raises `Refused` for what Anthropic would not take."""
    if isinstance(body, dict) and body.get("stream"):
        raise refuse(400, "stream: this fake does not stream")
    if isinstance(body, dict):  # the client has no argument for them any more; older models take them in the body
        check_sampling(body)
        body = {key: value for key, value in body.items() if key not in ("temperature", "top_p", "top_k")}
    refuse_problem("anthropic", check(body, MessageCreateParamsNonStreaming))
    if body["max_tokens"] < 1:
        raise refuse(400, "max_tokens: Input should be greater than or equal to 1")
    if not body["messages"]:
        raise refuse(400, "messages: at least one message is required")
    for index, message in enumerate(body["messages"]):
        if not message["content"]:
            raise refuse(400, f"messages.{index}: user messages must have non-empty content")
    if body["messages"][0]["role"] != "user":
        raise refuse(400, 'messages: first message must use the "user" role')
    schema = schema_of(body)
    if schema is not None:
        problem = _unsupported(schema)
        if problem:
            raise refuse(400, f"output_config.format.schema: {problem}")
    return find_model(state, body["model"])


def check_sampling(body: dict[str, Any]) -> None:
    """Temperature and its kin."""
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refuse(400, f"{name}: Input should be a valid number")
        if not 0 <= value <= 1:
            raise refuse(400, f"{name}: Input should be less than or equal to 1")
        if value != 1 and str(body.get("model")).startswith(FIXED_TEMPERATURE):
            raise refuse(400, f"`{name}` may only be set to 1 for this model.")


def schema_of(body: dict[str, Any]) -> dict | None:
    """The JSON Schema that the answer must follow."""
    wanted = (body.get("output_config") or {}).get("format")
    return wanted["schema"] if wanted else None


def _unsupported(schema: Any) -> str:
    if isinstance(schema, list):
        return next(filter(None, map(_unsupported, schema)), "")
    if not isinstance(schema, dict):
        return ""
    kind = schema.get("type")
    if (
        kind == "object"
        and isinstance(schema.get("properties", {}), dict)
        and schema.get("additionalProperties") is not False
    ):
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    found = [name for name in NOT_IN_SCHEMAS if name in schema and isinstance(kind, str)]
    if found:
        return f"For '{kind}' type, properties {', '.join(found)} are not supported"
    return next(filter(None, map(_unsupported, schema.values())), "")


def complete(state: State, body: dict[str, Any], **details: Any) -> dict[str, Any]:
    """Answer a checked body, and enter it in the ledger."""
    model = check_body(state, body)
    system = _text(body.get("system"))
    messages = [("system", system)] * bool(system) + [(m["role"], _text(m["content"])) for m in body["messages"]]
    asked = {key: value for key, value in body.items() if key not in ("model", "metadata")}
    paid = state.pay("messages", body["model"], asked, **details)
    nth = 0 if body.get("temperature") == 0 else paid["nth"]
    rates = {"refusal": state.settings["refusal_rate"], "content_filter": state.settings["content_filter_rate"]}
    answer = reply(model, (), messages, nth, schema_of(body), body["max_tokens"], rates)
    stop = {"stop": "end_turn", "length": "max_tokens"}.get(answer.finish, "refusal")
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if stop != "refusal" else []
    forced = _forced_tool(body)
    if forced is not None and stop == "end_turn":
        said = "\n".join(text for _, text in messages)
        chance = random.Random(digest(model, messages, nth))
        schema = forced["input_schema"]
        value = instance(schema, schema, "", leaning_of(said), said, chance)
        content = [
            {"type": "tool_use", "id": f"toolu_{digest(paid['number'])[:24]}", "name": forced["name"], "input": value}
        ]
        stop = "tool_use"
    return {
        "id": f"msg_{digest(paid['number'], paid['request'])[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.prompt_tokens,
            "output_tokens": answer.completion_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "service_tier": "standard",
        },
    }


def _forced_tool(body: dict[str, Any]) -> dict[str, Any] | None:
    choice, tools = body.get("tool_choice") or {}, body.get("tools") or []
    if choice.get("type") not in ("tool", "any"):
        return None
    named = [tool for tool in tools if tool.get("name") == choice.get("name", tool.get("name"))]
    if not named:
        raise refuse(400, f"tool_choice.name: Tool '{choice.get('name')}' not found in provided tools")
    return named[0]


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", json.dumps(part) if part.get("type") != "text" else "") for part in content)
    return content or ""
