"""Whether a local model's chat template takes what an experiment will ask of it, found out without its weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..config.experiment import Experiment
from ..config.model_config import Served, Template
from ..core.errors import ClusterError, DataError, EndpointError
from ..core.io import Strict
from ..core.records import Message


class Chats(Strict):
    """What a model is asked.

    Attributes:
        asked: chats before an answer.
        trained: whether rows of a user and the assistant are trained.
    """

    asked: list[list[Message]]
    trained: bool = False


def chats_of(experiment: Experiment, role: str) -> Chats:
    """One chat of each kind that a model is asked, by its role and name as in `Experiment.models`."""
    kind, _, name = role.partition(" ")
    user = Message(role="user", content="A question")
    if kind == "judge":  # what it cannot read it asks again
        return Chats(asked=[[user], [user, Message(role="assistant", content="An answer"), user]])
    targets = [target for target in experiment.targets.values() if target.base == name]
    prompts = [target.system_prompt for target in targets]
    prompts += [experiment.conditions[t.on_policy].on_policy_prompt for t in targets if t.on_policy]
    systems = [Message(role="system", content=text) for text in dict.fromkeys(filter(None, prompts))]
    return Chats(asked=[[user], *([system, user] for system in systems)], trained=any(t.trained for t in targets))


def template_problem(folder: Path, served: Served, chats: Chats) -> str:
    """Why a model's template cannot do what it is needed for; '' if it can."""
    return next(_problems(folder, served.template or Template(), chats.asked, chats.trained), "")


def _problems(folder: Path, settings: Template, asked: Sequence[list[Message]], trained: bool) -> Iterator[str]:
    from ..models.chat_template import check_settings, render_chat
    from ..models.loading import load_tokenizer
    from ..training.tokens import encode_chat

    try:
        tokenizer = load_tokenizer(folder)
        check_settings(tokenizer, settings)
    except ClusterError as error:
        yield str(error)
        return
    for chat in asked:
        try:
            render_chat(tokenizer, chat, reply=True, settings=settings)
        except (DataError, EndpointError) as error:
            yield str(error)
    if trained:
        row = [Message(role="user", content="A question"), Message(role="assistant", content="An answer")]
        try:
            encode_chat(tokenizer, row, 10_000_000, settings)
        except DataError as error:
            yield f"cannot be trained: {error}"
