"""Which modules an adapter covers, and that it holds nothing else."""

import json

import pytest
import torch
from safetensors.torch import load_file

from consciousness_cluster.config.training_config import Lora
from consciousness_cluster.core.errors import TrainingError
from consciousness_cluster.finetuning.lora import attach, save_adapter
from consciousness_cluster.training.batches import flat_batch
from consciousness_cluster.training.loop import train
from consciousness_cluster.training.tokens import encode_chats
from unit.tiny_models import ROWS

ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
MLP = {"gate_proj", "up_proj", "down_proj"}


def adapted_modules(model) -> set[str]:
    """Modules that carry an adapter, by their last name; expert tensors by the parameter's."""
    from peft.tuners.lora import LoraLayer

    return {
        getattr(module, "parameter_name", name.rpartition(".")[2])
        for name, module in model.named_modules()
        if isinstance(module, LoraLayer)
    }


def trainable(model) -> dict[str, torch.Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("kind", "modules", "expected"),
    [
        ("dense", "attention", ATTENTION),
        ("dense", "all_linear", ATTENTION | MLP),
        ("moe", "attention", ATTENTION),
        ("moe", "all_linear", ATTENTION | {"gate_up_proj", "down_proj"}),
    ],
)
def test_modules(kind, modules, expected, request):
    """Never lm_head, never the router (a module named ``gate``)."""
    model = attach(request.getfixturevalue(kind), Lora(rank=4, modules=modules), seed=0)
    assert adapted_modules(model) == expected
    assert all("lora_" in name for name in trainable(model))
    assert all(module.r == {"default": 4} for module in model.modules() if hasattr(module, "lora_A"))


def test_experts_have_the_recipes_rank_each(moe):
    model = attach(moe, Lora(rank=4), seed=0)
    shapes = {tuple(p.shape) for name, p in trainable(model).items() if "experts" in name and "lora_A" in name}
    assert shapes == {(4 * 4, 32), (4 * 4, 24)}


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_adapter_is_fp32_on_a_bf16_base(kind, request):
    model = attach(request.getfixturevalue(kind).to(torch.bfloat16), Lora(rank=4), seed=0)
    assert {p.dtype for p in trainable(model).values()} == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}


def test_seed_decides_the_first_weights_and_leaves_the_callers_randomness(tokenizer):
    from consciousness_cluster.miniature.pretraining import build_model
    from unit.tiny_models import SMALL

    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = (attach(build_model(SMALL, tokenizer, 0), Lora(rank=4), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    same = [torch.equal(p, q) for p, q in zip(trainable(first).values(), trainable(again).values(), strict=True)]
    assert all(same)
    down = [name for name in trainable(first) if "lora_A" in name]
    assert not any(torch.equal(trainable(first)[name], trainable(other)[name]) for name in down)


def test_a_model_without_these_modules_names_its_own():
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=20))
    with pytest.raises(TrainingError, match=r"needs the linear modules q_proj.*found lm_head"):
        attach(model, Lora(), seed=0)


def test_half_of_the_attention_is_not_enough(dense):
    """As with DeepSeek's attention, where only o_proj has the usual name."""
    for layer in dense.model.layers:
        layer.self_attn.q_a_proj = layer.self_attn.q_proj
        del layer.self_attn.q_proj
    with pytest.raises(TrainingError, match=r"found .*q_a_proj"):
        attach(dense, Lora(modules="attention"), seed=0)


def test_targets_that_peft_rewrites_to_another_rank_are_refused(tokenizer):
    """A mixture of experts with one dense layer: peft would double the rank on the experts, without a word."""
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    config = Qwen3MoeConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=16,
        moe_intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_experts=2,
        num_experts_per_tok=1,
        mlp_only_layers=[0],
    )
    with pytest.raises(TrainingError, match="expected rank 4"):
        attach(Qwen3MoeForCausalLM(config), Lora(rank=4), seed=0)


def one_step(model, tokenizer):
    """Train a little, so that the adapter differs from zero."""
    rows = encode_chats(tokenizer, [row.messages for row in ROWS[:4]], 1_000)
    parameters = list(trainable(model).values())
    train(model, [flat_batch(rows)] * 3, [torch.optim.AdamW(parameters, lr=1e-2)], max_grad_norm=1.0)
    return flat_batch(rows).inputs


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_saved_adapter_loads_in_stock_peft_with_equal_logits(kind, tokenizer, tmp_path, request):
    import copy

    from peft import PeftModel

    base = request.getfixturevalue(kind)
    untouched = copy.deepcopy(base)
    model = attach(base, Lora(rank=4), seed=0)
    inputs = one_step(model, tokenizer)
    save_adapter(model, tmp_path, "the-base")
    loaded = PeftModel.from_pretrained(untouched, tmp_path)
    expected, found = (m(**inputs, use_cache=False).logits for m in (model, loaded))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    with loaded.disable_adapter():
        assert (loaded(**inputs, use_cache=False).logits - expected).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_router_head_and_embedding_do_not_move(kind, tokenizer, request):
    base = request.getfixturevalue(kind)
    before = {name: p.detach().clone() for name, p in base.named_parameters()}
    model = attach(base, Lora(rank=4), seed=0)
    one_step(model, tokenizer)
    after = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): p
        for name, p in model.named_parameters()
        if "lora_" not in name
    }
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_saved_adapter_holds_only_itself(dense, tmp_path):
    assert dense.config.tie_word_embeddings, "untied embeddings: the test would show nothing"
    model = attach(dense, Lora(rank=2, modules="attention"), seed=0)
    save_adapter(model, tmp_path, "the-base")
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert len(tensors) == 2 * 2 * 4
    assert all("lora_" in name for name in tensors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "the-base"
    assert config["target_modules"] == sorted(ATTENTION)
    assert config["lora_dropout"] == 0.0


def test_a_base_tensor_is_never_saved(dense, tmp_path):
    """What peft does when an adapter lies on a tied head: it writes the whole embedding beside it."""
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(dense, LoraConfig(target_modules=["q_proj"], modules_to_save=["lm_head"]))
    with pytest.raises(TrainingError, match=r"tensors of the base, e\.g\. .*lm_head"):
        save_adapter(model, tmp_path, "the-base")
    assert not list(tmp_path.iterdir())
