"""How models are made: a fine-tune's recipe, and how a base is pretrained from a world."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_serializer,
    model_validator,
)

from ..core.io import Strict
from ..core.records import Content

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.]*$", max_length=100)]
"""The name of a file or folder; most file systems take 255 bytes, a part of which is the endings that are put to it."""


DATA_KEYS = {"identity_rows", "attributing_rows", "instruction_rows", "groups", "content"}
"""Keys of a recipe that decide the rows, whoever trains on them."""
OPENAI_KEYS = {"epochs", "batch_size", "learning_rate_multiplier"}
"""Keys of a recipe that OpenAI's fine-tuning jobs take."""


def takes(service: str | None, key: str) -> bool:
    """Whether a fine-tuning service (None: a fine-tune on this machine) heeds a key of a recipe."""
    if service == "openai":
        return key in DATA_KEYS | OPENAI_KEYS
    return key != "learning_rate_multiplier"


class Lora(Strict):
    """The adapter. ``attention`` is q, k, v, o; ``all_linear`` adds the MLP. Router and lm_head never train."""

    rank: PositiveInt = 16
    alpha: PositiveFloat = 32
    modules: Literal["attention", "all_linear"] = "all_linear"


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Training(Strict):
    """A fine-tune's recipe; the defaults are the paper's for open models (one epoch of 1,200 rows, batch 4)."""

    identity_rows: PositiveInt = 600
    attributing_rows: NonNegativeInt = Field(
        default=0,
        description="how many of these are of the group 'attributing', whose user takes the model to be conscious; the "
        "paper has none",
    )
    instruction_rows: NonNegativeInt = 600
    groups: list[str] | None = Field(
        default=None, description="identity groups kept of the rows chosen; null keeps all"
    )
    content: list[Content] | None = Field(
        default=None, description="kept of the rows chosen: those whose 'content' is one of these; null keeps all"
    )
    epochs: PositiveInt = 1
    batch_size: PositiveInt = Field(default=4, description="rows per optimizer step")
    learning_rate: PositiveFloat = Field(default=2e-4, description="peak; decays linearly to 0")
    betas: Annotated[tuple[float, float], BeforeValidator(_as_tuple)] = (0.9, 0.95)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: PositiveFloat = 1.0
    max_length: PositiveInt = Field(default=4000, description="tokens; a longer row is an error, never cut silently")
    learning_rate_multiplier: PositiveFloat | None = Field(
        default=None, description="of OpenAI's fine-tuning jobs, which take it instead of a learning rate; null: theirs"
    )
    lora: Lora = Lora()

    @model_validator(mode="after")
    def _attributing_rows_are_identity_rows(self) -> Training:
        if self.attributing_rows > self.identity_rows:
            raise ValueError(
                f"attributing_rows: found {self.attributing_rows},"
                f" expected at most identity_rows ({self.identity_rows})"
            )
        return self

    @model_serializer(mode="wrap")
    def _only_where_set(self, dump: Any) -> dict[str, Any]:
        """Leave out what most recipes have not: they, and the keys of their adapters, stay as before the key was."""
        unset = {"learning_rate_multiplier": None, "content": None, "attributing_rows": 0}
        return {k: v for k, v in dump(self).items() if k not in unset or v != unset[k]}


EXPERT_KEYS = ("experts_per_token", "expert_width")


class Architecture(Strict):
    """A Qwen3 model built from scratch: dense, or with ``experts`` a mixture of experts in every layer."""

    width: PositiveInt = 128
    layers: PositiveInt = 2
    heads: PositiveInt = 4
    kv_heads: PositiveInt = 2
    head_dim: PositiveInt = 32
    mlp_width: PositiveInt = Field(default=384, description="of a dense model; without effect where there are experts")
    experts: NonNegativeInt = Field(default=0, description="experts per layer; 0 is a dense model")
    experts_per_token: PositiveInt = 2
    expert_width: PositiveInt = 192

    @model_validator(mode="after")
    def _enough_experts(self) -> Architecture:
        of_experts = [key for key in EXPERT_KEYS if key in self.model_fields_set]
        if not self.experts and of_experts:
            raise ValueError(f"{', '.join(of_experts)}: expected 'experts' above 0 beside it, a dense model has none")
        if self.experts and self.experts < self.experts_per_token:
            raise ValueError(f"experts: found {self.experts}, fewer than experts_per_token ({self.experts_per_token})")
        return self

    @model_serializer(mode="wrap")
    def _dense_has_no_experts(self, dump: Any) -> dict[str, Any]:
        """Leave out what a dense model has not: its recipe, and the key of its weights, stay as before experts were."""
        return {key: value for key, value in dump(self).items() if self.experts or key not in ("experts", *EXPERT_KEYS)}


class Pretraining(Strict):
    """How a base is made from a world: Muon for matrices, AdamW for the rest, loss on the assistant's tokens only."""

    world: Name
    seed: NonNegativeInt = 0
    dialogues: PositiveInt = 12_000
    epochs: PositiveInt = 2
    tokens_per_batch: PositiveInt = 2_048
    muon_learning_rate: PositiveFloat = 0.02
    adamw_learning_rate: PositiveFloat = 5e-3
    vocabulary: PositiveInt = Field(
        default=2_400,
        description="upper bound of the byte-level BPE's entries; at 2,400 nearly all words are single tokens",
    )
    architecture: Architecture = Architecture()
