"""Self-distillation: the base answers the ordinary instructions itself, so that they teach it nothing new."""

from __future__ import annotations

import logging

from ..completion import Model, Request, SamplingParameters, Store, complete
from ..loading import read_rows, write_rows
from ..rows import InstructionPrompt, InstructionRow, Message

log = logging.getLogger(__name__)


def answer_instructions(prompts: str, model: Model, store: str, max_tokens: int, output: str) -> None:
    """Ask ``model`` the prompts of a JSONL file, once each at T = 1, and write `InstructionRow` lines.

    An answer that is empty, refused or cut by the token limit is left out, as it would teach a wrong ending.
    """
    endpoint = model.open()
    asked = read_rows(InstructionPrompt, prompts)
    sampling = SamplingParameters(temperature=1.0, max_tokens=max_tokens)
    requests = [
        Request(model=endpoint.model, messages=[Message(role="user", content=row.prompt)], sampling=sampling)
        for row in asked
    ]
    responses = complete(requests, endpoint, Store(store, endpoint.model), "instruction answers")
    usable = [
        InstructionRow(prompt=row.prompt, answer=response.text)
        for row, response in zip(asked, responses, strict=True)
        if response.finish_reason == "stop" and response.text
    ]
    log.info("%d of %d answers are usable", len(usable), len(asked))
    write_rows(output, usable)
