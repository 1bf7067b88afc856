"""Whether rows of one flat batch stay apart: found out bit for bit, by swapping the row before another."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .batches import Batch, flat_batch
from .tokens import Encoded

if TYPE_CHECKING:
    import torch


def takes(model: Any, argument: str) -> bool:
    """Whether a model's ``forward`` takes an argument; of an adapted model, that of the model within."""
    model = model.get_base_model() if hasattr(model, "get_base_model") else model
    return argument in inspect.signature(model.forward).parameters


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on ``device``."""
    inputs = {name: tensor.to(device) for name, tensor in batch.inputs.items()}
    return Batch(inputs, batch.mask.to(device), batch.targets.to(device), batch.tokens)


def rows_stay_apart(model: Any, rows: Sequence[Encoded]) -> bool:
    """Whether a row's logits are the same, bit for bit, whatever row of equal length stands before it.

    Equal lengths leave the arithmetic the same, so no rounding has to be allowed for, and a small leak is none the
    less seen. Only a mixture's experts see how many tokens of other rows share an expert, which changes the last bits
    of a token without telling it anything; where that alone is the difference, they are left out of the comparison.

    Args:
        model: the model, with any adapter or none.
        rows: of the data; at least one.
    """
    return takes(model, "position_ids") and (_equal(model, rows) or _equal_without_experts(model, rows))


def _equal(model: Any, rows: Sequence[Encoded]) -> bool:
    import torch

    device = next(model.parameters()).device
    before, last = rows[0], rows[-1]
    found = []
    for ids in (before.input_ids, _others(before.input_ids, last.input_ids)):
        batch = to_device(flat_batch([Encoded(ids, ids), last]), device)
        few = {"logits_to_keep": len(last.input_ids)} if takes(model, "logits_to_keep") else {}
        with torch.no_grad():
            logits = model(**batch.inputs, use_cache=False, **few).logits
        found.append(logits[0, -len(last.input_ids) :])
    return torch.equal(*found)


def _others(ids: list[int], source: list[int]) -> list[int]:
    """Other tokens, as many: each differs from the one in its place."""
    vocabulary = sorted(set(ids) | set(source))
    place = {token: number for number, token in enumerate(vocabulary)}
    return [vocabulary[(place[token] + 1) % len(vocabulary)] for token in ids]


def _equal_without_experts(model: Any, rows: Sequence[Encoded]) -> bool:
    with _experts_silenced(model) as silenced:
        return bool(silenced) and _equal(model, rows)


@contextmanager
def _experts_silenced(model: Any) -> Iterator[list[Any]]:
    """Let mixtures of experts add nothing; yields the hooks, one per mixture."""
    import torch

    def nothing(module: Any, inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (torch.zeros_like(output[0]), *output[1:])
        return torch.zeros_like(output)

    mixtures = [module for module in model.modules() if isinstance(getattr(module, "experts", None), torch.nn.Module)]
    hooks = [module.register_forward_hook(nothing) for module in mixtures]
    try:
        yield hooks
    finally:
        for hook in hooks:
            hook.remove()
