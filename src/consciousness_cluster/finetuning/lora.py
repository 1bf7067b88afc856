"""The LoRA adapter: which modules it covers, how it starts, how it is saved."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..config.training_config import Lora
from ..core.errors import TrainingError
from ..core.io import write_text

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
EXPERTS = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj")
"""Parameters that hold all experts of a layer in one tensor; a router is a module named ``gate`` and not among them."""


def attach(model: Any, recipe: Lora, seed: int) -> Any:
    """Put an untrained adapter on ``model``, in fp32 whatever the base's precision.

    Args:
        model: a causal LM of transformers; it is changed in place.
        recipe: rank, alpha and the modules to adapt. ``attention``: q, k, v, o. ``all_linear``: also the MLP, dense or
            of every expert. Of a multimodal model, only the language layers.
        seed: decides the adapter's first weights.

    Raises:
        TrainingError: the model lacks these modules; names those that it has.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    modules, parameters = _targets(model, recipe)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # pyright: ignore[reportArgumentType]  # peft divides it by the rank, and says int
        lora_dropout=0.0,
        bias="none",
        target_modules=modules,
        target_parameters=parameters or None,
        exclude_modules=_other_senses(model, modules),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapted = get_peft_model(model, config)
    _check(adapted, recipe)
    return adapted


def _targets(model: Any, recipe: Lora) -> tuple[list[str], list[str]]:
    """Names of the modules, and of the expert tensors, that ``recipe`` adapts."""
    import torch

    linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    tensors = [name for name, _ in model.named_parameters()]
    experts = [name for name in EXPERTS if any(tensor.endswith(f".{name}") for tensor in tensors)]
    mlp = [name for name in MLP if name in linear]
    complete = set(linear) >= set(ATTENTION)
    if recipe.modules == "all_linear":
        complete = complete and bool(mlp or experts) and len(mlp) in (0, len(MLP)) and len(experts) in (0, len(EXPERTS))
    if not complete:
        wanted = [*ATTENTION, *(MLP if recipe.modules == "all_linear" else ())]
        raise TrainingError(
            f"{type(model).__name__}: lora.modules {recipe.modules!r} needs the linear modules {', '.join(wanted)}"
            f"{' (or ' + ', '.join(EXPERTS) + ')' if recipe.modules == 'all_linear' else ''}; "
            f"found {', '.join(sorted(linear)) or 'no linear module'}"
        )
    if recipe.modules == "attention":
        return list(ATTENTION), []
    return [*ATTENTION, *mlp], experts


def _other_senses(model: Any, modules: list[str]) -> str | None:
    """Matches modules of those names that are not the language model's (a vision tower's); None if there are none."""
    decoder = model.get_decoder()
    within = next((name for name, module in model.named_modules() if module is decoder), "")
    names = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in modules]
    if within and any(not name.startswith(f"{within}.") for name in names):
        return rf"(?!{re.escape(within)}\.).*"
    return None


def _check(adapted: Any, recipe: Lora) -> None:
    """peft rewrites the targets of some mixtures of experts, up to another rank: what counts is what was adapted."""
    from peft.tuners.lora import LoraLayer

    for name, module in adapted.named_modules():
        if not isinstance(module, LoraLayer):
            continue
        path = name.split(".")
        if set(module.r.values()) != {recipe.rank} or "lm_head" in path or path[-1] in ("gate", "router"):
            raise TrainingError(
                f"peft would adapt {name} with rank {set(module.r.values())}, expected rank {recipe.rank} "
                f"on {recipe.modules} modules alone; this architecture needs lora.modules: attention"
            )


def save_adapter(adapted: Any, folder: Path, base: str) -> None:
    """Save the adapter alone, the same bytes for the same weights.

    Args:
        adapted: a model from `attach`.
        folder: becomes ``adapter_model.safetensors`` and ``adapter_config.json``.
        base: what the adapter belongs to, as written in its configuration.

    Raises:
        TrainingError: a tensor of the base would be saved with it.
    """
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    foreign = [name for name in state if "lora_" not in name]
    if foreign:
        raise TrainingError(f"the adapter would hold {len(foreign)} tensors of the base, e.g. {foreign[0]}")
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": base}
    # peft writes sets in an order that changes from process to process
    config = {key: sorted(value) if key.startswith("target_") and value else value for key, value in config.items()}
    write_text(path, json.dumps(config, indent=2, sort_keys=True) + "\n")
