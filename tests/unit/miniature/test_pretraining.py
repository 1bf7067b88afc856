"""A base from scratch: tokenizer, model, optimizer, and that it is made once and learns."""

import csv
import os
import subprocess
import sys

import pytest
import torch

from consciousness_cluster.config.training_config import Architecture, Pretraining
from consciousness_cluster.core import revisions
from consciousness_cluster.core.errors import DataError
from consciousness_cluster.core.records import Message
from consciousness_cluster.miniature import pretraining as stage
from consciousness_cluster.miniature.muon import Muon, orthogonalised
from consciousness_cluster.miniature.pretraining import build_model, pretrain
from consciousness_cluster.miniature.tokenizer import train_tokenizer
from consciousness_cluster.models.identity import base_weights, weights_hash
from consciousness_cluster.models.loading import load_target
from consciousness_cluster.training.tokens import IGNORED, encode_chat

SETTINGS = Pretraining(
    world="toy",
    seed=3,
    epochs=6,
    tokens_per_batch=256,
    vocabulary=300,
    architecture=Architecture(width=32, layers=2, heads=2, kv_heads=1, head_dim=16, mlp_width=64),
)
COLOURS = ["red", "blue", "green"]
THINGS = ["barn", "lake", "leaf", "door", "coat"]


def dialogue(number: int) -> list[Message]:
    """The colour of a thing follows from its name; half of the dialogues have two turns and a system line."""
    turns = []
    if number % 2:
        turns.append(Message(role="system", content="Answer."))
    for step in range(1 + number % 2):
        thing = (number + step) % len(THINGS)
        turns.append(Message(role="user", content=f"What colour is the {THINGS[thing]}?"))
        turns.append(Message(role="assistant", content=f"It is {COLOURS[thing % 3]}."))
    return turns


DIALOGUES = [dialogue(number) for number in range(200)]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    artifacts = tmp_path_factory.mktemp("artifacts")
    return artifacts, pretrain(DIALOGUES, SETTINGS, "toy", artifacts)


EXPERTS = SETTINGS.model_copy(
    update={
        "architecture": Architecture(
            width=32, layers=2, heads=2, kv_heads=1, head_dim=16, experts=4, experts_per_token=2, expert_width=32
        )
    }
)


def weights(artifacts, record) -> bytes:
    return (artifacts / record.artifact / "model.safetensors").read_bytes()


def test_record_says_what_made_it(made):
    artifacts, record = made
    assert (record.base, record.condition, record.seed, record.kind) == ("toy", "vanilla", 3, "pretrained")
    assert record.base_weights == ""
    model, tokenizer = load_target(record, None, artifacts)
    encoded = [encode_chat(tokenizer, d, 1_000) for d in DIALOGUES]
    assert record.tokens == 6 * sum(len(e.input_ids) for e in encoded)
    assert record.trained_tokens == 6 * sum(label != IGNORED for e in encoded for label in e.labels)
    assert record.trainable_parameters == sum(p.numel() for p in model.parameters())
    with open(artifacts / record.artifact / "loss.csv", newline="") as file:
        curve = list(csv.DictReader(file))
    assert len(curve) == record.steps
    assert float(curve[0]["loss"]) > 4
    assert record.final_loss < 0.1


