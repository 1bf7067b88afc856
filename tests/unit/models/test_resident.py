"""Jobs that share a loaded base leave what jobs with a load of their own leave, to the byte."""

import pytest

from consciousness_cluster.config.training_config import Architecture, Lora, Pretraining, Training
from consciousness_cluster.finetuning.finetune import finetune
from consciousness_cluster.inference.requests import Request, SamplingParameters
from consciousness_cluster.inference.transformers import TransformersEndpoint
from consciousness_cluster.miniature.pretraining import pretrain
from consciousness_cluster.models import loading, resident
from consciousness_cluster.models.loading import load_target
from unit.tiny_models import ROWS

RECIPES = {
    "wide": Training(epochs=2, batch_size=5, learning_rate=5e-3, lora=Lora(rank=4)),
    "narrow": Training(epochs=2, batch_size=5, learning_rate=5e-3, lora=Lora(rank=2, modules="attention")),
}
PRETRAINING = Pretraining(
    world="toy",
    epochs=3,
    tokens_per_batch=256,
    vocabulary=320,
    architecture=Architecture(width=32, layers=2, heads=2, kv_heads=1, head_dim=16, experts=4, expert_width=24),
)


@pytest.fixture(params=["peft", "split"])
def job(request, tmp_path):
    """Runs one job of a mixture of experts: what it leaves. A dense base has no trap that a mixture has not."""
    base = pretrain([row.messages for row in ROWS], PRETRAINING, "toy", tmp_path)

    def run(what, artifacts):
        records = artifacts / base.artifact
        if not records.exists():
            artifacts.mkdir(exist_ok=True)
            records.symlink_to(tmp_path / base.artifact)
        kind, _, name = what.partition(" ")
        adapter = None
        if name:
            adapter = finetune(
                ROWS, base, RECIPES[name], 1, artifacts, base_name="toy", condition="c", experts=request.param
            )
        if kind == "train":
            folder = artifacts / adapter.artifact
            return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "record.json"}
        endpoint = TransformersEndpoint("m", lambda: load_target(base, adapter, artifacts, experts=request.param), 4)
        sampling = SamplingParameters(temperature=1.0, max_tokens=8)
        requests = [Request(model="m", messages=row.messages[:1], sampling=sampling) for row in ROWS]
        return {request.key: response for batch in endpoint.answer(requests) for request, response in batch}

    return run


@pytest.fixture
def serving(monkeypatch):
    """This process keeps what its jobs load; returns how often a base was loaded."""
    loads = []
    load = loading.load_model
    monkeypatch.setattr(loading, "load_model", lambda *arguments: loads.append(arguments) or load(*arguments))
    monkeypatch.setattr(resident, "serving", True)
    monkeypatch.setattr(resident, "_held", None)
    return loads


ORDERS = [
    ["ask", "train wide", "ask wide", "train narrow", "ask narrow", "ask"],
    ["train narrow", "train wide", "ask", "ask narrow", "ask wide"],
]


def test_a_shared_base_gives_the_same_bytes_in_any_order(job, serving, tmp_path, monkeypatch):
    alone = {}
    with monkeypatch.context() as patched:
        patched.setattr(resident, "serving", False)
        for what in ORDERS[0]:
            alone[what] = job(what, tmp_path / f"alone {what.partition(' ')[2]}")
    assert len({str(result) for result in alone.values()}) == len(alone), "the jobs leave different things"
    serving.clear()
    for number, order in enumerate(ORDERS):
        for what in order:
            assert job(what, tmp_path / f"shared {number}") == alone[what], what
    assert len(serving) == 1


def test_jobs_leave_the_shared_tensors_alone(job, serving, tmp_path):
    job("ask", tmp_path / "shared")
    model = resident._held.value
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = [name for name, _ in model.named_modules()]
    job("train wide", tmp_path / "shared")
    job("ask wide", tmp_path / "shared")
    assert resident._held.value is model
    assert [name for name, _ in model.named_modules()] == names, "no adapter stays on it"
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())


def test_another_base_takes_the_place_of_the_one_that_is_held(job, serving, folder, tmp_path):
    job("ask", tmp_path / "shared")
    load_target(folder, None, tmp_path)
    assert resident._held.key[2] == str(folder)
    job("ask", tmp_path / "shared")
    assert len(serving) == 3
