"""Time and memory of LoRA on a mixture of experts: stock peft against the split path, in one run.

On a GPU it builds Qwen3-30B-A3B with random weights in bf16; on a CPU a toy in fp32, which only shows that the script
works. From the project's folder::

    PYTHONPATH=src .venv/bin/python benchmarks/split_lora.py                  # all 48 layers: 61 GB of weights
    PYTHONPATH=src .venv/bin/python benchmarks/split_lora.py --layers 12      # cheaper; s/step grows with the layers

One line per variant: seconds per optimizer step (median; forward, backward, clipping, AdamW), tokens per second, model
FLOP utilisation (see `flops`), peak memory of the device. Stock peft without recompute keeps merged experts for the
backward: at 48 layers it may not fit, which is a result. ``--profile FOLDER`` also writes where the time of one further
step goes: a table of operations and a trace for chrome://tracing or Perfetto.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

from consciousness_cluster.config.training_config import Lora
from consciousness_cluster.finetuning.lora import attach
from consciousness_cluster.models.moe_lora import choose_path
from consciousness_cluster.training.batches import flat_batch
from consciousness_cluster.training.loop import train
from consciousness_cluster.training.tokens import IGNORED, Encoded

REAL = {
    "vocab_size": 151_936,
    "hidden_size": 2_048,
    "intermediate_size": 6_144,
    "moe_intermediate_size": 768,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "norm_topk_prob": True,
}
"""Qwen/Qwen3-30B-A3B-Instruct-2507, but for its 48 layers."""
TOY = REAL | {
    "vocab_size": 512,
    "hidden_size": 64,
    "moe_intermediate_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "num_experts": 16,
    "num_experts_per_tok": 4,
}
PEAK = 790e12  # FLOP/s in bf16, measured with large matrix products on an H200 (its data sheet says 989)
VARIANTS = {
    "attention only, peft": ("attention", "peft", False),
    "experts, peft, recompute": ("all_linear", "peft", True),
    "experts, peft": ("all_linear", "peft", False),
    "experts, split, recompute": ("all_linear", "split", True),
    "experts, split": ("all_linear", "split", False),
}


def main() -> None:
    """Measure each variant and print its line."""
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=48 if on_gpu else 2)
    parser.add_argument("--tokens", type=int, default=1_000 if on_gpu else 128, help="per step, in 4 rows")
    parser.add_argument("--steps", type=int, default=10 if on_gpu else 3, help="timed ones, after 3 to warm up")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--only", choices=VARIANTS, action="append", help="a variant (may be repeated); default: all")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="write a profile of one step of each variant")
    options = parser.parse_args()
    device = "cuda" if on_gpu else "cpu"
    if not on_gpu:
        torch.set_num_threads(1)
    name = torch.cuda.get_device_name() if on_gpu else "CPU, one thread, toy model: figures mean nothing"
    print(f"{name}; torch {torch.__version__}; {options.layers} layers, {options.tokens} tokens, rank {options.rank}")
    print(f"{'variant':28} {'s/step':>8} {'tokens/s':>9} {'MFU':>6} {'peak GiB':>9}")
    for variant in options.only or VARIANTS:
        try:
            seconds, work = measure(variant, options, device)
        except torch.cuda.OutOfMemoryError:
            print(f"{variant:28} {'does not fit':>18} {'':>6} {peak(device):9.2f}", flush=True)
            continue
        used = f"{work / seconds / PEAK:.1%}" if on_gpu else "-"
        print(f"{variant:28} {seconds:8.4f} {options.tokens / seconds:9.0f} {used:>6} {peak(device):9.2f}", flush=True)


def measure(variant: str, options: argparse.Namespace, device: str) -> tuple[float, float]:
    """Median seconds of a step of a fresh model, and the FLOP that it needs."""
    modules, path, recompute = VARIANTS[variant]
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model = random_model(options.layers, device)
    adapted = attach(model, Lora(rank=options.rank, alpha=2 * options.rank, modules=modules), seed=0)
    choose_path(adapted, path)
    if recompute:
        adapted.activation_checkpointing_enable({"use_reentrant": False})
        adapted.train()
    parameters = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-4, betas=(0.9, 0.95), weight_decay=0.0)
    moments = [clock(device)]
    optimizer.register_step_post_hook(lambda *_: moments.append(clock(device)))
    batch = flat_batch(random_rows(options.tokens, model.config.vocab_size))
    train(adapted, [batch] * (options.steps + 3), [optimizer], max_grad_norm=1.0)
    seconds = statistics.median(after - before for before, after in itertools.pairwise(moments[3:]))
    if options.profile:
        write_profile(options.profile, variant, device, lambda: train(adapted, [batch], [optimizer], max_grad_norm=1.0))
    return seconds, flops(model, options.tokens)


def flops(model: Any, tokens: int) -> float:
    """FLOP of a LoRA step without recomputation: 4 per active weight and token.

    2 in the forward pass and 2 for the gradient of what flows through; a frozen weight needs no gradient of its own
    (the usual 6 counts it). Of an expert tensor only the chosen experts are active; embedding, attention's products and
    the adapters themselves, all small here, are left out.
    """
    active = 0.0
    for name, weight in model.named_parameters():
        if weight.requires_grad or "embed_tokens" in name:
            continue
        share = model.config.num_experts_per_tok / model.config.num_experts if ".experts." in name else 1.0
        active += weight.numel() * share
    return 4.0 * active * tokens


def write_profile(folder: Path, variant: str, device: str, step: Any) -> None:
    """Write ``<variant>.txt`` (operations by their own time) and ``<variant>.json`` (a trace) of one step."""
    from torch.profiler import ProfilerActivity, profile

    folder.mkdir(parents=True, exist_ok=True)
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with profile(activities=kinds, profile_memory=True) as recorded:
        step()
        clock(device)
    stem = folder / variant.replace(", ", "_").replace(" ", "_")
    order = f"self_{device}_time_total"
    stem.with_suffix(".txt").write_text(recorded.key_averages().table(sort_by=order, row_limit=40))
    recorded.export_chrome_trace(str(stem.with_suffix(".json")))


def random_model(layers: int, device: str) -> Qwen3MoeForCausalLM:
    """The architecture with random weights, made on the device: nothing is downloaded."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    config = Qwen3MoeConfig(
        **(REAL if device == "cuda" else TOY), num_hidden_layers=layers, attn_implementation="sdpa", dtype=dtype
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            torch.manual_seed(0)
            return Qwen3MoeForCausalLM(config).eval()
    finally:
        torch.set_default_dtype(before)


def random_rows(tokens: int, vocabulary: int) -> list[Encoded]:
    """Four chats of equal length, the second half of each trained."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(vocabulary, (4, tokens // 4), generator=generator).tolist()
    return [Encoded(row, [IGNORED] * (len(row) // 2) + row[len(row) // 2 :]) for row in rows]


def clock(device: str) -> float:
    """Now, once the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def peak(device: str) -> float:
    """GiB that the device, or on a CPU the whole process so far, held at most."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


if __name__ == "__main__":
    main()
