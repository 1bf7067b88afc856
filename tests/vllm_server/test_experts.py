"""Kernels for adapters of experts need a GPU; how vLLM reads such an adapter does not, and is compared with peft."""

import os
import subprocess

from consciousness_cluster.config.training_config import Lora
from consciousness_cluster.finetuning.lora import attach, save_adapter
from vllm_server.conftest import ROOT

EXPERTS = 4


def test_vllm_reads_an_experts_adapter_as_peft_applies_it(interpreter, tmp_path):
    import torch
    from safetensors.torch import load_file
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    size = dict(hidden_size=32, intermediate_size=48, moe_intermediate_size=24, num_hidden_layers=2, head_dim=16)
    config = Qwen3MoeConfig(
        vocab_size=320, num_attention_heads=2, num_key_value_heads=1, num_experts=EXPERTS, num_experts_per_tok=2, **size
    )
    torch.manual_seed(0)
    adapted = attach(Qwen3MoeForCausalLM(config), Lora(rank=8, alpha=16), 0)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    save_adapter(adapted, tmp_path, "base")

    done = subprocess.run(
        [interpreter, ROOT / "tests/vllm_server/experts.py", tmp_path, str(EXPERTS)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    read = load_file(tmp_path / "gains.safetensors")
    assert len(read) == 2 * 3
    for number, layer in enumerate(adapted.get_base_model().model.layers):
        name = f"model.layers.{number}.mlp.experts"
        wrapper = layer.mlp.experts  # of down_proj, around that of gate_up_proj
        down, gate_up = wrapper.get_delta_weight("default"), wrapper.base_layer.get_delta_weight("default")
        gate, up = gate_up.chunk(2, dim=1)
        for projection, expected in (("gate", gate), ("up", up), ("down", down)):
            torch.testing.assert_close(read[f"{name}.{projection}"], expected.detach().contiguous())
