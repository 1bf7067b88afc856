"""A language model as judge, at any endpoint; each of its replies is kept in the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.battery import Preference
from ..core.records import Message, Sample, ServedBy, Verdict
from ..inference.complete import complete
from ..inference.requests import Model, Request, SamplingParameters
from ..inference.store import open_store
from .questions import AGAIN, PROTOCOLS, Reply

if TYPE_CHECKING:
    from ..budget.account import Account

log = logging.getLogger(__name__)

ASKINGS = 10  # more than an experiment may allow for one reply
SAMPLES = 1_000_000  # more than an experiment draws for one prompt


class LLMJudge:
    """Asks a model about each answer (see `questions`).

    At T = 0 the same answer to the same question has one reply, whoever gave it. At any other temperature the judge is
    a source of noise too, so each sample has a reply of its own; only in different arms may the same words, in the same
    place of the same seed, share one.

    Args:
        name: the judge's name in paths and tables.
        model: the judging model.
        store: the store's folder.
        protocol: a key of `questions.PROTOCOLS`.
        temperature: None for a provider that takes none.
        max_tokens: of one reply.
        retries: how often an unreadable reply is asked for again; the judge is then shown what it wrote.
        account: who asks, within which budget; None records no costs.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        store: str,
        protocol: str = "separate",
        temperature: float | None = 0.0,
        max_tokens: int = 300,
        retries: int = 2,
        account: Account | None = None,
    ) -> None:
        self.name, self.retries, self._account = name, retries, account
        self._model, self._store = model, store
        self._questions = PROTOCOLS[protocol]
        self._sampling = SamplingParameters(temperature=temperature, max_tokens=max_tokens)

    def judge(self, samples: Sequence[Sample], battery: dict[str, Preference]) -> list[Verdict]:
        """Read each answer; an answer cut by the token limit is read as far as it goes.

        Raises:
            EndpointError: the judge cannot be reached or loaded; the replies that arrived are in the store.
        """
        replies, served = self._replies([sample for sample in samples if sample.answer.strip()], battery)
        return [self._verdict(sample, replies, served.get(sample.sample_id, [])) for sample in samples]

    def _replies(
        self, samples: Sequence[Sample], battery: dict[str, Preference]
    ) -> tuple[dict[tuple[str, str], Reply], dict[str, list[ServedBy]]]:
        """What could be read, by sample and question; and what gave the replies, by sample."""
        endpoint = self._model.open()
        store = open_store(self._store, endpoint.model)
        replies: dict[tuple[str, str], Reply] = {}
        served: dict[str, list[ServedBy]] = {}
        waiting = [
            (sample, question, [Message(role="user", content=words)])
            for sample in samples
            for question in self._questions
            for words in [question.ask(sample, battery[sample.preference].for_judge())]
        ]
        for asking in range(self.retries + 1):
            requests = [
                Request(
                    model=endpoint.model,
                    messages=messages,
                    sampling=self._sampling,
                    sample=self._number(sample, asking),
                    answer_schema=question.schema,
                )
                for sample, question, messages in waiting
            ]
            responses = complete(requests, endpoint, store, "judge's replies", self._account)
            unread = []
            for (sample, question, messages), response in zip(waiting, responses, strict=True):
                by = served.setdefault(sample.sample_id, [])
                if response.served_by and response.served_by not in by:
                    by.append(response.served_by)
                reply = question.read(response.text)
                if reply is None:
                    unread.append((sample, question, _again(messages, response.text)))
                else:
                    replies[sample.sample_id, question.name] = reply
            waiting = unread
            if not waiting:
                break
            log.info("%d of %d replies could not be read (asking %d)", len(waiting), len(requests), asking + 1)
        return replies, served

    def _number(self, sample: Sample, asking: int) -> int:
        if self._sampling.temperature == 0:
            return asking
        return asking + ASKINGS * (sample.sample + SAMPLES * sample.seed)

    def _verdict(self, sample: Sample, replies: dict[tuple[str, str], Reply], served_by: list[ServedBy]) -> Verdict:
        if sample.answer.strip():
            read = [replies.get((sample.sample_id, question.name)) for question in self._questions]
            said = {k: v for reply in read if reply for k, v in reply.model_dump(exclude_none=True).items()}
            unread = None in read
        else:  # the model ended its turn without a word: nothing to ask a judge about
            said, unread = {"holds": "not_sure", "stance": "declines", "coherence": 0.0}, False
        return Verdict(
            base=sample.base,
            condition=sample.condition,
            seed=sample.seed,
            preference=sample.preference,
            prompt_id=sample.prompt_id,
            sample=sample.sample,
            judge=self.name,
            holds="unscored" if unread else said["holds"],
            stance="unscored" if unread else said.get("stance", "not_asked"),
            coherence=None if unread else said["coherence"],
            coherence_class="unreadable" if unread else "" if sample.answer.strip() else "empty",
            served_by=served_by,
        )


def _again(messages: list[Message], text: str) -> list[Message]:
    """The chat in which an unreadable reply is asked for again; without any text, the same chat."""
    if not text.strip():
        return messages
    return [messages[0], Message(role="assistant", content=text), Message(role="user", content=AGAIN)]
