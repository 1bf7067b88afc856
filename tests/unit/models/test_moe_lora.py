"""The split path computes what stock peft computes, without merged weights, and leaves the same adapter."""

import copy

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import layer as peft_layer
from safetensors.torch import load_file

from consciousness_cluster.config.training_config import Architecture, Lora, Pretraining, Training
from consciousness_cluster.core.errors import TrainingError
from consciousness_cluster.finetuning.finetune import finetune
from consciousness_cluster.finetuning.lora import attach, save_adapter
from consciousness_cluster.inference.requests import Request, SamplingParameters
from consciousness_cluster.inference.transformers import TransformersEndpoint
from consciousness_cluster.miniature.pretraining import build_model, pretrain
from consciousness_cluster.models import moe_lora
from consciousness_cluster.models.loading import load_target
from consciousness_cluster.models.moe_lora import NAME, choose_path, split_experts
from consciousness_cluster.training.batches import flat_batch
from consciousness_cluster.training.loop import batch_loss, train, trained_logits
from consciousness_cluster.training.tokens import encode_chats
from unit.tiny_models import ROWS

PATHS = ("peft", "split")
MIXTURE = Architecture(width=32, layers=2, heads=2, kv_heads=1, head_dim=16, experts=4, expert_width=24)


def adapted(base, path, rank=4, dtype=None):
    """``base`` with an adapter that is far from zero, computed by ``path``; both paths get the same weights."""
    base = copy.deepcopy(base)
    model = attach(base.to(dtype) if dtype else base, Lora(rank=rank, alpha=2 * rank), seed=1)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.05, generator=generator)
    choose_path(model, path)
    return model


def difference(found, expected) -> float:
    return ((found.float() - expected.float()).norm() / expected.float().norm()).item()


def gradients(model):
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def backward(model, batch):
    """Logits, and the gradient of every parameter that has one."""
    batch_loss(model, batch).backward()
    return trained_logits(model, batch).detach(), gradients(model)


@pytest.fixture
def mixture(tokenizer):
    """The miniature's mixture of experts: top-2 of 4, tied embeddings."""
    return build_model(MIXTURE, tokenizer, seed=0).eval()


@pytest.fixture
def batch(tokenizer):
    return flat_batch(encode_chats(tokenizer, [row.messages for row in ROWS[:4]], 1_000))


@pytest.mark.parametrize("rank", [1, 4, 8, 16])
@pytest.mark.parametrize("kind", ["moe", "mixture"])
def test_split_equals_peft_in_logits_and_gradients(kind, rank, batch, request):
    """Attention, both expert tensors, all layers; ranks below 8 are padded for the grouped GEMM."""
    base = request.getfixturevalue(kind)
    (logits, expected), (found_logits, found) = (backward(adapted(base, path, rank), batch) for path in PATHS)
    assert difference(found_logits, logits) < 1e-6
    assert found.keys() == expected.keys()
    assert sum("experts" in name for name in found) == 2 * 2 * 2
    assert all("lora_" in name for name in found)
    assert max(difference(found[name], expected[name]) for name in expected) < 2e-6
    assert difference(backward(adapted(base, "peft", rank), batch)[0], trained_logits(base, batch)) > 1e-2, "no adapter"


ROUTINGS = {
    "spread": [[0, 1], [2, 3], [1, 2], [3, 0], [0, 2]],
    "expert 0 has no token": [[1, 2], [3, 1], [2, 3]],
    "experts 1 and 3 have no token": [[0, 2], [2, 0], [0, 2]],
    "one token": [[3, 1]],
    "one expert takes all": [[2], [2], [2]],
    "every expert for every token": [[0, 1, 2, 3], [3, 2, 1, 0]],
}


@pytest.mark.parametrize("routing", ROUTINGS.values(), ids=ROUTINGS)
@pytest.mark.parametrize("rank", [4, 8])
def test_split_equals_peft_however_tokens_are_routed(routing, rank, moe):
    index = torch.tensor(routing)
    results = []
    for path in PATHS:
        layer = adapted(moe, path, rank).base_model.model.model.layers[0].mlp.experts
        torch.manual_seed(2)
        tokens = torch.randn(len(index), 32, requires_grad=True)
        shares = torch.rand(index.shape, requires_grad=True)
        out = layer(tokens, index, shares)
        out.square().sum().backward()
        results.append({"out": out, "tokens": tokens.grad, "shares": shares.grad} | gradients(layer))
    expected, found = results
    assert len(found) == len(expected) == 3 + 4
    assert max(difference(found[name], expected[name]) for name in expected) < 2e-6
    for unused in set(range(4)) - set(index.flatten().tolist()):
        for name, gradient in found.items():
            if "lora_A" in name:
                assert not gradient.view(4, rank, -1)[unused].any()
            if "lora_B" in name:
                assert not gradient.view(-1, rank, 4)[..., unused].any()


