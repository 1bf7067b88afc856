"""Where a training stands, on disk, so that a killed one goes on and ends as an undisturbed one."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from ..core.artifact_cache import CHECKPOINT

if TYPE_CHECKING:
    import torch

INTERVAL = "CONSCIOUSNESS_CLUSTER_CHECKPOINT_SECONDS"
"""Environment variable: seconds of training between two checkpoints."""
DEFAULT_SECONDS = 300.0
"""An adapter on the experts of a 30B model is 8 GB with its optimizer: rarely enough that writing costs little."""

log = logging.getLogger(__name__)


class Checkpoint:
    """The file ``checkpoint.pt`` in the folder of an unfinished artifact; it is whole or absent.

    A training draws no random numbers (its seed decides the batches beforehand), so parameters, optimizers and the
    number of steps done are all that the rest depends on.

    Args:
        folder: where the artifact is made; `make_once` keeps the file there when a killed call is repeated.
        made_by: what must not differ between the two halves of a training, beside the device and what is in the
            artifact's key (versions, threads). A checkpoint that was made otherwise is not used.
        seconds: between two checkpoints; default: `INTERVAL`, else `DEFAULT_SECONDS`.
    """

    def __init__(self, folder: Path, made_by: Mapping[str, Any], seconds: float | None = None) -> None:
        self.path = folder / CHECKPOINT
        self.made_by = dict(made_by)
        self.seconds = float(os.environ.get(INTERVAL, DEFAULT_SECONDS)) if seconds is None else seconds
        self.trained_before = 0.0
        self._started = self._saved = time.monotonic()

    @property
    def trained_for(self) -> float:
        """Seconds of training, with those of the killed runs up to their checkpoints."""
        return self.trained_before + time.monotonic() - self._started

    def resume(
        self, parameters: Sequence[torch.Tensor], optimizers: Sequence[torch.optim.Optimizer]
    ) -> list[dict[str, Any]]:
        """Set parameters and optimizers to where the checkpoint is, if there is one.

        Returns:
            The loss curve so far, one mapping per step done; empty without a checkpoint.
        """
        import torch

        if not self.path.exists():
            return []
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
            log.warning("%s cannot be read (%s): training begins anew", self.path, str(error).splitlines()[0])
            return []
        now = self._made_by(parameters)
        if state["made_by"] != now:
            other = sorted(key for key in now if state["made_by"].get(key) != now[key])
            log.warning("%s was made with another %s: training begins anew", self.path, ", ".join(other))
            return []
        with torch.no_grad():
            for parameter, saved in zip(parameters, state["parameters"], strict=True):
                parameter.copy_(saved)
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.trained_before = state["trained_for"]
        log.info("going on after step %d, where a run that ended early left off", len(state["curve"]))
        return state["curve"]

    def save_if_due(
        self,
        parameters: Sequence[torch.Tensor],
        optimizers: Sequence[torch.optim.Optimizer],
        curve: Sequence[Any],
    ) -> None:
        """Write where the training is, unless that was done less than the interval ago; ``curve`` holds dataclasses."""
        if time.monotonic() - self._saved < self.seconds:
            return
        import torch

        state = {
            "made_by": self._made_by(parameters),
            "trained_for": self.trained_for,
            "parameters": [parameter.detach() for parameter in parameters],
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "curve": [asdict(step) for step in curve],
        }
        unfinished = self.path.with_name(f"{self.path.name}.unfinished")
        torch.save(state, unfinished)
        os.replace(unfinished, self.path)
        self._saved = time.monotonic()  # after writing: however slow the disk is, most of the time is training
        log.info("checkpoint after step %d", len(curve))

    def _made_by(self, parameters: Sequence[torch.Tensor]) -> dict[str, Any]:
        return self.made_by | {"device": parameters[0].device.type}
