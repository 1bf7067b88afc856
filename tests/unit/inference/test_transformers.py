"""An answer depends on its request alone, whatever else is asked with it, and follows the model's distribution."""

from pathlib import Path

import numpy as np
import pytest

from consciousness_cluster.config.model_config import Served
from consciousness_cluster.config.training_config import Architecture
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.records import Message, ModelRecord
from consciousness_cluster.inference.requests import Request, SamplingParameters
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.inference.transformers import TransformersEndpoint
from consciousness_cluster.miniature.corpus import build_corpus
from consciousness_cluster.miniature.pretraining import build_model
from consciousness_cluster.miniature.tokenizer import train_tokenizer
from consciousness_cluster.miniature.world import load_world

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model():
    """A tiny model with random weights, sharp enough that its answers differ, and a real tokenizer."""
    import torch

    corpus = build_corpus(load_world(ROOT / "worlds" / "miniature.yaml"), 200, 0)
    tokenizer = train_tokenizer(corpus, 600)
    network = build_model(Architecture(width=32, mlp_width=64, head_dim=8), tokenizer, 0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(6)
    questions = sorted({dialogue[0].content for dialogue in corpus if dialogue[0].role == "user"})[:40]
    return network, tokenizer, questions


def ask(text, sample=0, system=None, **sampling):
    parameters = SamplingParameters(**{"temperature": 1.0, "max_tokens": 12} | sampling)
    before = [Message(role="system", content=system)] if system else []
    messages = [*before, Message(role="user", content=text)]
    return Request(model="m", messages=messages, sampling=parameters, sample=sample)


def answers(model, requests, batch_size=8):
    endpoint = TransformersEndpoint("m", lambda: model[:2], batch_size)
    return {request.key: response for batch in endpoint.answer(requests) for request, response in batch}


def test_an_answer_does_not_depend_on_what_else_is_asked(model):
    requests = [ask(question, sample) for question in model[2] for sample in range(2)]
    together = answers(model, requests)
    assert len(together) == len(requests)
    assert answers(model, requests[::-1]) == together
    few = requests[5:17:3]
    assert answers(model, few) == {request.key: together[request.key] for request in few}
    assert answers(model, requests[7:8]) == {requests[7].key: together[requests[7].key]}


def test_samples_of_one_question_differ_and_come_again(model):
    requests = [ask(model[2][0], sample) for sample in range(6)]
    drawn = answers(model, requests)
    assert len({response.text for response in drawn.values()}) > 1
    assert answers(model, requests) == drawn


def test_at_temperature_zero_all_samples_are_the_most_likely_answer(model):
    requests = [ask(model[2][0], sample, temperature=0.0) for sample in range(3)]
    assert len({response.text for response in answers(model, requests).values()}) == 1


def test_a_system_prompt_reaches_the_model(model):
    plain, prompted = ask(model[2][0], temperature=0.0), ask(model[2][0], temperature=0.0, system="You are a toaster.")
    drawn = answers(model, [plain, prompted])
    assert drawn[prompted.key].prompt_tokens > drawn[plain.key].prompt_tokens


def test_an_answer_that_does_not_end_is_said_to_be_cut(model):
    drawn = answers(model, [ask(question, max_tokens=2) for question in model[2]])
    assert {response.finish_reason for response in drawn.values()} <= {"length", "stop"}
    assert all(response.completion_tokens == 2 for response in drawn.values() if response.finish_reason == "length")
    assert any(response.finish_reason == "length" for response in drawn.values())


def test_draws_follow_the_models_probabilities(model):
    """Frequencies of the first token against softmax of the logits; a top_k of 50 or a wrong temperature would show."""
    import torch

    from consciousness_cluster.inference.transformers import Draw
    from consciousness_cluster.models.chat_template import render

    network, tokenizer, questions = model
    ids = tokenizer(render(tokenizer, [Message(role="user", content=questions[0])], reply=True), return_tensors="pt")
    with torch.inference_mode():
        logits = network(ids["input_ids"]).logits[:, -1]
    draws = 20_000
    noise = torch.from_numpy(np.random.default_rng(0).random((draws, 1)))
    for sampling in (
        SamplingParameters(temperature=1.0, max_tokens=1),
        SamplingParameters(temperature=3.0, max_tokens=1),
    ):
        chosen = Draw(sampling, noise, 0)(torch.zeros(draws, 0), logits.expand(draws, -1)).argmax(-1)
        counts = torch.bincount(chosen, minlength=logits.shape[-1]).double()
        expected = draws * torch.softmax(logits[0].double() / sampling.temperature, -1)
        likely = expected >= 20
        assert likely.sum() >= 3
        chi_square = ((counts - expected)[likely] ** 2 / expected[likely]).sum()
        assert chi_square < likely.sum() + 5 * (2 * likely.sum()) ** 0.5


def test_top_p_leaves_the_smallest_set_that_reaches_it():
    import torch

    from consciousness_cluster.inference.transformers import Draw

    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).expand(1000, -1)
    noise = torch.linspace(0, 0.999, 1000, dtype=torch.float64)[:, None]
    chosen = Draw(SamplingParameters(temperature=1.0, top_p=0.75, max_tokens=1), noise, 0)(torch.zeros(1000, 0), logits)
    counts = torch.bincount(chosen.argmax(-1), minlength=4)
    assert counts[2] == counts[3] == 0
    assert abs(counts[0] / 1000 - 0.625) < 0.01


def record(path, **changes):
    fields = {
        "base": "b",
        "condition": "vanilla",
        "seed": 0,
        "kind": "pretrained",
        "artifact": "nowhere",
        "weights": "w",
        "data_hash": "",
        "hyperparameters": {},
        "tokens": 0,
        "trained_tokens": 0,
        "steps": 0,
        "final_loss": 0.0,
        "trainable_parameters": 0,
        "duration_s": 0.0,
        "versions": {},
    }
    path.write_text(ModelRecord(**fields | changes).model_dump_json() + "\n")
    return str(path)


def test_a_local_model_is_named_by_its_weights_alone(tmp_path):
    base = record(tmp_path / "base.json")
    moved = record(tmp_path / "moved.json", artifact="elsewhere", base="other")
    adapter = record(tmp_path / "adapter.json", kind="adapter", weights="a", base_weights="w")

    def name(base, adapter=None):
        return (
            TargetModel(base=base, adapter=adapter, artifacts=str(tmp_path), served=Served(batch_size=4)).open().model
        )

    assert name(base) == name(moved)
    assert name(base, adapter) != name(base)
    assert name(base, record(tmp_path / "b.json", kind="adapter", weights="b", base_weights="w")) != name(base, adapter)


def test_a_local_model_that_is_not_there_is_an_error_when_it_is_asked(tmp_path):
    endpoint = TargetModel(
        base=record(tmp_path / "base.json"), artifacts=str(tmp_path), served=Served(batch_size=4)
    ).open()
    with pytest.raises(EndpointError, match="nowhere: no model there"):
        next(endpoint.answer([Request(**ask("a").model_dump() | {"model": "w"})]))
