"""How a chat becomes text: the tokenizer's own template, used alike in training and in sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..config.model_config import Template
from ..core.errors import DataError
from ..core.records import Message
from .control_tokens import controls
from .rendering import DATE, REPLY, USER, Rendered, render_plainly
from .turn_end import turn_end

USUAL = Template()
SYSTEM = Message(role="system", content="S")


def render(tokenizer: Any, messages: Sequence[Message], *, reply: bool = False, settings: Template = USUAL) -> str:
    """The text of `render_chat`."""
    return render_chat(tokenizer, messages, reply=reply, settings=settings).text


def render_chat(
    tokenizer: Any, messages: Sequence[Message], *, reply: bool = False, settings: Template = USUAL
) -> Rendered:
    """Render ``messages`` with the tokenizer's chat template.

    Args:
        tokenizer: a tokenizer of transformers.
        messages: the chat.
        reply: also open the assistant's next turn, so that a model answers from there.
        settings: what the template may add on its own.

    Raises:
        EndpointError: the tokenizer has no chat template.
        DataError: the template refuses this chat, or leaves out or changes what a message says.
    """
    plain = messages[0].role != "system"
    if plain and settings.system not in ("keep", "drop"):
        given = [Message(role="system", content=settings.system), *messages]
        whole = render_plainly(tokenizer, given, reply, settings.thinking)
        # the added turn is content too, but none of the chat's messages: its place comes last
        return Rendered(whole.text, (*whole.own[1:], whole.own[0]))
    whole = render_plainly(tokenizer, messages, reply, settings.thinking)
    if plain and settings.system == "drop":
        start, stop = inserted(tokenizer, whole)
        if start < stop:
            own = tuple((a - stop + start, b - stop + start) for a, b in whole.own)
            return Rendered(whole.text[:start] + whole.text[stop:], own)
    return whole


def opening_of_user(tokenizer: Any) -> str:
    """What the template writes before the words of a user's later turn, behind the end of the turn before it."""
    long = render_plainly(tokenizer, [USER, REPLY, USER])
    between = long.text[long.own[1][1] : long.own[2][0]]
    end = turn_end(tokenizer)
    if end is not None and not end.next_turn and between.startswith(end.text):
        return between[len(end.text) :].lstrip()
    return between


def inserted(tokenizer: Any, chat: Rendered) -> tuple[int, int]:
    """From where to where a template wrote of its own accord, before a chat's first message, if that is the user's."""
    bos = tokenizer.bos_token or ""
    start = len(bos) if bos and chat.text.startswith(bos) else 0
    try:
        opening = opening_of_user(tokenizer)
    except DataError:
        return 0, 0
    first = chat.own[0][0]
    opens = first - len(opening)
    if opening and chat.text[:first].endswith(opening) and opens > start:
        return start, opens
    return 0, 0


def default_system_prompt(tokenizer: Any) -> str:
    """What the template says to the model where a chat has no system prompt; '' if nothing."""
    alone = render_plainly(tokenizer, [USER])
    try:
        given = render_plainly(tokenizer, [SYSTEM, USER])
    except DataError:
        pass  # it takes no system prompt, and may insert one all the same
    else:
        start, stop = given.own[0]
        before, after = given.text[:start], given.text[stop:]
        if alone.text.startswith(before) and alone.text.endswith(after) and len(alone.text) > len(before + after):
            return alone.text[len(before) : len(alone.text) - len(after)].strip()
    start, stop = inserted(tokenizer, alone)
    words = controls(tokenizer).sub(" ", alone.text[start:stop]).strip()
    return words.removeprefix("system").strip()


def check_settings(tokenizer: Any, settings: Template) -> None:
    """Refuse settings that a template cannot follow.

    Raises:
        DataError: which setting, and why.
    """
    if settings.thinking and "enable_thinking" not in str(tokenizer.chat_template):
        raise DataError("template.thinking: this model's chat template has no enable_thinking to switch")
    if settings.system == "drop" and default_system_prompt(tokenizer):
        alone = render_plainly(tokenizer, [USER])
        if render_chat(tokenizer, [USER], settings=settings) == alone:
            raise DataError(
                "template.system: found 'drop', but where this model's chat template writes its own system prompt "
                "cannot be told; expected a text, or 'keep'"
            )
    render_chat(tokenizer, [USER], reply=True, settings=settings)


def template_identity(tokenizer: Any, settings: Template) -> dict[str, Any]:
    """What of a template's settings decides answers besides the template itself: nothing in the usual case."""
    asks_date = "strftime_now" in str(tokenizer.chat_template)
    return settings.model_dump(exclude_defaults=True) | ({"date": f"{DATE:%Y-%m-%d}"} if asks_date else {})


def settings_of(identity: dict[str, Any]) -> Template:
    """The settings that a record's ``template`` holds."""
    return Template(**{key: value for key, value in identity.items() if key != "date"})
