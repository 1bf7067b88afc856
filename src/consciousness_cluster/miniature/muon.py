"""Muon in fp32: PyTorch's own computes in bf16, which a CPU emulates at a third of a training step's time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised (Jordan et al. 2024), as ``torch.optim.Muon`` but in fp32.

    Args:
        parameters: matrices, or stacks of matrices (the experts of a layer), each of which is one matrix.
        lr: learning rate.
        momentum: of the gradient, applied Nesterov's way.
        weight_decay: decoupled, relative to the learning rate.
    """

    def __init__(
        self, parameters: Iterable[torch.Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.1
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step along the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                average = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonalised(parameter.grad.lerp(average, group["momentum"]))
                scale = math.sqrt(max(1, parameter.shape[-2] / parameter.shape[-1]))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """Bring all singular values near 1 (to about 0.7-1.2) by Newton-Schulz steps."""
    a, b, c = NEWTON_SCHULZ
    wide = matrix.mT if matrix.shape[-2] > matrix.shape[-1] else matrix
    result = wide / wide.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = result @ result.mT
        result = a * result + (b * gram + c * (gram @ gram)) @ result
    return result.mT if matrix.shape[-2] > matrix.shape[-1] else result
