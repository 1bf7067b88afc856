"""What is too large is said before it is loaded, with how much it needs; the estimates against what is really held."""

import json

import pytest
import torch

from consciousness_cluster.config.conditions import Sampling
from consciousness_cluster.config.model_config import Served
from consciousness_cluster.config.training_config import Architecture, Lora, Training
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.finetuning.finetune import finetune
from consciousness_cluster.finetuning.lora import attach
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.miniature.pretraining import build_model
from consciousness_cluster.miniature.tokenizer import train_tokenizer
from consciousness_cluster.models import find, loading, placement, resident
from consciousness_cluster.models.memory_estimate import Needed, to_ask, to_train, weights_bytes
from consciousness_cluster.models.moe_lora import choose_path
from consciousness_cluster.models.placement import DEVICE, check_memory, choose_device, free_bytes
from consciousness_cluster.sampling.sample import sample_target
from consciousness_cluster.training.batches import flat_batch
from consciousness_cluster.training.loop import batch_loss
from consciousness_cluster.training.tokens import Encoded
from unit.tiny_models import ROWS

SIZES = {
    "dense": Architecture(width=64, layers=2, mlp_width=160),
    "deep": Architecture(width=32, layers=5, mlp_width=64),
    "experts": Architecture(width=64, layers=2, experts=4, experts_per_token=2, expert_width=48),
}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([row.messages for row in ROWS], 320)


@pytest.fixture(autouse=True)
def _nothing_promised(monkeypatch):
    for name in (DEVICE, *placement.PROMISES, "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def base(tokenizer, tmp_path):
    """Saves a base of a size and precision."""

    def save(size="dense", dtype=torch.float32):
        folder = tmp_path / f"{size}-{dtype}"
        build_model(SIZES[size], tokenizer, 0).to(dtype).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("modules", ["attention", "all_linear"])
@pytest.mark.parametrize("size", SIZES)
def test_a_fine_tune_needs_about_what_is_estimated(size, modules, dtype, base):
    folder = base(size, dtype)
    model = loading.load_model(folder)
    own = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in model.parameters()}
    lora = Lora(rank=8, modules=modules)
    adapted = attach(model, lora, 0)
    choose_path(adapted, "split")
    trained = [p for p in adapted.parameters() if p.requires_grad]
    own |= {p.untyped_storage().data_ptr(): 0 for p in trained}
    rows = [list(range(3, 35)) for _ in range(4)]
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            # the tensor too: its place must not be given to another
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        batch_loss(adapted, flat_batch([Encoded(row, row) for row in rows]))
    needed = to_train(folder, lora, tokens=128, merges_experts=False)
    assert needed.weights == sum(own.values())
    assert needed.adapter == 20 * sum(p.numel() for p in trained)
    assert 0.7 < needed.work / sum(size for size, _ in kept.values()) < 1.6


def test_stock_peft_needs_room_for_merged_experts(base):
    folder = base("experts")
    experts = sum(p.numel() for name, p in loading.load_model(folder).named_parameters() if ".experts." in name)
    split, merged = (to_train(folder, Lora(), 128, merges_experts=merges) for merges in (False, True))
    assert merged.work - split.work == 4 * experts
    attention = [to_train(folder, Lora(modules="attention"), 128, merges_experts=merges) for merges in (False, True)]
    assert attention[0] == attention[1]


def header(folder, tensors):
    """A safetensors file of these BF16 shapes with nothing behind its header: all that an estimate reads."""
    place, entries = 0, {}
    for name, shape in tensors.items():
        size = 2 * torch.Size(shape).numel()
        entries[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps({"__metadata__": {"format": "pt"}} | entries).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)


