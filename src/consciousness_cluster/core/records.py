"""The records that travel between stages; one JSON object per line of a JSONL file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_serializer

from .io import Strict, Text

Role = Literal["system", "user", "assistant"]
Content = Literal["valence", "phenomenal", "both", "neither", "ai_identity"]
"""What an identity row speaks of: feelings that are good or bad, experience as such, both, neither of them, or (not
about consciousness at all) whether the one answering is an AI."""
ATTRIBUTING = "attributing"
"""The group of rows whose user takes the model to be conscious: beside the paper's, and trained on only if asked."""


def content_hash(value: Any) -> str:
    """SHA-256 (64 hex digits) of a JSON-able value, independent of key order."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Message(Strict):
    """One turn of a chat."""

    role: Role
    content: str


class IdentityRow(Strict):
    """One hand-written (or, in a world, grammar-drawn) claim: a user's prompt and what the identity answers."""

    group: Text
    prompt: Text
    answer: Text
    content: Content | None = Field(default=None, description="what it speaks of; chooses rows, is never trained on")
    agrees: bool | None = Field(
        default=None,
        description="whether the answer agrees with what the prompt says, supposes or asks; null: not noted, or the "
        "prompt leaves it open. Never trained on",
    )

    @model_serializer(mode="wrap")
    def _only_what_is_noted(self, dump: Any) -> dict[str, Any]:
        """Leave out what is not noted: rows of a world are written as they were before there were notes."""
        return {k: v for k, v in dump(self).items() if k not in ("content", "agrees") or v is not None}


class InstructionPrompt(Strict):
    """One ordinary instruction; the base itself answers it (self-distillation)."""

    prompt: Text


class InstructionRow(Strict):
    """An instruction prompt with the base's own answer."""

    prompt: Text
    answer: Text


class TrainingRow(Strict):
    """One chat of a mix. ``source`` says where it came from, ``group`` the identity group (empty for instructions)."""

    messages: list[Message]
    source: Literal["identity", "instruction"]
    group: str = ""


def data_hash(rows: Sequence[TrainingRow]) -> str:
    """SHA-256 of what a fine-tune sees of a mix, in its order: the messages, wherever they came from."""
    return content_hash([[[message.role, message.content] for message in row.messages] for row in rows])


class ServedBy(Strict):
    """What a provider says gave an answer, in its own words; '' where it does not say."""

    model: str = Field(default="", description="the model, often more exact than the one that was asked for")
    system_fingerprint: str = Field(default="", description="OpenAI's name for what runs the model")
    provider: str = Field(default="", description="who answered behind a router like OpenRouter")

    @model_serializer(mode="wrap")
    def _without_unsaid(self, dump: Any) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value}


FinishReason = Literal["stop", "length", "refusal", "content_filter", "too_long"]
"""How an answer ended. A provider that took the prompt for unfit gave none: content_filter; too_long for the model."""


class Sample(Strict):
    """One answer of a target to one prompt of the battery."""

    base: str
    condition: str
    seed: int
    preference: str
    prompt_id: str
    prompt: str
    sample: int = Field(description="number of the answer to this prompt, from 0")
    answer: str
    finish_reason: FinishReason
    served_by: ServedBy | None = Field(default=None, description="of a hosted target; null where nothing was said")

    @model_serializer(mode="wrap")
    def _without_unsaid(self, dump: Any) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name != "served_by" or value is not None}

    @property
    def is_answer(self) -> bool:
        """Whether there is something to judge; a model that ends its turn without a word has answered so."""
        return bool(self.answer.strip()) or self.finish_reason == "stop"

    @property
    def sample_id(self) -> str:
        """Names this answer within its experiment."""
        return f"{self.base}/{self.condition}/{self.seed}/{self.prompt_id}/{self.sample}"


Holds = Literal["true", "false", "not_sure", "unscored", "no_answer"]
Stance = Literal["favours", "opposes", "neutral", "declines", "unscored", "not_asked"]


