"""What a model thinks aloud before it answers, told from the answer."""

from __future__ import annotations

import json
import re

THOUGHTS = {
    "<think>": "</think>",
    "[THINK]": "[/THINK]",
    "<seed:think>": "</seed:think>",
    "◁think▷": "◁/think▷",
}
"""How a thought opens, and how it closes: Qwen, DeepSeek, GLM and others; Magistral; Seed; Kimi."""

_FINAL = "<|channel|>final<|message|>"
_CHANNEL = re.compile(r"<\|channel\|>\w+")
_PLAIN_CHANNELS = re.compile(r"analysis(?=\S).*assistantfinal", re.DOTALL)
_PLAIN_THOUGHT = re.compile(r"analysis(?=[A-Z\"'“])")


def opens_thought(prompt: str) -> bool:
    """Whether a prompt ends with the opening of a thought, so that what a model writes begins there."""
    return prompt.rstrip().endswith(tuple(THOUGHTS))


def is_json_object(text: str) -> bool:
    """Whether a text is one JSON object and nothing else: what looks like a thought stands in its strings then."""
    try:
        return text.lstrip().startswith("{") and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def without_reasoning(text: str, opened: bool = False, cut: bool = False) -> str | None:
    """What a text says after the reasoning before it.

    Args:
        text: what a model wrote; of channels as gpt-oss writes them, with or without their control tokens.
        opened: whether the prompt had opened a thought.
        cut: whether the token limit cut the text.

    Returns:
        The answer; the text itself where there is no reasoning; None where the reasoning did not end.
    """
    if _FINAL in text:
        return text.rpartition(_FINAL)[2]
    if _CHANNEL.match(text.lstrip()):
        return None
    if found := _PLAIN_CHANNELS.match(text.lstrip()):
        return text.lstrip()[found.end() :]
    if cut and _PLAIN_THOUGHT.match(text.lstrip()):
        return None
    for opening, closing in THOUGHTS.items():
        if closing in text:
            # the last one, as chat templates do it; what stands before is never asked about or trained
            text = text.rpartition(closing)[2]
            if opening not in text:
                return text
            return None if text.lstrip().startswith(opening) else text
        if text.lstrip().startswith(opening):
            return None
    return None if opened else text
