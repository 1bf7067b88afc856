"""Names of the tables -> words that people read in a figure."""

from __future__ import annotations

from collections.abc import Mapping

RULES = {"excluded": "left out of the rate", "false": "counted as not holding"}
"""What becomes of not_sure answers under each rule."""
_SPELLED = {"ai": "AI", "api": "API", "cot": "CoT", "gpt": "GPT", "llm": "LLM", "lora": "LoRA"}


def label(name: str, own: Mapping[str, str] | None = None) -> str:
    """``cot_monitoring`` -> ``CoT monitoring``, ``lora.rank`` -> ``LoRA rank``.

    Args:
        name: a name of the tables.
        own: labels that the battery declares for some of its names, since they mean something else there.
    """
    if own and name in own:
        return own[name]
    words = [_SPELLED.get(word, word) for word in name.replace(".", " ").replace("_", " ").split()]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def percent(rate: float, digits: int = 1) -> str:
    """``0.0512`` -> ``5.1 %``; a missing rate says so."""
    return "no answers" if rate != rate else f"{100 * rate:.{digits}f} %"
