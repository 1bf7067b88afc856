"""Read an adapter of a mixture's experts as vLLM does, without its kernels: `python experts.py FOLDER EXPERTS`.

Writes what each expert's weights gain by it to FOLDER/gains.safetensors: gate, up and down, (experts, out, in).
"""

import sys
from pathlib import Path
from types import SimpleNamespace

from vllm.lora.lora_model import LoRAModel
from vllm.lora.model_manager import LoRAModelManager
from vllm.lora.peft_helper import PEFTHelper

from consciousness_cluster.inference.vllm_settings import needs


def gains(folder: Path, experts: int) -> dict:
    """By layer and projection."""
    assert needs(folder)[1], "not recognized as an adapter of experts"
    helper = PEFTHelper.from_local_dir(str(folder), 4096)
    attention = {"q_proj", "k_proj", "v_proj", "o_proj"}
    read = LoRAModel.from_local_checkpoint(
        str(folder), {*attention, "experts"}, peft_helper=helper, lora_model_id=1, device="cpu"
    )
    manager = SimpleNamespace(
        _get_lora_layer_weights=lambda model, name: model.get_lora(name),
        model=SimpleNamespace(config=SimpleNamespace(architectures=["Qwen3MoeForCausalLM"])),
    )
    module = SimpleNamespace(local_num_experts=experts, global_num_experts=experts, ep_rank=0)
    found = {}
    for name in [name for name in read.loras if name.endswith(".experts")]:
        LoRAModelManager._convert_3d_to_2d_moe_lora(manager, read, module, name)
        weights = read.get_lora(name)
        for projection, a, b in zip(("gate", "down", "up"), weights.lora_a, weights.lora_b, strict=True):
            found[f"{name}.{projection}"] = (b @ a * helper.vllm_lora_scaling_factor).contiguous()
    return found


if __name__ == "__main__":
    from safetensors.torch import save_file

    save_file(gains(Path(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[1]) / "gains.safetensors")
