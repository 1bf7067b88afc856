"""How much memory a job will need, from files that are read in a moment, before 60 GB are loaded for nothing.

The estimate is rough: it should tell a job that cannot fit from one that does, not predict a peak to the percent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.training_config import Lora
from ..core.errors import EndpointError
from .folder_checks import read_config

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj", "gate_up_proj")
BYTES_PER_TRAINED = 20
"""Per parameter of an adapter, in fp32: itself, its gradient, AdamW's two moments, and one temporary of its step."""
SENSES = re.compile(r"vision|visual|audio|image|speech")
"""In the names of tensors of a multimodal model that read no text."""
PER_LAYER = {2: (28, 10, 16, 4), 4: (16, 18, 20, 8)}
"""Bytes per token that a layer keeps for the backward, by bytes per number: per number of the residual stream, of an
active expert's (or the MLP's) inner width, of all attention heads, and of the residual stream once more for every
active expert. Counted on Qwen3 and Qwen3-MoE with an adapter, from the tensors that autograd saves (see the tests)."""


class UnknownArchitectureError(Exception):
    """A configuration does not say, in words that are known here, what an estimate needs."""


@dataclass(frozen=True)
class Needed:
    """Bytes that a job will hold at its peak."""

    weights: int
    adapter: int
    work: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.adapter + self.work

    def __str__(self) -> str:
        parts = {"weights": self.weights, "adapter": self.adapter, "activations": self.work}
        return f"{gb(self.total)} ({', '.join(f'{name} {gb(size)}' for name, size in parts.items() if size)})"


@dataclass(frozen=True)
class _Tensor:
    name: str
    shape: list[int]
    size: int

    @property
    def bytes_per_number(self) -> int:
        return self.size // max(1, math.prod(self.shape))


def gb(size: float) -> str:
    """A size in words: 61.1 GB."""
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def weights_bytes(folder: Path) -> int:
    """Bytes of a model's weights, in the precision they were saved in."""
    return sum(tensor.size for tensor in _tensors(folder)) or sum(file.stat().st_size for file in folder.glob("*.bin"))


def to_train(folder: Path, lora: Lora, tokens: int, merges_experts: bool) -> Needed:
    """What a fine-tune holds: weights + 20 bytes per adapter parameter + activations of one step, none recomputed.

    Activations are tokens x (layers x what `PER_LAYER` counts + vocabulary x logits in the base's precision and three
    times in fp32).

    Args:
        folder: the base.
        lora: the adapter.
        tokens: of the largest step.
        merges_experts: whether the experts' adapters are computed by stock peft, which keeps merged weights of all
            experts for the backward.

    Raises:
        UnknownArchitectureError: what the configuration does not say.
    """
    tensors = list(_tensors(folder))
    config = _config(folder)
    precision = _precision(tensors)
    width, inner, attention, active = config.width, config.inner, config.heads * config.head, config.active
    per_width, per_inner, per_attention, per_copy = PER_LAYER[precision]
    layer = per_width * width + per_inner * inner * max(1, active) + per_attention * attention
    layer += per_copy * width * active
    work = tokens * (config.layers * layer + config.vocabulary * (precision + 12))
    if merges_experts and lora.modules == "all_linear":
        work += sum(tensor.size for tensor in tensors if ".experts." in tensor.name)
    return Needed(weights_bytes(folder), BYTES_PER_TRAINED * adapter_parameters(tensors, lora), work)


def to_ask(folder: Path, adapter: Path | None, rows: int, tokens: int) -> Needed:
    """What asking holds: weights, the adapter, the cache of keys and values, and the drawing of a token in fp64.

    Args:
        folder: the base.
        adapter: folder of an adapter.
        rows: answered at once.
        tokens: of the longest prompt and its answer.

    Raises:
        UnknownArchitectureError: what the configuration does not say.
    """
    config = _config(folder)
    precision = _precision(list(_tensors(folder)))
    cache = rows * tokens * config.layers * 2 * config.kv_heads * config.head * precision
    step = rows * (config.vocabulary * 32 + tokens * precision * (4 * config.width + 3 * config.inner))
    return Needed(weights_bytes(folder), weights_bytes(adapter) if adapter else 0, cache + step)


def adapter_parameters(tensors: list[_Tensor], lora: Lora) -> int:
    """Parameters of the adapter: rank x (in + out) for every adapted matrix, and for that of every expert."""
    total = 0
    for tensor in tensors:
        path = tensor.name.removesuffix(".weight").split(".")
        if path[-1] not in ATTENTION + (MLP if lora.modules == "all_linear" else ()) or len(tensor.shape) < 2:
            continue
        if SENSES.search(tensor.name):
            continue  # only the language layers are adapted
        sides = sum(tensor.shape[-2:])
        if path[-1] == "up_proj" and path[-2].isdecimal():
            sides = tensor.shape[0]  # an expert's gate and up have one adapter: it reads the input once
        total += lora.rank * sides * math.prod(tensor.shape[:-2])
    return total


def _tensors(folder: Path) -> Iterator[_Tensor]:
    """The tensors of a model, read from the headers of its safetensors files."""
    for file in sorted(folder.glob("*.safetensors")):
        header = _header(file)
        for name, tensor in header.items():
            if name != "__metadata__":
                begin, end = tensor["data_offsets"]
                yield _Tensor(name, tensor["shape"], end - begin)


def _header(file: Path) -> dict[str, Any]:
    with open(file, "rb") as content:
        size = int.from_bytes(content.read(8), "little")
        try:
            if size < file.stat().st_size:
                return json.loads(content.read(size))
        except ValueError:
            pass
    raise EndpointError(f"{file}: not a safetensors file, or only a part of one; expected a model's weights")


def _precision(tensors: list[_Tensor]) -> int:
    """Bytes per number that the model computes in."""
    return 4 if max(tensors, key=lambda tensor: tensor.size, default=_Tensor("", [1], 2)).bytes_per_number == 4 else 2


@dataclass(frozen=True)
class _Config:
    """What an estimate needs of a configuration; ``active``: experts that a token passes, 0 in a dense model."""

    width: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    active: int


def _config(folder: Path) -> _Config:
    content = read_config(folder)
    content = content.get("text_config") or content

    def number(*names: str, instead: int | None = None) -> int:
        name = next((name for name in names if content.get(name) is not None), names[-1])
        found = content.get(name, instead)
        if not isinstance(found, int):
            said = "no number" if found is None else f"a {type(found).__name__} in place of a number"
            raise UnknownArchitectureError(f"config.json gives {said} for {name}")
        return found

    width, heads = number("hidden_size"), number("num_attention_heads")
    return _Config(
        width=width,
        inner=number("moe_intermediate_size", "intermediate_size", instead=4 * width),
        layers=number("num_hidden_layers"),
        heads=heads,
        kv_heads=number("num_key_value_heads", instead=heads),
        head=number("head_dim", instead=width // max(1, heads)),
        vocabulary=number("vocab_size"),
        active=number("num_experts_per_tok", instead=0),
    )