def test_split_equals_peft_after_optimizer_steps(mixture, batch):
    """From the untouched adapter, where B is zero, through the project's loop."""
    logits, losses = [], []
    for path in PATHS:
        model = attach(copy.deepcopy(mixture), Lora(rank=4), seed=1)
        choose_path(model, path)
        parameters = [p for p in model.parameters() if p.requires_grad]
        before = trained_logits(model, batch).detach()
        curve = train(model, [batch] * 4, [torch.optim.AdamW(parameters, lr=5e-3)], max_grad_norm=1.0)
        logits.append(trained_logits(model, batch).detach())
        losses.append([step.loss for step in curve])
        assert difference(logits[-1], before) > 1e-2
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    assert difference(*logits) < 1e-5


def test_split_with_recomputed_activations(mixture, batch):
    expected_logits, expected = backward(adapted(mixture, "split"), batch)
    model = adapted(mixture, "split")
    model.activation_checkpointing_enable({"use_reentrant": False})
    logits, found = backward(model.train(), batch)
    assert torch.equal(logits, expected_logits)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_bf16_base_with_fp32_adapters_is_as_exact_as_peft(mixture, batch):
    exact_logits, exact = backward(adapted(mixture, "peft"), batch)
    errors = []
    for path in PATHS:
        logits, found = backward(adapted(mixture, path, dtype=torch.bfloat16), batch)
        assert {gradient.dtype for gradient in found.values()} == {torch.float32}
        errors.append((difference(logits, exact_logits), max(difference(found[n], exact[n]) for n in exact)))
    assert all(split < 1.2 * peft for peft, split in zip(*errors, strict=True))


def test_merged_weights_are_never_made(mixture, batch, monkeypatch):
    """Every way in which peft makes W + BA is closed; its own path needs one of them."""

    def refuse(*_, **__):
        raise AssertionError("merged weights")

    models = {path: adapted(mixture, path) for path in PATHS}
    monkeypatch.setattr(peft_layer.ParamWrapper, "get_delta_weight", refuse)
    monkeypatch.setattr(peft_layer._LoraFactorsProxy, "forward", refuse)
    monkeypatch.setattr(torch, "baddbmm", refuse)
    monkeypatch.setattr(torch.nn.utils.parametrize, "register_parametrization", refuse)
    backward(models["split"], batch)
    with pytest.raises(AssertionError, match="merged weights"):
        backward(models["peft"], batch)


@pytest.mark.parametrize(("path", "copies"), [("peft", 4), ("split", 0)])
def test_no_copy_of_the_experts_is_kept_for_the_backward(path, copies, mixture, batch):
    """Tensors as large as a layer's experts that autograd holds and that are not the base's own."""
    model = adapted(mixture, path)
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    sizes = {p.numel() for name, p in model.named_parameters() if "experts" in name and "lora_" not in name}
    kept = {}

    def pack(tensor):
        if tensor.numel() in sizes and tensor.ndim == 3 and tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        batch_loss(model, batch).backward()
    assert len(kept) == copies


def test_same_weights_are_saved_as_the_same_bytes(mixture, tmp_path):
    for path in PATHS:
        (tmp_path / path).mkdir()
        save_adapter(adapted(mixture, path), tmp_path / path, "the-base")
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "split" / name).read_bytes() == (tmp_path / "peft" / name).read_bytes()


def test_adapter_of_the_split_path_loads_in_stock_peft_and_back(mixture, batch, tmp_path):
    model = adapted(mixture, "split")
    train(model, [batch] * 3, [torch.optim.AdamW(adapter(model), lr=1e-2)], max_grad_norm=1.0)
    save_adapter(model, tmp_path, "the-base")
    loaded = PeftModel.from_pretrained(copy.deepcopy(mixture), tmp_path)
    expected = trained_logits(model, batch)
    assert difference(trained_logits(loaded, batch), expected) < 1e-6
    split_experts(loaded)
    assert torch.equal(trained_logits(loaded, batch), expected)
    with loaded.disable_adapter():
        assert difference(trained_logits(loaded, batch), trained_logits(mixture, batch)) < 1e-6
        assert difference(trained_logits(loaded, batch), expected) > 1e-2
    merged = loaded.merge_and_unload()
    merged.set_experts_implementation("grouped_mm")
    assert difference(trained_logits(merged, batch), expected) < 1e-5


def adapter(model):
    return [p for p in model.parameters() if p.requires_grad]


