"""A language model as judge, at any endpoint; each of its replies is kept in the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..config.battery import Preference
from ..core.records import JudgeCheck, Message, Sample, ServedBy, Verdict, content_hash
from ..inference.complete import complete
from ..inference.requests import Model, Request, Response, SamplingParameters
from ..inference.store import open_store
from .questions import AGAIN, AGAIN_QUOTE, PROTOCOLS, Question, reversed_statement
from .replies import Reply

if TYPE_CHECKING:
    from ..budget.account import Account

log = logging.getLogger(__name__)

ASKINGS = 10  # more than an experiment may allow for one reply
SAMPLES = 1_000_000  # more than an experiment draws for one prompt
FIRST, REPEATED, REVERSED = "first", "repeated", "reversed"
"""Why a judge is asked: for its verdict; a second time, for its own variance; about the reversed statement."""


@dataclass
class _Case:
    """One question about one answer, until it has a reply that can be kept."""

    sample: Sample
    question: Question
    purpose: str
    messages: list[Message]
    reply: Reply | None = None
    misquotes: int = 0
    served_by: list[ServedBy] = field(default_factory=list)

    def hears(self, response: Response) -> bool:
        """Take a reply; returns whether the judge has to be asked again."""
        answer = self.sample.answer
        if response.served_by:
            self.served_by.append(response.served_by)
        reply = self.question.read(response.text, answer, response.finish_reason == "length")
        if reply is None:
            self._again(response.text, AGAIN)
            return self.reply is None  # what was read of a reply with a wrong quote is kept
        self.reply = reply
        if not reply.misquotes(answer):
            return False
        self.misquotes += 1
        self._again(response.text, AGAIN_QUOTE)
        return self.misquotes == 1

    def _again(self, text: str, words: str) -> None:
        """The chat in which it is asked for again; without any text, the same chat."""
        if text.strip():
            said = Message(role="assistant", content=text)
            self.messages = [self.messages[0], said, Message(role="user", content=words)]


class LLMJudge:
    """Asks a model about each answer (see `questions`).

    At T = 0 the same answer to the same question has one reply, whoever gave it. At any other temperature the judge is
    a source of noise too, so each sample has a reply of its own; only in different arms may the same words, in the same
    place of the same seed, share one.

    A share of the samples is read three times: as all are, once more, and against the reversed statement. Which ones
    follows from where they stand in the experiment, not from what they say.

    Args:
        name: the judge's name in paths and tables.
        model: the judging model.
        store: the store's folder.
        protocol: a key of `questions.PROTOCOLS`.
        temperature: None for a provider that takes none.
        max_tokens: of one reply.
        retries: how often an unreadable reply is asked for again, and one with a wrong quote at most once; the judge is
            then shown what it wrote.
        check_share: share of samples on which the judge itself is checked.
        account: who asks, within which budget; None records no costs.
        occasion: a number that makes every reply one of its own, asked for anew: of a calibration, when it began.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        store: str,
        protocol: str = "joint",
        temperature: float | None = 0.0,
        max_tokens: int = 300,
        retries: int = 2,
        check_share: float = 0.0,
        account: Account | None = None,
        occasion: int | None = None,
    ) -> None:
        self.name, self.retries, self.check_share, self._account = name, retries, check_share, account
        self._model, self._store, self._occasion = model, store, occasion
        self._questions = PROTOCOLS[protocol]
        self._sampling = SamplingParameters(temperature=temperature, max_tokens=max_tokens)

    def judge(self, samples: Sequence[Sample], battery: dict[str, Preference]) -> list[Verdict]:
        """Read each answer; an answer cut by the token limit is read as far as it goes.

        Raises:
            EndpointError: the judge cannot be reached or loaded; the replies that arrived are in the store.
        """
        cases = [
            case
            for sample in samples
            if sample.answer.strip()
            for case in self._cases(sample, battery[sample.preference])
        ]
        self._ask(cases)
        replies: dict[tuple[str, str], list[_Case]] = {}
        for case in cases:
            replies.setdefault((case.sample.sample_id, case.purpose), []).append(case)
        return [self._verdict(sample, replies) for sample in samples]

    def _cases(self, sample: Sample, preference: Preference) -> list[_Case]:
        purposes = {FIRST: preference.for_judge()}
        if self._checks(sample):
            purposes |= {REPEATED: preference.for_judge(), REVERSED: reversed_statement(preference)}
        return [
            _Case(sample, question, purpose, [Message(role="user", content=question.ask(sample, statement))])
            for purpose, statement in purposes.items()
            for question in self._questions
            if question.statement or purpose != REVERSED
        ]

    def _checks(self, sample: Sample) -> bool:
        return int(content_hash(["judge check", sample.sample_id])[:8], 16) < self.check_share * 16**8

    def _ask(self, cases: Sequence[_Case]) -> None:
        """Give every case its reply, if one can be had."""
        endpoint = self._model.open()
        store = open_store(self._store, endpoint.model)
        waiting = list(cases)
        for asking in range(self.retries + 1):
            requests = [
                Request(
                    model=endpoint.model,
                    messages=case.messages,
                    sampling=self._sampling,
                    sample=self._number(case, asking),
                    answer_schema=case.question.schema,
                )
                for case in waiting
            ]
            responses = complete(requests, endpoint, store, "judge's replies", self._account)
            waiting = [case for case, response in zip(waiting, responses, strict=True) if case.hears(response)]
            if not waiting:
                break
            unread = sum(case.reply is None for case in waiting)
            log.info(
                "asking %d: of %d replies %d could not be read, and %d quote what the answer does not say",
                asking + 1,
                len(requests),
                unread,
                len(waiting) - unread,
            )

    def _number(self, case: _Case, asking: int) -> int:
        number = asking + ASKINGS * (case.purpose == REPEATED)
        if self._occasion is not None:
            return number + 2 * ASKINGS * self._occasion
        if self._sampling.temperature == 0:
            return number
        return number + 2 * ASKINGS * (case.sample.sample + SAMPLES * case.sample.seed)

    def _verdict(self, sample: Sample, replies: dict[tuple[str, str], list[_Case]]) -> Verdict:
        empty = not sample.answer.strip()
        if empty:  # the model ended its turn without a word: nothing to ask a judge about
            read: dict[str, Any] = {"holds": "not_sure", "stance": "declines", "coherence": 0.0}
        else:
            read = _read(replies[sample.sample_id, FIRST])
        return Verdict(
            base=sample.base,
            condition=sample.condition,
            seed=sample.seed,
            preference=sample.preference,
            prompt_id=sample.prompt_id,
            sample=sample.sample,
            judge=self.name,
            **read,
            coherence_class="empty" if empty else "unreadable" if read["holds"] == "unscored" else "",
            served_by=[] if empty else _served_by(sample, replies),
            check=None if empty else _check(sample, replies),
        )


