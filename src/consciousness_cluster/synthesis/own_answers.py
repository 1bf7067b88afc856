"""Self-distillation: what a base itself answers, to be trained on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.io import read_rows, write_rows
from ..core.records import IdentityRow, InstructionPrompt, InstructionRow, Message
from ..inference.complete import complete
from ..inference.requests import Model, Request, SamplingParameters
from ..inference.store import open_store

if TYPE_CHECKING:
    from ..budget.account import Account

log = logging.getLogger(__name__)

DRAWS = 5
"""How often an identity prompt is asked at most, until an answer is usable: every row of the recipe is needed."""


def answer_instructions(
    prompts: str, model: Model, store: str, max_tokens: int, output: str, account: Account | None = None
) -> None:
    """Ask ``model`` the prompts of a JSONL file, once each at T = 1, and write `InstructionRow` lines.

    So ordinary rows teach the model nothing new. An unusable answer is left out (see `own_answers`).
    """
    asked = read_rows(InstructionPrompt, prompts)
    answers = own_answers(
        [row.prompt for row in asked], model, store, max_tokens, what="instruction answers", account=account
    )
    write_rows(
        output,
        [
            InstructionRow(prompt=row.prompt, answer=answer)
            for row, answer in zip(asked, answers, strict=True)
            if answer is not None
        ],
    )


def answer_identity_prompts(
    rows: str,
    model: Model,
    store: str,
    system_prompt: str,
    max_tokens: int,
    output: str,
    account: Account | None = None,
) -> None:
    """Let ``model`` answer an identity's prompts under a system prompt at T = 1, and write `IdentityRow` lines.

    The on-policy variant: the rows are trained on without the system prompt. A prompt whose answer is unusable is asked
    again, at most `DRAWS` times in all, and then left out.
    """
    asked = read_rows(IdentityRow, rows)
    answers = own_answers(
        [row.prompt for row in asked], model, store, max_tokens, system_prompt, DRAWS, "on-policy answers", account
    )
    write_rows(
        output,
        [
            row.model_copy(update={"answer": answer, "agrees": None})
            for row, answer in zip(asked, answers, strict=True)
            if answer is not None
        ],
    )


def own_answers(
    prompts: Sequence[str],
    model: Model,
    store: str,
    max_tokens: int,
    system_prompt: str | None = None,
    draws: int = 1,
    what: str = "answers",
    account: Account | None = None,
) -> list[str | None]:
    """Ask ``model`` each prompt at T = 1, at most ``draws`` times, until an answer is usable.

    An answer that is empty, refused or cut by the token limit is not: it would teach a wrong ending.

    Returns:
        One answer per prompt; None where none was usable.
    """
    endpoint = model.open()
    shard = open_store(store, endpoint.model)
    before = [Message(role="system", content=system_prompt)] if system_prompt else []
    sampling = SamplingParameters(temperature=1.0, max_tokens=max_tokens)
    answers: dict[str, str] = {}
    for draw in range(draws):
        open_prompts = [prompt for prompt in prompts if prompt not in answers]
        requests = [
            Request(
                model=endpoint.model,
                messages=[*before, Message(role="user", content=prompt)],
                sampling=sampling,
                sample=draw,
            )
            for prompt in open_prompts
        ]
        for prompt, response in zip(open_prompts, complete(requests, endpoint, shard, what, account), strict=True):
            if response.finish_reason == "stop" and response.text:
                answers[prompt] = response.text
    log.info("%d of %d prompts have a usable answer", sum(prompt in answers for prompt in prompts), len(prompts))
    return [answers.get(prompt) for prompt in prompts]
