"""Reads what servers put into an answer, which is more than their schemas say: nothing received is given up."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.records import FinishReason, Message, ServedBy
from ..requests import Request, Response, as_unicode
from .provider_errors import Failure

FINISH: dict[str, FinishReason] = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "eos", "eos_token", "end", "complete", "finished"), "stop"),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_length", "model_length", "token_limit", "context_length"), "length"),
    **dict.fromkeys(("model_context_window_exceeded", "pause_turn", "max_output_tokens"), "length"),
    **dict.fromkeys(("content_filter", "safety", "sensitive", "recitation", "prohibited_content"), "content_filter"),
    "refusal": "refusal",
}
"""How an answer ended, in the words of OpenAI, Anthropic, Google, TGI, Mistral, Zhipu and others, without case."""

INTERRUPTED = ("error", "abort", "aborted", "cancelled", "timeout", "network_error", "insufficient_system_resource")
"""The server broke an answer off."""

CHARACTERS_PER_TOKEN, TOKENS_PER_MESSAGE = 4, 4
"""Of English text, and of a message's frame, where a provider does not count."""

WORDS = ("text", "output_text")
THOUGHTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_content", "reasoning_text")


@dataclass(frozen=True)
class Content:
    """What the content of a message holds."""

    text: str = ""
    refusal: str = ""
    thought: bool = False


def loads(content: bytes | str) -> Any:
    """JSON as servers write it: bytes that are no UTF-8 become U+FFFD, and a line break may stand within a text."""
    text = content.decode("utf-8-sig", errors="replace") if isinstance(content, bytes) else content
    return json.loads(text, strict=False)


def content_of(content: Any) -> Content:
    """The words in a message's content, without the reasoning: a text, nothing, one part or a list of parts."""
    if isinstance(content, str):
        return Content(content)
    parts = [content] if isinstance(content, dict) else content if isinstance(content, list) else []
    words, refusals, thought = [], [], False
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else "text"
        if isinstance(part, str):
            words.append(part)
        elif not isinstance(part, dict):
            continue
        elif kind in THOUGHTS or part.get("thought"):
            thought = True
        elif kind == "refusal":
            refusals.append(str(part.get("refusal") or part.get("text") or ""))
        elif (kind is None or kind in WORDS) and isinstance(part.get("text"), str):
            words.append(part["text"])
    text = "".join(words)
    return Content(text.strip() if thought else text, "".join(refusals), thought)


def answer(
    content: Content,
    finish: Any,
    usual: Sequence[str],
    counts: tuple[int | None, int | None],
    cached: int,
    by: ServedBy,
) -> Response | Failure:
    """The answer that was received, or why it is none.

    Args:
        content: its words.
        finish: how the provider says that it ended.
        usual: the words for that in the provider's own documentation; any other is kept with the answer.
        counts: tokens of the prompt and of the answer; None where the provider does not count.
        cached: of the prompt's tokens, those that were cached.
        by: what gave it.
    """
    word = finish.lower().partition(":")[0] if isinstance(finish, str) else ""  # Google: content_filter: SAFETY
    said = "" if finish in usual else f"finish reason {json.dumps(finish)[:100]}"
    reason = FINISH.get(word)
    text = content.refusal or content.text
    if content.refusal:
        reason = "refusal"
    elif content.thought and not text.strip() and reason in ("stop", None):
        reason = "length"  # cut within its reasoning
    elif word in INTERRUPTED:
        if not text.strip():
            return Failure("passing", f"the server broke the answer off ({said})", maybe_paid=True)
        reason = "length"
    elif reason is None:
        if not text.strip():
            return nothing_said(f"no text, {said}", counts, cached, by)
        reason = "stop"
    return _response(text, reason, said, counts, cached, by)


def nothing_said(
    what: str, counts: tuple[int | None, int | None], cached: int = 0, by: ServedBy | None = None
) -> Response | Failure:
    """An answer without any choice or text: what filters leave. One that was paid for is not asked again."""
    if any(counts):
        return _response("", "content_filter", what, (counts[0] or 0, counts[1] or 0), cached, by)
    uncounted = counts == (None, None)
    return Failure("passing", f"an empty answer ({what})", maybe_paid=uncounted, withheld="content_filter")


def _response(
    text: str,
    reason: FinishReason,
    said: str,
    counts: tuple[int | None, int | None],
    cached: int,
    by: ServedBy | None,
) -> Response:
    prompt, written = counts
    return Response(
        text=text,
        finish_reason=reason,
        prompt_tokens=-1 if prompt is None else prompt,  # until `complete_counts`, which knows the prompt
        completion_tokens=_tokens(text) if written is None else written,
        cached_tokens=cached,
        estimated=prompt is None or written is None,
        said=said,
        served_by=by if by and by != ServedBy() else None,
    )


def complete_counts(response: Response, request: Request) -> Response:
    """An answer with an estimate of its prompt's tokens, where the provider did not count them."""
    if response.prompt_tokens >= 0:
        return response
    return response.model_copy(update={"prompt_tokens": _prompt_tokens(request.messages)})


def _prompt_tokens(messages: Sequence[Message]) -> int:
    return sum(_tokens(message.content) + TOKENS_PER_MESSAGE for message in messages)


def _tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def count(usage: Any, name: str) -> int | None:
    """A number of tokens in a usage object; None where there is none."""
    value = usage.get(name) if isinstance(usage, Mapping) else None
    try:
        return None if value is None or isinstance(value, bool) or float(value) < 0 else int(float(value))
    except (ValueError, TypeError, OverflowError):
        return None


def word(value: Any) -> str:
    """A short text that a provider gave, or ''."""
    return as_unicode(value[:200]) if isinstance(value, str) else ""