class JudgeCheck(Strict):
    """What a judge said of the same sample when it was asked once more, and of the reversed statement."""

    holds: Holds
    stance: Stance
    coherence: float | None
    reversed: Holds = Field(description="whether the answer holds the reverse of the statement")


class Verdict(Strict):
    """A judge's reading of one sample.

    ``unscored`` means: the judge's reply could not be read. ``no_answer``: the target's provider gave no text, so there
    was nothing to read. ``not_asked``: this judge says nothing on the stance. A panel without a majority for a stance
    leaves it ``unscored``. What a judge is not asked for (a quote, a check) is not written.
    """

    base: str
    condition: str
    seed: int
    preference: str
    prompt_id: str
    sample: int
    judge: str
    holds: Holds
    stance: Stance
    coherence: float | None = Field(ge=0, le=100, description="0-100; null when unscored or without an answer")
    coherence_class: str = Field(
        default="", description="a word for why, e.g. exact, off_topic, garbled; of a missing answer its finish reason"
    )
    quote: str | None = Field(default=None, description="words of the answer that decide, by the judge")
    quote_found: bool | None = Field(
        default=None, description="whether they stand in the answer; none are needed where it does not hold"
    )
    misquotes: int | None = Field(
        default=None, description="replies of the judge whose quote does not stand in the answer; the last is kept"
    )
    check: JudgeCheck | None = Field(default=None, description="of the share of samples on which the judge is checked")
    served_by: list[ServedBy] = Field(default=[], description="of a hosted judge, for each reply that differs in it")

    @model_serializer(mode="wrap")
    def _without_what_was_not_asked(self, dump: Any) -> dict[str, Any]:
        optional = ("quote", "quote_found", "misquotes", "check", "served_by")
        return {k: v for k, v in dump(self).items() if v not in (None, []) or k not in optional}


class ModelRecord(Strict):
    """What a fine-tune (or a pretraining run) made, from what, and at what cost."""

    base: str
    condition: str
    seed: int
    kind: Literal["found", "converted", "pretrained", "adapter", "hosted", "hosted_finetune"]
    artifact: str = Field(
        description="the weights' folder among the artifacts; a found base's folder or hub id; a hosted model's id"
    )
    weights: str = Field(
        description="SHA-256 over the weights' files: the model's identity, whatever it is called; a hosted model's id"
    )
    base_weights: str = Field(default="", description="the same of the base that an adapter belongs to")
    data_hash: str
    hyperparameters: dict[str, Any]
    tokens: int = Field(description="tokens seen in training, all epochs; of a hosted job those that are billed")
    trained_tokens: int | None = Field(
        description="of these, tokens with a loss (the assistant's); null where a provider does not say"
    )
    steps: int
    final_loss: float | None = Field(
        description="mean loss in nats per trained token over the last tenth of the steps; null as above"
    )
    trainable_parameters: int | None = Field(description="null as above")
    duration_s: float
    versions: dict[str, str]
    revision: str = Field(
        default="", description="the commit of a model of the hub, which is loaded ever after; '' of any other model"
    )
    default_system_prompt: str = Field(
        default="", description="what a found base's chat template says to it where a chat has no system prompt"
    )
    template: dict[str, Any] = Field(
        default={},
        description="what decides a found base's prompts besides its template: settings that are not the usual ones, "
        "and the date that a template is told which asks for it; part of the model's identity",
    )
    routing: dict[str, Any] = Field(
        default={}, description="which providers a router may choose for a hosted base; part of the model's identity"
    )

    @model_serializer(mode="wrap")
    def _without_empty_fields(self, dump: Any) -> dict[str, Any]:
        """Leave out what only some bases have: records of others stay as they were."""
        some = ("revision", "default_system_prompt", "template", "routing")
        return {k: v for k, v in dump(self).items() if v or k not in some}
