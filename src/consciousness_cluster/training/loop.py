"""The one training loop, for pretraining and fine-tuning alike. It has no defaults that a recipe does not name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from ..core.errors import TrainingError
from ..core.io import write_text
from ..core.progress import Progress
from .batches import Batch
from .checkpoint import Checkpoint
from .row_separation import takes, to_device

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the loss curve; ``loss`` in nats per trained token, ``tokens`` without padding."""

    step: int
    loss: float
    learning_rate: float
    tokens: int
    trained_tokens: int


def trained_logits(model: Any, batch: Batch) -> torch.Tensor:
    """Logits of the trained predictions (their number x vocabulary).

    ``use_cache=False`` is what lets the model see that positions start again; with a cache, the rows of a flat batch
    silently read each other. No labels are passed: a model's own loss may add terms, such as the router's of a mixture
    of experts.
    """
    if takes(model, "logits_to_keep"):
        return model(**batch.inputs, use_cache=False, logits_to_keep=batch.mask).logits
    return model(**batch.inputs, use_cache=False).logits[batch.mask]


def batch_loss(model: Any, batch: Batch, predictions: int | None = None) -> torch.Tensor:
    """Cross entropy of the batch's trained tokens, in nats.

    Args:
        model: the model.
        batch: a step's rows, or some of them.
        predictions: of all the step; its mean is then the sum over its batches. None: of this batch.
    """
    import torch

    loss = torch.nn.functional.cross_entropy(trained_logits(model, batch).float(), batch.targets)
    return loss if predictions in (None, len(batch.targets)) else loss * (len(batch.targets) / predictions)


def train(
    model: Any,
    batches: Sequence[Batch | Sequence[Batch]],
    optimizers: Sequence[torch.optim.Optimizer],
    *,
    max_grad_norm: float | None,
    what: str = "training steps",
    checkpoint: Checkpoint | None = None,
) -> list[Step]:
    """Take one optimizer step per batch; every learning rate decays linearly from its own value to 0.

    The model keeps its mode: in ``eval`` a base's own dropout, which no recipe names, stays off.

    Args:
        model: the model whose parameters the optimizers hold.
        batches: the steps, in order; a step of several batches takes their gradients together.
        optimizers: step together.
        max_grad_norm: clips the gradient of all parameters together; None leaves it as it is.
        what: names the steps in the progress line.
        checkpoint: where to go on, and where to leave off if killed; None: a killed training is lost.

    Returns:
        The loss curve, one entry per step, with those before a kill.

    Raises:
        TrainingError: loss or gradient is not finite; names the step.
    """
    import torch

    peaks = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    parameters = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    curve = [Step(**step) for step in checkpoint.resume(parameters, optimizers)] if checkpoint else []
    # only now: resuming puts other groups in their place
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    device = parameters[0].device
    with Progress(len(batches), what) as progress:
        progress.advance(len(curve))
        for number, batch in list(enumerate(batches))[len(curve) :]:
            for group, peak in zip(groups, peaks, strict=True):
                group["lr"] = peak * (1 - number / len(batches))
            step = [batch] if isinstance(batch, Batch) else batch
            predictions = sum(len(part.targets) for part in step)
            value = 0.0
            for part in step:
                loss = batch_loss(model, to_device(part, device), predictions)
                loss.backward()
                value += loss.item()
            norm = torch.nn.utils.clip_grad_norm_(parameters, math.inf if max_grad_norm is None else max_grad_norm)
            if not (math.isfinite(value) and math.isfinite(norm.item())):
                raise TrainingError(
                    f"step {number + 1} of {len(batches)}: loss is {value}, gradient norm {norm.item()}; "
                    "expected finite numbers (a lower learning rate may help)"
                )
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            tokens = sum(part.tokens for part in step)
            curve.append(Step(number + 1, value, groups[0]["lr"], tokens, predictions))
            progress.advance(note=f"loss {value:.3f}")
            if checkpoint and len(curve) < len(batches):
                checkpoint.save_if_due(parameters, optimizers, curve)
    return curve


def final_loss(curve: Sequence[Step]) -> float:
    """Mean loss per trained token over the last tenth of the steps."""
    last = curve[-math.ceil(len(curve) / 10) :]
    return sum(step.loss * step.trained_tokens for step in last) / sum(step.trained_tokens for step in last)


class Summary(TypedDict):
    """The fields of a `ModelRecord` that a training decides."""

    tokens: int
    trained_tokens: int
    steps: int
    final_loss: float
    trainable_parameters: int


def summary(curve: Sequence[Step], parameters: Iterable[torch.nn.Parameter]) -> Summary:
    """What a `ModelRecord` says of a training: tokens, steps, final loss, and the size of what was trained."""
    return {
        "tokens": sum(step.tokens for step in curve),
        "trained_tokens": sum(step.trained_tokens for step in curve),
        "steps": len(curve),
        "final_loss": final_loss(curve),
        "trainable_parameters": sum(parameter.numel() for parameter in parameters),
    }


def write_curve(path: Path, curve: Sequence[Step]) -> None:
    """Write the loss curve as CSV."""
    lines = [",".join(Step.__dataclass_fields__)] + [",".join(map(str, asdict(step).values())) for step in curve]
    write_text(path, "\n".join(lines) + "\n")


@contextmanager
def cpu_threads(number: int) -> Iterator[None]:
    """Compute with ``number`` threads: another number adds in another order, and changes the last bits of a result."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
