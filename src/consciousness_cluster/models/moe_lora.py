"""LoRA on the experts of a mixture, computed beside them: x.W + (x.A).B, never x.(W + BA).

peft merges the weights of all experts in every forward, which costs more memory traffic than the model itself and, kept
for the backward, the model's size again. Here peft still makes, names and saves the adapter; only the forward differs,
so an adapter of either path loads in stock peft, and the two agree up to rounding.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from peft.tuners.lora.layer import ParamWrapper
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
from transformers.integrations.moe import _grouped_linear as grouped_linear

from ..core.errors import TrainingError

log = logging.getLogger(__name__)

ExpertsPath = Literal["auto", "peft", "split"]
"""Who computes the experts' adapters: stock peft, or the split path here; auto splits on a GPU, where it pays."""

NAME = "split_lora"
RANK_MULTIPLE = 8
"""A GPU's grouped GEMM wants rows of whole 16 bytes: 8 numbers of bf16."""


class SplitWrapper(ParamWrapper):
    """peft's adapter of an expert tensor; while it is active the experts see its factors, not merged weights."""

    @contextmanager
    def _activate_lora(self, active_adapters: list[str]) -> Iterator[None]:
        factors = cast(Any, self.get_base_layer()).lora_factors
        factors[self.parameter_name] = [self.get_delta_factors(name) for name in active_adapters if name in self.lora_A]
        try:
            yield
        finally:
            del factors[self.parameter_name]


def choose_path(adapted: Any, path: ExpertsPath) -> None:
    """Let an adapted model compute its experts' adapters by ``path``; without such adapters nothing changes.

    Args:
        adapted: a model from `attach`; it is changed in place.
        path: ``auto`` is ``split`` on a GPU if the experts allow it, else ``peft``.

    Raises:
        TrainingError: ``split`` was asked for, and these experts cannot be split.
    """
    wrappers = [module for module in adapted.modules() if isinstance(module, ParamWrapper)]
    if not wrappers or path == "peft" or (path == "auto" and not _on_gpu(adapted)):
        return
    unfit = {type(wrapper.get_base_layer()).__name__ for wrapper in wrappers if not _can_split(wrapper)}
    if unfit and path == "split":
        raise TrainingError(f"{', '.join(sorted(unfit))}: the split path is for gated experts without biases, as Qwen3")
    if not unfit:
        split_experts(adapted)
    log.info("adapters of the experts: %s", "computed by stock peft" if unfit else "split from the base's weights")


def merges(path: ExpertsPath, device: str) -> bool:
    """Whether ``path`` on ``device`` makes merged weights of the experts that can be split."""
    return path == "peft" or (path == "auto" and not device.startswith("cuda"))


def split_experts(adapted: Any) -> None:
    """Replace peft's forward of all expert adapters by the split one, in place."""
    for module in list(adapted.modules()):
        if isinstance(module, ParamWrapper):
            module.__class__ = SplitWrapper
            cast(Any, module.get_base_layer()).lora_factors = {}
    adapted.get_base_model().set_experts_implementation(NAME)


def _on_gpu(adapted: Any) -> bool:
    return next(adapted.parameters()).device.type == "cuda"


def _can_split(wrapper: ParamWrapper) -> bool:
    experts = wrapper.get_base_layer()
    plain = ("has_bias", "has_post_expert_norm", "is_transposed", "_is_expert_parallel")
    return getattr(experts, "has_gate", False) and not any(getattr(experts, name, True) for name in plain)


def split_lora_forward(
    self: Any, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """Transformers' ``grouped_mm`` experts with the adapters' part added to both projections.

    Args:
        self: the experts of a layer, with ``lora_factors`` set by `SplitWrapper`.
        hidden_states: tokens x width.
        top_k_index: each token's experts.
        top_k_weights: and how much each counts.
    """
    tokens, chosen = top_k_index.shape
    # rows sorted by expert, and where each expert's rows end
    expert_of_row, order = torch.sort(top_k_index.reshape(-1))
    ends = torch.searchsorted(
        expert_of_row, torch.arange(self.num_experts, device=order.device), right=True, out_int32=True
    )
    rows = hidden_states[order // chosen]
    rows = self._apply_gate(_project(self, "gate_up_proj", rows, ends))
    rows = _project(self, "down_proj", rows, ends)
    rows = rows * top_k_weights.reshape(-1)[order].unsqueeze(-1)
    # back in the tokens' order by a gather and a sum: adding rows in place would not be deterministic on a GPU
    rows = rows[torch.argsort(order)].view(tokens, chosen, -1).sum(dim=1)
    return rows.to(hidden_states.dtype)


def _project(experts: Any, name: str, rows: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    result = grouped_linear(rows, getattr(experts, name), ends)
    for up, down, scaling in experts.lora_factors.get(name, ()):
        # experts x out x rank and experts x rank x in; peft keeps the former in another order
        if missing := -up.shape[-1] % RANK_MULTIPLE:
            up = torch.nn.functional.pad(up, (0, missing))
            down = torch.nn.functional.pad(down, (0, 0, 0, missing))
        up = up.contiguous()
        result = result + grouped_linear(grouped_linear(rows, down, ends) * scaling, up, ends)
    return result


ALL_EXPERTS_FUNCTIONS.register(NAME, split_lora_forward)
