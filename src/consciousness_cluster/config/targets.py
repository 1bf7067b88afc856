"""The models that are asked: base x condition x seed."""

from __future__ import annotations

from pydantic import (
    Field,
)

from ..core.io import Strict
from .training_config import Training


class Target(Strict):
    """The model that is asked: base x condition x seed, with everything that decides what it is."""

    base: str
    condition: str
    seed: int
    identity: str | None
    on_policy: str | None = Field(None, description="the condition whose on-policy answers it trains on")
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