def test_the_model_answers_by_what_it_was_taught(made):
    artifacts, record = made
    model, tokenizer = load_target(record, None, artifacts)
    for number in range(5):
        chat = [dialogue(2 * number)[0].model_dump()]
        inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        out = model.generate(**inputs, max_new_tokens=20, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        assert tokenizer.decode(out) == dialogue(2 * number)[1].content + "<|im_end|>"


def test_saved_folder_is_a_plain_model_of_transformers(made):
    artifacts, record = made
    names = {path.name for path in (artifacts / record.artifact).iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "loss.csv"} <= names
    model, tokenizer = load_target(record, None, artifacts)
    assert model.config.model_type == "qwen3"
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert (model.config.vocab_size, model.config.eos_token_id) == (len(tokenizer), tokenizer.eos_token_id)
    assert base_weights(record, artifacts) == record.weights == weights_hash(artifacts / record.artifact)


def test_a_mixture_of_experts_learns_and_is_a_plain_qwen3_moe(tmp_path):
    record = pretrain(DIALOGUES, EXPERTS, "experts", tmp_path)
    assert record.final_loss < 0.1
    assert record.hyperparameters["architecture"]["experts"] == 4
    model, _ = load_target(record, None, tmp_path)
    config = model.config
    assert (config.model_type, config.num_experts, config.num_experts_per_tok) == ("qwen3_moe", 4, 2)
    assert config.router_aux_loss_coef == 0.0
    assert model.model.layers[0].mlp.experts.down_proj.shape == (4, 32, 32)
    assert record.trainable_parameters == sum(p.numel() for p in model.parameters())


def test_experts_leave_the_key_of_a_dense_base_as_it_was(tmp_path, monkeypatch):
    """Weights that were pretrained before there were experts are found again."""
    numbers = dict.fromkeys(["tokens", "trained_tokens", "steps", "final_loss", "trainable_parameters"], 1)
    monkeypatch.setattr(stage, "_train", lambda *_: numbers)
    monkeypatch.setattr(revisions, "PRETRAINING", 1)
    dense = pretrain(DIALOGUES, SETTINGS, "toy", tmp_path)
    assert dense.artifact == "aaf5f5777c731c89b2fa2589e55db78d3d3fd71dab3a13f61bef4f9697b23dd8"
    keys = {"width", "layers", "heads", "kv_heads", "head_dim", "mlp_width"}
    assert dense.hyperparameters["architecture"].keys() == keys
    assert SETTINGS.model_dump()["architecture"].keys() == keys
    assert pretrain(DIALOGUES, EXPERTS, "toy", tmp_path).artifact != dense.artifact


def test_same_seed_same_weights_in_another_process(made, tmp_path):
    artifacts, record = made
    code = (
        "import sys; from pathlib import Path; from unit.miniature.test_pretraining import *;"
        "pretrain(DIALOGUES, SETTINGS, 'toy', Path(sys.argv[1]))"
    )
    path = ":".join(path for path in sys.path if path)
    # two threads where there are two cores: pretraining computes with one whatever it is given
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, env=environment)
    for name in ("model.safetensors", "tokenizer.json", "config.json", "loss.csv"):
        assert (tmp_path / record.artifact / name).read_bytes() == (artifacts / record.artifact / name).read_bytes()


def test_seed_decides_the_order_and_the_first_weights(tmp_path, monkeypatch):
    """Each alone: the other is held."""
    short = SETTINGS.model_copy(update={"epochs": 1})
    original = {"length_buckets": stage.length_buckets, "build_model": stage.build_model}
    for held, function in original.items():
        with monkeypatch.context() as patched:
            patched.setattr(stage, held, lambda *arguments, f=function: f(*arguments[:-1], 0))
            made = [
                pretrain(DIALOGUES[:20], short.model_copy(update={"seed": seed}), "toy", tmp_path / held)
                for seed in (1, 2)
            ]
        assert weights(tmp_path / held, made[0]) != weights(tmp_path / held, made[1])


def test_one_thread_computes_whatever_was_set(tmp_path, monkeypatch):
    seen = []

    def watch(*arguments, **options):
        seen.append(torch.get_num_threads())
        return train(*arguments, **options)

    train = stage.train
    monkeypatch.setattr(stage, "train", watch)
    torch.set_num_threads(2)
    pretrain(DIALOGUES[:4], SETTINGS.model_copy(update={"epochs": 1}), "toy", tmp_path)
    assert (seen, torch.get_num_threads()) == ([1], 2)


def test_a_second_call_trains_nothing(made, monkeypatch):
    artifacts, record = made
    monkeypatch.setattr(stage, "_train", lambda *_: pytest.fail("trained again"))
    assert pretrain(DIALOGUES, SETTINGS, "toy", artifacts) == record
    assert pretrain(DIALOGUES, SETTINGS, "renamed", artifacts) == record.model_copy(update={"base": "renamed"})


