"""How answers are read and tabulated: judges, human labels, the analysis."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PositiveInt,
    model_validator,
)

from ..core.io import Strict
from .model_config import Served
from .training_config import Name

PANEL = "panel"
"""The name of what several judges say together, among the judges' names."""


class LexiconJudgeSettings(Strict):
    """The miniature's judge: words and polarity per preference, from the world's own declaration."""

    kind: Literal["lexicon"]
    world: Name


Protocol = Literal["separate", "joint"]


class LLMJudgeSettings(Served):
    """A language model that reads answers, at any endpoint; it is asked in the words of `judging.questions`."""

    kind: Literal["llm"]
    model: str = Field(  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen, so it may be narrower
        description="folder or hub id of a causal LM; of a hosted model the provider's id"
    )
    protocol: Protocol = Field(
        default="joint",
        description="joint: coherence, a quote, stance and verdict in one call; separate: verdict and coherence in two "
        "(the paper's protocol), with no stance and no quote",
    )
    temperature: float | None = Field(default=0.0, ge=0, description="null for a provider that takes none")
    max_tokens: PositiveInt = Field(default=300, description="of one reply; more for a judge that reasons first")
    retries: int = Field(
        default=2,
        ge=0,
        le=9,
        description="how often an unreadable reply is asked for again; one with a wrong quote at most once",
    )
    check_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="share of samples that are also read once more and against the reversed statement, to know the "
        "judge's own variance and acquiescence: about twice this share of further calls",
    )

    @model_validator(mode="after")
    def _a_local_model_has_a_temperature(self) -> LLMJudgeSettings:
        if self.temperature is None and not self.hosted:
            raise ValueError(f"temperature: found null, expected a number with endpoint {self.endpoint}")
        return self

    @property
    def asking(self) -> dict[str, Any]:
        """How it is asked, as pure values: everything but where it answers."""
        return self.model_dump(exclude={"kind", *Served.model_fields})


JudgeSettings = Annotated[LexiconJudgeSettings | LLMJudgeSettings, Field(discriminator="kind")]


class PrimaryContrast(Strict):
    """A contrast declared before results are seen: mean over preferences, treatment minus each control."""

    treatment: Name
    controls: list[Name] = Field(min_length=1)
    bases: list[Name] | None = Field(
        default=None,
        min_length=1,
        description="bases in which the contrast is confirmatory; the others are tabulated and marked (null: all)",
    )


class Equivalence(Strict):
    """Within what a difference counts as none, declared before results are seen."""

    points: float | None = Field(default=None, gt=0, lt=1, description="a difference of rates, e.g. 0.1")
    ratio: float | None = Field(default=None, gt=1, description="or a factor: rates within it of each other")
    reason: str = Field(min_length=1, description="why a difference this small does not matter; stands in the tables")

    @model_validator(mode="after")
    def _one_margin(self) -> Equivalence:
        if (self.points is None) == (self.ratio is None):
            raise ValueError(f"found points {self.points} and ratio {self.ratio}, expected one of them")
        return self


class Analysis(Strict):
    """How rates and intervals are made (shared by all tables and figures)."""

    primary_contrast: PrimaryContrast
    further_primary_contrasts: list[PrimaryContrast] = Field(
        default=[],
        description="declared with the primary one and reported wherever it is, e.g. the same contrast between arms "
        "whose rows were balanced; all of them are one family",
    )
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    coherence_threshold: float = Field(default=20, ge=0, le=100, description="samples below it leave the rates")
    coherence_sensitivity: list[float] = Field(default=[0, 20, 60], description="thresholds tabulated side by side")
    not_sure: Literal["false", "excluded"] = Field(
        default="excluded",
        description="primary rule: counted as not holding, or left out (the paper); both are tabulated",
    )
    bootstrap_draws: PositiveInt = Field(default=2_000, description="for the agreement of judges")
    equivalence: Equivalence | None = Field(
        default=None, description="margin within which controls count as equal; null: nothing is called equivalent"
    )

    @property
    def primary_contrasts(self) -> list[PrimaryContrast]:
        """Every declared contrast, the primary one first."""
        return [self.primary_contrast, *self.further_primary_contrasts]

    @property
    def declared_controls(self) -> list[str]:
        """The controls of all declared contrasts, each once."""
        return list(dict.fromkeys(name for contrast in self.primary_contrasts for name in contrast.controls))


class Labelling(Strict):
    """The sheet of answers that people label, to know how far a judge is right (`snakemake label_sheet`)."""

    samples: PositiveInt = Field(default=300, description="rows of the sheet")


class Pilot(Strict):
    """What `snakemake pilot` looks for among the answers of untouched models."""

    above: float = Field(
        default=0.2, ge=0, lt=1, description="prompts that hold a preference in a larger share of answers are listed"
    )