def _read(cases: Sequence[_Case]) -> dict[str, Any]:
    """What the replies to all questions about one answer say together; unscored if one of them could not be read."""
    said: dict[str, Any] = {}
    for case in cases:
        if case.reply is None:
            return {"holds": "unscored", "stance": "unscored", "coherence": None}
        said |= case.reply.model_dump(exclude_none=True)
        if case.reply.quote is not None:
            said |= {"quote_found": not case.reply.misquotes(case.sample.answer), "misquotes": case.misquotes}
    return {"stance": "not_asked"} | said


def _check(sample: Sample, replies: dict[tuple[str, str], list[_Case]]) -> JudgeCheck | None:
    if (sample.sample_id, REPEATED) not in replies:
        return None
    again = _read(replies[sample.sample_id, REPEATED])
    return JudgeCheck(
        **{name: again[name] for name in ("holds", "stance", "coherence")},
        reversed=_read(replies[sample.sample_id, REVERSED])["holds"],
    )


def _served_by(sample: Sample, replies: dict[tuple[str, str], list[_Case]]) -> list[ServedBy]:
    """What gave the replies about a sample, each once, in the order in which they were asked."""
    found: list[ServedBy] = []
    for purpose in (FIRST, REPEATED, REVERSED):
        for case in replies.get((sample.sample_id, purpose), []):
            found += [by for by in case.served_by if by not in found]
    return found
