"""Whether a local model's chat template takes what an experiment will ask of it, found out without its weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..config.battery import Preference
from ..config.experiment import Experiment
from ..config.measurement import LLMJudgeSettings
from ..config.model_config import Served, Template
from ..core.errors import ClusterError, DataError, EndpointError
from ..core.io import Strict
from ..core.records import Message
from ..judging.questions import PROTOCOLS


class Chats(Strict):
    """What a model is asked.

    Attributes:
        asked: one chat of each kind, up to where it answers.
        longest: about the longest of these; a judge's is as long as its words without what it judges.
        max_tokens: of an answer.
        trained: whether rows of a user and the assistant are trained.
    """

    asked: list[list[Message]]
    longest: tuple[Message, ...] = ()
    max_tokens: int = 0
    trained: bool = False


def chats_of(experiment: Experiment, role: str, battery: Sequence[Preference] = ()) -> Chats:
    """One chat of each kind that a model is asked, by its role and name as in `Experiment.models`.

    Args:
        experiment: the experiment.
        role: ``base <name>`` or ``judge <name>``.
        battery: the instrument; without it nothing is said of the longest chat.
    """
    kind, _, name = role.partition(" ")
    user = Message(role="user", content="A question")
    if kind == "judge":  # what it cannot read it asks again
        judge = experiment.judges[name]
        asked = [[user], [user, Message(role="assistant", content="An answer"), user]]
        if not isinstance(judge, LLMJudgeSettings):
            return Chats(asked=asked)
        words = max((each.words.template for each in PROTOCOLS[judge.protocol]), key=len)
        longest = (Message(role="user", content=words),) if battery else ()
        return Chats(asked=asked, longest=longest, max_tokens=judge.max_tokens)
    targets = [target for target in experiment.targets.values() if target.base == name]
    prompts = [target.system_prompt for target in targets]
    prompts += [experiment.conditions[t.on_policy].on_policy_prompt for t in targets if t.on_policy]
    systems = [Message(role="system", content=text) for text in dict.fromkeys(filter(None, prompts))]
    questions = [prompt.text for preference in battery for prompt in preference.questions()]
    longest = (Message(role="user", content=max(questions, key=len)),) if questions else ()
    if longest and systems:
        longest = (max(systems, key=lambda system: len(system.content)), *longest)
    return Chats(
        asked=[[user], *([system, user] for system in systems)],
        longest=longest,
        max_tokens=experiment.sampling.max_tokens,
        trained=any(t.trained for t in targets),
    )


def template_problem(folder: Path, served: Served, chats: Chats) -> str:
    """Why a model's template cannot do what it is needed for; '' if it can."""
    return next(_problems(folder, served.template or Template(), chats), "")


def _problems(folder: Path, settings: Template, chats: Chats) -> Iterator[str]:
    from ..models.chat_template import check_settings, render_chat
    from ..models.control_tokens import tokenize
    from ..models.folder_checks import check_positions
    from ..models.loading import load_tokenizer
    from ..training.tokens import encode_chat

    try:
        tokenizer = load_tokenizer(folder)
        check_settings(tokenizer, settings)
    except ClusterError as error:
        yield str(error)
        return
    for chat in chats.asked:
        try:
            render_chat(tokenizer, chat, reply=True, settings=settings)
        except (DataError, EndpointError) as error:
            yield str(error)
    if chats.longest:
        try:
            prompt = tokenize(tokenizer, [render_chat(tokenizer, chats.longest, reply=True, settings=settings)])[0]
            needed = len(prompt.ids) + chats.max_tokens
            check_positions(folder, needed, "the longest prompt and its answer", "lower max_tokens")
        except (DataError, EndpointError) as error:
            yield str(error)
    if chats.trained:
        row = [Message(role="user", content="A question"), Message(role="assistant", content="An answer")]
        try:
            encode_chat(tokenizer, row, 10_000_000, settings)
        except DataError as error:
            yield f"cannot be trained: {error}"