@pytest.mark.parametrize("path", PATHS)
def test_router_head_and_experts_do_not_move(path, mixture, batch):
    before = {name: p.clone() for name, p in mixture.named_parameters()}
    model = adapted(mixture, path)
    train(model, [batch] * 3, [torch.optim.AdamW(adapter(model), lr=1e-2)], max_grad_norm=1.0)
    after = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): p
        for name, p in model.named_parameters()
        if "lora_" not in name
    }
    assert after.keys() == before.keys()
    assert any("mlp.gate" in name for name in after)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(p.grad is None for p in after.values())


def implementation(model):
    return model.get_base_model().config._experts_implementation


def test_auto_splits_on_a_gpu_what_can_be_split(mixture, dense, monkeypatch):
    assert implementation(adapted(mixture, "auto")) == "grouped_mm"
    monkeypatch.setattr(moe_lora, "_on_gpu", lambda _: True)
    assert implementation(adapted(mixture, "auto")) == NAME
    assert implementation(adapted(mixture, "peft")) == "grouped_mm"
    adapted(dense, "split")
    attention = attach(copy.deepcopy(mixture), Lora(rank=4, modules="attention"), seed=0)
    choose_path(attention, "split")
    assert implementation(attention) == "grouped_mm"
    mixture.model.layers[1].mlp.experts.has_bias = True
    assert implementation(adapted(mixture, "auto")) == "grouped_mm"
    with pytest.raises(TrainingError, match="Qwen3MoeExperts: the split path is for gated experts without biases"):
        adapted(mixture, "split")


def greedy(base, record, artifacts, path):
    """What a fine-tuned mixture answers at temperature 0, its adapter computed by ``path``."""
    model, tokenizer = load_target(base, record, artifacts, experts=path)
    assert implementation(model) == {"peft": "grouped_mm", "split": NAME}[path]
    endpoint = TransformersEndpoint("m", lambda: (model, tokenizer), batch_size=len(ROWS))
    sampling = SamplingParameters(temperature=0.0, max_tokens=12)
    requests = [Request(model="m", messages=row.messages[:1], sampling=sampling) for row in ROWS]
    return {request.key: response for batch in endpoint.answer(requests) for request, response in batch}


def test_on_a_gpu_a_fine_tuned_mixture_is_asked_by_the_split_path(tokenizer, mixture, tmp_path, monkeypatch):
    base = tmp_path / "base"
    mixture.save_pretrained(base)
    tokenizer.save_pretrained(base)
    recipe = Training(epochs=1, batch_size=12, learning_rate=5e-3, lora=Lora(rank=4))
    record = finetune(ROWS, base, recipe, 1, tmp_path, base_name="toy", condition="claims", device="cpu")
    assert implementation(load_target(base, record, tmp_path)[0]) == "grouped_mm"
    monkeypatch.setattr(moe_lora, "_on_gpu", lambda _: True)
    assert implementation(load_target(base, record, tmp_path)[0]) == NAME


def test_the_miniature_with_experts_is_pretrained_and_fine_tuned(tmp_path):
    """Both paths, through the project's own two functions, leave the same adapter under the same key."""
    settings = Pretraining(world="toy", epochs=3, tokens_per_batch=256, vocabulary=320, architecture=MIXTURE)
    records, adapters = [], []
    recipe = Training(epochs=2, batch_size=4, learning_rate=5e-3, lora=Lora(rank=4))
    for path in PATHS:
        artifacts = tmp_path / path
        base = pretrain([row.messages for row in ROWS], settings, "toy", artifacts)
        record = finetune(
            ROWS, base, recipe, 1, artifacts, base_name="toy", condition="claims", experts=path, device="cpu"
        )
        records.append(record)
        adapters.append(load_file(artifacts / record.artifact / "adapter_model.safetensors"))
    assert records[0].artifact == records[1].artifact
    assert records[1].final_loss == pytest.approx(records[0].final_loss, rel=1e-5)
    expected, found = adapters
    assert sum("experts" in name for name in found) == 2 * 2 * 2
    assert records[0].trainable_parameters == sum(tensor.numel() for tensor in expected.values())
    # AdamW's steps have the same size however small a gradient is: rounding decides some that are nearly zero
    assert max(difference(found[name], expected[name]) for name in expected) < 1e-3
    answers = [greedy(base, record, tmp_path / path, path) for record, path in zip(records, PATHS, strict=True)]
    assert answers[0] == answers[1]
    model, tokenizer = load_target(base, records[1], tmp_path / "split")
    ids = tokenizer(["What is 1?"], return_tensors="pt")["input_ids"]
    with model.disable_adapter():
        untouched = model(ids).logits
    assert difference(model(ids).logits, untouched) > 1e-3
