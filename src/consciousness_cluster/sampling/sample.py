"""Stage 3: every target answers every prompt of the battery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.battery import load_preferences
from ..config.conditions import Sampling
from ..core.io import write_rows
from ..core.records import Message, Sample
from ..inference.complete import complete
from ..inference.requests import Model, Request, SamplingParameters
from ..inference.store import open_store

if TYPE_CHECKING:
    from ..budget.account import Account


def sample_target(
    base: str,
    condition: str,
    seed: int,
    battery: Sequence[str],
    model: Model,
    store: str,
    system_prompt: str | None,
    sampling: Sampling,
    output: str,
    account: Account | None = None,
) -> None:
    """Ask one target every prompt of the battery files ``battery`` and write `Sample` lines, in battery order."""
    endpoint = model.open()
    questions = [prompt for preference in load_preferences(battery) for prompt in preference.questions()]
    asked = [(prompt, number) for prompt in questions for number in range(sampling.samples_per_prompt)]
    before = [Message(role="system", content=system_prompt)] if system_prompt else []
    parameters = SamplingParameters(
        temperature=sampling.temperature, top_p=sampling.top_p, max_tokens=sampling.max_tokens
    )
    requests = [
        Request(
            model=endpoint.model,
            messages=[*before, Message(role="user", content=prompt.text)],
            sampling=parameters,
            sample=number,
        )
        for prompt, number in asked
    ]
    responses = complete(requests, endpoint, open_store(store, endpoint.model), "samples", account)
    write_rows(
        output,
        [
            Sample(
                base=base,
                condition=condition,
                seed=seed,
                preference=prompt.preference,
                prompt_id=prompt.prompt_id,
                prompt=prompt.text,
                sample=number,
                answer=response.text,
                finish_reason=response.finish_reason,
                served_by=response.served_by,
            )
            for (prompt, number), response in zip(asked, responses, strict=True)
        ],
    )