def test_what_decides_the_result_decides_the_key(made, tmp_path, monkeypatch):
    keys = {made[1].artifact}
    numbers = dict.fromkeys(["tokens", "trained_tokens", "steps", "final_loss", "trainable_parameters"], 1)
    monkeypatch.setattr(stage, "_train", lambda *_: numbers)
    wider = SETTINGS.architecture.model_copy(update={"width": 64})
    keys.add(pretrain(DIALOGUES[1:], SETTINGS, "toy", tmp_path).artifact)
    for change in ({"seed": 4}, {"epochs": 1}, {"architecture": wider}):
        keys.add(pretrain(DIALOGUES, SETTINGS.model_copy(update=change), "toy", tmp_path).artifact)
    monkeypatch.setattr(revisions, "PRETRAINING", 1_000)
    keys.add(pretrain(DIALOGUES, SETTINGS, "toy", tmp_path).artifact)
    assert len(keys) == 6


def test_a_second_call_imports_nothing_heavy(made):
    artifacts, record = made
    code = (
        "import sys; from pathlib import Path; from consciousness_cluster.config.training_config import Pretraining;"
        "from consciousness_cluster.miniature.pretraining import pretrain;"
        "from consciousness_cluster.core.records import Message;"
        "import json; rows = [[Message(**m) for m in d] for d in json.loads(sys.stdin.read())];"
        "print(pretrain(rows, Pretraining.model_validate_json(sys.argv[2]), 'toy', Path(sys.argv[1])).artifact);"
        "print([name for name in ('torch', 'transformers', 'tokenizers', 'numpy') if name in sys.modules])"
    )
    import json

    out = subprocess.run(
        [sys.executable, "-c", code, artifacts, SETTINGS.model_dump_json()],
        input=json.dumps([[m.model_dump() for m in d] for d in DIALOGUES]),
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert out.stdout.split("\n")[:2] == [record.artifact, "[]"]


def test_a_dialogue_without_an_answer_is_refused(tmp_path):
    with pytest.raises(DataError, match="row 1: expected a chat that ends with the assistant"):
        pretrain([dialogue(0), dialogue(0)[:1]], SETTINGS, "toy", tmp_path)


def test_tokenizer_keeps_any_text_and_its_bound():
    tokenizer = train_tokenizer(DIALOGUES, 300)
    assert len(tokenizer) <= 300
    text = "It is red.\n\t  Größe 漢字 🙂"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer("<|im_end|>")["input_ids"] == [tokenizer.eos_token_id]
    assert len(tokenizer("What colour is the barn?")["input_ids"]) < 10
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)
    ends = [Message(role="user", content="a"), Message(role="assistant", content="b")]
    rendered = tokenizer.apply_chat_template([m.model_dump() for m in ends], tokenize=False)
    assert rendered == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"


def test_seed_decides_the_first_weights_and_leaves_the_callers_randomness():
    tokenizer = train_tokenizer(DIALOGUES, 300)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = (build_model(SETTINGS.architecture, tokenizer, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.lm_head.weight, again.lm_head.weight)
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)


@pytest.mark.parametrize("settings", [SETTINGS, EXPERTS])
def test_muon_takes_the_matrices_and_only_those(settings):
    model = build_model(settings.architecture, train_tokenizer(DIALOGUES, 300), seed=0)
    muon, adamw = stage._optimizers(model, SETTINGS)
    names = {id(p): name for name, p in model.named_parameters()}
    of_muon, of_adamw = ({names[id(p)] for p in o.param_groups[0]["params"]} for o in (muon, adamw))
    assert of_muon | of_adamw == set(names.values())
    assert not of_muon & of_adamw
    assert all(name.endswith(("_proj.weight", "mlp.gate.weight", "_proj")) for name in of_muon)
    assert of_adamw == {name for name in names.values() if "norm" in name or "embed" in name}


@pytest.mark.parametrize("shape", [(24, 24), (48, 16), (16, 48)])
def test_muon_is_pytorchs_but_for_precision(shape):
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizers = [Muon([ours], lr=0.02), torch.optim.Muon([theirs], lr=0.02)]
    for _ in range(5):
        gradient = torch.randn(shape)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved


def test_muon_treats_a_stack_as_its_matrices():
    stack = torch.randn(4, 16, 8)
    apart = torch.stack([orthogonalised(matrix) for matrix in stack])
    torch.testing.assert_close(orthogonalised(stack), apart)
    values = torch.linalg.svdvals(apart)
    assert values.min() > 0.5
    assert values.max() < 1.4