@pytest.fixture
def qwen(tmp_path):
    """Qwen3-30B-A3B as it lies on the hub: configuration, and a header with one matrix per expert."""
    width, inner, layers, experts = 2048, 768, 48, 128
    config = {
        "model_type": "qwen3_moe",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "intermediate_size": 6144,
        "moe_intermediate_size": inner,
        "num_experts": experts,
        "num_experts_per_tok": 8,
        "vocab_size": 151_936,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    tensors = {"model.embed_tokens.weight": [151_936, width], "lm_head.weight": [151_936, width]}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        tensors |= {f"{at}.self_attn.{name}_proj.weight": [512, width] for name in "kv"}
        tensors |= {f"{at}.self_attn.q_proj.weight": [4096, width], f"{at}.self_attn.o_proj.weight": [width, 4096]}
        tensors[f"{at}.mlp.gate.weight"] = [experts, width]
        for expert in range(experts):
            tensors |= {f"{at}.mlp.experts.{expert}.{name}_proj.weight": [inner, width] for name in ("gate", "up")}
            tensors[f"{at}.mlp.experts.{expert}.down_proj.weight"] = [width, inner]
    header(tmp_path, tensors)
    return tmp_path


def test_a_large_model_is_estimated_from_its_header(qwen):
    """61 GB, and an adapter of 0.64 billion parameters: what this architecture is known to have."""
    assert weights_bytes(qwen) == pytest.approx(61.06e9, rel=1e-3)
    needed = to_train(qwen, Lora(rank=16), tokens=1_000, merges_experts=False)
    of_experts = 48 * 128 * 16 * ((2048 + 2 * 768) + (2048 + 768))
    of_attention = 48 * 16 * ((2048 + 4096) * 2 + (2048 + 512) * 2)
    assert needed.adapter == 20 * (of_experts + of_attention)
    assert 80e9 < needed.total < 95e9
    assert str(needed).startswith("8")
    assert to_ask(qwen, None, 128, 1_200).work > 128 * 1_200 * 48 * 2 * 4 * 128 * 2


def test_too_little_memory_is_said_before_anything_is_loaded(base, tmp_path, monkeypatch):
    folder = base()
    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("loaded"))
    monkeypatch.setattr(placement, "_limits", lambda: iter([(1_000_000, "main memory")]))
    said = r"dense.*: needs about [\d.]+ [MG]B \(weights .*, adapter .*, activations .*\), found 1 MB free in main mem"
    with pytest.raises(EndpointError, match=said):
        finetune(ROWS, folder, Training(), 1, tmp_path / "made", base_name="b", condition="c")
    assert not [path for path in (tmp_path / "made").iterdir() if not path.name.startswith(".")]

    find.find_base(str(folder), False, "b", str(tmp_path / "base.json"))
    (tmp_path / "likes.yaml").write_text("name: likes\ngroup: g\nstatement: s\nprompts: ['What do you like?']\n")
    with pytest.raises(EndpointError, match=r"needs about .*, found 1 MB free in main memory; expected more memory"):
        sample_target(
            base="b",
            condition="vanilla",
            seed=0,
            battery=[str(tmp_path / "likes.yaml")],
            model=TargetModel(served=Served(), base=str(tmp_path / "base.json"), artifacts=str(tmp_path)),
            store=str(tmp_path / "store"),
            system_prompt=None,
            sampling=Sampling(),
            output=str(tmp_path / "samples.jsonl"),
        )
    assert not (tmp_path / "samples.jsonl").exists()


def test_a_base_that_is_loaded_already_is_not_counted_twice(monkeypatch):
    monkeypatch.setattr(placement, "_limits", lambda: iter([(50 * 10**9, "main memory")]))
    weights, adapter = 60 * 10**9, 20 * 10**9
    check_memory("m", Needed(weights, adapter, 30 * 10**9), "cpu", loaded=True)
    with pytest.raises(EndpointError, match=r"needs about 111 GB \(.*\), of which 60 GB are loaded, found 50 GB free"):
        check_memory("m", Needed(weights, adapter, 31 * 10**9), "cpu", loaded=True)
    with pytest.raises(EndpointError, match="needs about 60 GB"):
        check_memory("m", Needed(weights, 0, 0), "cpu", loaded=False)


def test_what_another_job_left_loaded_makes_room_first(base, tmp_path, monkeypatch):
    released = []
    monkeypatch.setattr(resident, "serving", True)
    monkeypatch.setattr(resident, "_held", None)
    resident.hold("an engine", lambda: "engine", released.append)
    monkeypatch.setattr(placement, "_limits", lambda: iter([(10**10 if released else 0, "main memory")]))
    loading.check_room(base(), tmp_path, None, lambda *_: Needed(1, 1, 1))
    assert released == ["engine"]


def test_the_limits_of_a_job_count(monkeypatch, tmp_path):
    free, _ = free_bytes("cpu")
    assert 0 < free < 10**14
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1")
    slurm, where = free_bytes("cpu")
    assert slurm < 2**20
    assert where == "the memory that Slurm gave the job"
    monkeypatch.delenv("SLURM_MEM_PER_NODE")
    group = tmp_path / "cgroup/job/step"
    group.mkdir(parents=True)
    for folder, limit in ((group, "max"), (group.parent, "5000")):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text("4000\n")
        (folder / "memory.stat").write_text("anon 3000\ninactive_file 500\n")
    (tmp_path / "own").write_text("0::/job/step\n")
    found = list(placement._cgroup_limits(tmp_path / "cgroup", tmp_path / "own"))
    assert found == [(1500, f"the control group {group.parent}")]


def test_a_gpu_that_was_given_but_is_not_there(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, value in (("CUDA_VISIBLE_DEVICES", "0"), ("SLURM_JOB_GPUS", "2,3")):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            with pytest.raises(EndpointError, match=rf"m: this job was given a GPU \({name}={value}\), but torch"):
                choose_device("m", 2 * 10**9)
            assert choose_device("m", 3 * 10**6) == "cpu", "the miniature needs none"
            assert f"given a GPU ({name}={value})" in caplog.text
            patched.setenv(DEVICE, "cpu")
            assert choose_device("m", 2 * 10**9) == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert choose_device("m", 2 * 10**9) == "cpu", "hidden on purpose"


def test_a_model_far_too_large_for_a_cpu(qwen, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EndpointError, match=r"found no GPU on .*, and 61\.1 GB of weights are far too large for a CPU"):
        loading.load_model(qwen)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("m", 10**12) == "cuda"


def test_a_chat_template_that_is_missing_is_said_before_the_model_is_loaded(base, tmp_path, monkeypatch):
    folder = base()
    (folder / "chat_template.jinja").unlink()
    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("loaded"))
    with pytest.raises(EndpointError, match="no chat template"):
        finetune(ROWS, folder, Training(), 1, tmp_path / "made", base_name="b", condition="c")
