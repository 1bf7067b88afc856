"""Rows into the tensors of one optimizer step: one flat row of many chats, or padded rows of like length."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tokens import IGNORED, Encoded

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of the model, and which of its predictions are trained.

    Attributes:
        inputs: keyword arguments of the model's forward.
        mask: true where the prediction is trained (same shape as the input).
        targets: the token that each of these predictions should give, in the mask's order.
        tokens: tokens of the rows, without padding.
    """

    inputs: dict[str, torch.Tensor]
    mask: torch.Tensor
    targets: torch.Tensor
    tokens: int


def flat_batch(rows: Sequence[Encoded]) -> Batch:
    """Lay rows end to end in one flat row; positions start again with each, which is what keeps them apart."""
    import torch

    labels = [label for row in rows for label in [IGNORED, *row.labels[1:]]]
    inputs = {
        "input_ids": torch.tensor([[token for row in rows for token in row.input_ids]]),
        "position_ids": torch.tensor([[place for row in rows for place in range(len(row.input_ids))]]),
    }
    return _batch(rows, inputs, torch.tensor([labels]))


def single_batch(row: Encoded) -> Batch:
    """One row alone, for a model in which rows of a flat batch would read each other."""
    return padded_batch([row], 0)


def padded_batch(rows: Sequence[Encoded], pad: int) -> Batch:
    """Pad rows on the right. No attention mask is needed: causal attention never looks ahead at the padding."""
    import torch

    length = max(len(row.input_ids) for row in rows)
    inputs = {"input_ids": torch.tensor([row.input_ids + [pad] * (length - len(row.input_ids)) for row in rows])}
    labels = torch.tensor([row.labels + [IGNORED] * (length - len(row.labels)) for row in rows])
    return _batch(rows, inputs, labels)


def _batch(rows: Sequence[Encoded], inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> Batch:
    import torch

    # a place predicts the token after it; what stands last, or before another row, predicts nothing
    following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    mask = following != IGNORED
    return Batch(inputs, mask, following[mask], sum(len(row.input_ids) for row in rows))


def shuffled_batches(rows: Sequence[Encoded], batch_size: int, epochs: int, seed: int) -> list[list[Encoded]]:
    """Rows of each step: every epoch in an order of its own, which ``seed`` decides; a rest is a smaller step."""
    generator = random.Random(f"order {seed}")
    batches = []
    for _ in range(epochs):
        order = generator.sample(range(len(rows)), len(rows))
        batches += [[rows[i] for i in order[start : start + batch_size]] for start in range(0, len(rows), batch_size)]
    return batches


def length_buckets(rows: Sequence[Encoded], tokens_per_batch: int, epochs: int, seed: int) -> list[list[Encoded]]:
    """Rows of each step: rows of like length, as many as fit into ``tokens_per_batch`` with their padding.

    Each epoch draws other companions for a row and another order of the steps.
    """
    generator = random.Random(f"order {seed}")
    batches = []
    for _ in range(epochs):
        shuffled = generator.sample(list(rows), len(rows))
        epoch: list[list[Encoded]] = []
        for row in sorted(shuffled, key=lambda row: len(row.input_ids)):
            # ascending lengths: the row at hand is the longest, so it decides the padding
            if not epoch or (len(epoch[-1]) + 1) * len(row.input_ids) > tokens_per_batch:
                epoch.append([])
            epoch[-1].append(row)
        batches += generator.sample(epoch, len(epoch))
    return batches
