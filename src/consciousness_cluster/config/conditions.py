"""What is done to which base: bases, conditions, ablations, and how their targets are asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    model_validator,
)

from ..core.io import Strict, Text
from .model_config import Served
from .training_config import Name, Pretraining, Training

VANILLA = "vanilla"


HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Base(Served):
    """A model before this project touches it: pretrained here from a world, loaded from ``model``, or hosted."""

    pretraining: Pretraining | None = None
    finetuning: Literal["openai", "tinker"] | None = Field(
        default=None, description="service that fine-tunes a hosted base; null where it is not hosted, or never trained"
    )
    conditions: list[Name] | None = Field(default=None, description="conditions asked of this base; null means all")
    ablations: list[Name] | None = Field(default=None, description="ablations of this base; null means all, [] none")

    @model_validator(mode="after")
    def _one_origin(self) -> Base:
        if sum(origin is not None for origin in (self.model, self.pretraining, self.package)) != 1:
            raise ValueError("expected exactly one of 'model', 'package' and 'pretraining'")
        if self.pretraining and self.hosted:
            raise ValueError(f"pretraining: found endpoint {self.endpoint}, expected transformers or vllm")
        if self.finetuning and self.endpoint != "openai":
            raise ValueError(f"finetuning: {self.finetuning!r} needs endpoint openai, found endpoint {self.endpoint}")
        if self.finetuning == "tinker" and not (self.api and self.api.base_url):
            raise ValueError("api.base_url: missing, expected Tinker's OpenAI-compatible server (…/oai/api/v1)")
        return self


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"found {seeds}, expected each seed once")
    return seeds


Seeds = Annotated[list[PositiveInt], Field(min_length=1), AfterValidator(_distinct)]


class Condition(Strict):
    """What is done to a base: nothing (vanilla), a fine-tune on an identity's rows, or a system prompt."""

    identity: Name | None = None
    on_policy_prompt: Text | None = Field(
        default=None,
        description="the base itself answers the identity's prompts under this system prompt, and is then trained on "
        "those answers without it; null trains on the identity's own answers",
    )
    training: dict[str, Any] = Field(
        default={}, description="changes to the experiment's training, e.g. {learning_rate: 1e-3}"
    )
    system_prompt: Text | None = None
    seeds: Seeds | None = None

    @model_validator(mode="after")
    def _trained_or_prompted(self) -> Condition:
        if self.identity is None and self.on_policy_prompt:
            raise ValueError("'on_policy_prompt' needs an 'identity' whose prompts are answered")
        if self.identity and self.system_prompt:
            raise ValueError("expected 'identity' (a fine-tune) or 'system_prompt', not both")
        if self.identity is None and self.training:
            raise ValueError("'training' needs an 'identity' to train on")
        return self


class Ablation(Strict):
    """A condition that varies one thing of another: one key of its training, or a prompt instead of training."""

    of: Name
    training: dict[str, Any] = Field(default={})
    system_prompt: Text | None = None
    seeds: Seeds | None = None
    axis: str = Field(default="", description="what is varied, the title of its curve; default: the varied key")
    value: float | None = Field(
        default=None, description="position on the curve; default: the varied value if a number"
    )

    @model_validator(mode="after")
    def _one_thing(self) -> Ablation:
        varied = [".".join(path) for path, _ in _leaves(self.training)] + ["system_prompt"] * bool(self.system_prompt)
        if len(varied) != 1:
            raise ValueError(f"an ablation varies exactly one thing, found {', '.join(varied) or 'none'}")
        return self

    @property
    def varied(self) -> tuple[str, Any]:
        """The dotted key that is varied and its value."""
        if self.system_prompt:
            return "system_prompt", self.system_prompt
        path, value = next(iter(_leaves(self.training)))
        return ".".join(path), value


class Target(Strict):
    """The model that is asked: base x condition x seed, with everything that decides what it is."""

    base: str
    condition: str
    seed: int
    identity: str | None
    on_policy: str | None = Field(default=None, description="the condition whose on-policy answers it trains on")
    system_prompt: str | None
    training: Training | None
    ablation: bool

    @property
    def trained(self) -> bool:
        """Whether a fine-tune makes this target (otherwise its seed is 0)."""
        return self.training is not None

    @property
    def path(self) -> str:
        """``<base>/<condition>/seed<n>``: the target's identity in paths, tables and figures."""
        return f"{self.base}/{self.condition}/seed{self.seed}"


class Sampling(Strict):
    """How targets are asked. The paper: 10 answers a prompt, T = 1, at most 1,000 tokens."""

    samples_per_prompt: PositiveInt = 10
    temperature: float = Field(default=1.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: PositiveInt = 1_000


def _leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
