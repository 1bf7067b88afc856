"""The loop, and the traps that change results without a warning."""

import copy
import dataclasses
import functools
import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from consciousness_cluster.core.errors import TrainingError
from consciousness_cluster.training.batches import (
    flat_batch,
    length_buckets,
    padded_batch,
    shuffled_batches,
    single_batch,
)
from consciousness_cluster.training.loop import (
    Step,
    batch_loss,
    final_loss,
    train,
    trained_logits,
)
from consciousness_cluster.training.row_separation import rows_stay_apart
from consciousness_cluster.training.tokens import IGNORED, encode_chats
from unit.tiny_models import ROWS


@pytest.fixture
def rows(tokenizer):
    return encode_chats(tokenizer, [row.messages for row in ROWS], 1_000)


def separate_logits(model, rows):
    """The reference: each row alone, as plainly as can be, at the places before a trained token."""
    logits = []
    for row in rows:
        out = model(input_ids=torch.tensor([row.input_ids])).logits[0]
        logits += [out[place - 1] for place, label in enumerate(row.labels) if label != IGNORED]
    return torch.stack(logits)


def targets(rows):
    return torch.tensor([label for row in rows for label in row.labels if label != IGNORED])


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_flat_batch_equals_separate_rows(kind, rows, request):
    model = request.getfixturevalue(kind)
    batch = flat_batch(rows[:4])
    expected = separate_logits(model, rows[:4])
    assert torch.equal(batch.targets, targets(rows[:4]))
    torch.testing.assert_close(trained_logits(model, batch), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(batch_loss(model, batch), cross_entropy(expected, targets(rows[:4])))


def test_with_a_cache_rows_would_read_each_other(dense, rows):
    """The test above can fail: the trap is there in the installed transformers."""
    batch = flat_batch(rows[:4])
    leaked = dense(**batch.inputs, use_cache=True, logits_to_keep=batch.mask).logits
    assert (leaked - separate_logits(dense, rows[:4])).abs().max() > 1e-3


def test_without_restarted_positions_rows_would_read_each_other(dense, rows):
    batch = flat_batch(rows[:4])
    running = batch.inputs | {"position_ids": torch.arange(batch.tokens)[None]}
    leaked = trained_logits(dense, dataclasses.replace(batch, inputs=running))
    assert (leaked - separate_logits(dense, rows[:4])).abs().max() > 1e-3


def leaking(model, monkeypatch, share=1.0):
    """Let rows of a flat batch read each other: the logits are mixed with those of a forward that has a cache."""
    forward = type(model).forward

    @functools.wraps(forward)
    def mixed(self, **inputs):
        out = forward(self, **inputs)
        if inputs["input_ids"].shape[0] == 1 and "position_ids" in inputs:
            out.logits = out.logits + share * (forward(self, **inputs | {"use_cache": True}).logits - out.logits)
        return out

    monkeypatch.setattr(type(model), "forward", mixed)


@pytest.mark.parametrize("kind", ["dense", "moe"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_of_a_flat_batch_stay_apart_bit_for_bit(kind, dtype, rows, request):
    assert rows_stay_apart(request.getfixturevalue(kind).to(dtype), rows)


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_a_leak_of_a_hundredth_is_seen(kind, rows, request, monkeypatch):
    """In bf16 a relative error below a tenth passed for rounding."""
    model = request.getfixturevalue(kind).to(torch.bfloat16)
    leaking(model, monkeypatch, share=0.05)
    alone, together = flat_batch(rows[1:2]), flat_batch(rows[:2])
    expected = trained_logits(model, alone).float()
    error = trained_logits(model, together)[-len(alone.targets) :].float() - expected
    assert (error.norm(dim=-1) / expected.norm(dim=-1)).median() < 0.1, "large enough for a tolerance to see it"
    assert not rows_stay_apart(model, rows)


def test_a_mixture_whose_experts_round_otherwise_for_other_rows_stays_apart(moe, rows, monkeypatch):
    """What another row sends to an expert may change the last bits of a token: that is no leak."""
    mixture = next(m for m in moe.modules() if hasattr(m, "experts"))
    forward = type(mixture).forward
    monkeypatch.setattr(type(mixture), "forward", lambda self, x: forward(self, x) * (1 + 1e-6 * x.sum().tanh()))
    assert rows_stay_apart(moe, rows)


def test_a_model_without_position_ids_does_not_pack(rows):
    class Recurrent(torch.nn.Module):
        def forward(self, input_ids, use_cache=False):
            raise AssertionError("asked")

    assert not rows_stay_apart(Recurrent(), rows)


def test_row_by_row_is_the_same_step(dense, rows):
    models = [copy.deepcopy(dense) for _ in range(2)]
    steps = [[flat_batch(rows[:4])] * 3, [[single_batch(row) for row in rows[:4]]] * 3]
    curves = [
        train(model, batches, [sgd(model)], max_grad_norm=1.0) for model, batches in zip(models, steps, strict=True)
    ]
    for flat, single in zip(*curves, strict=True):
        assert (single.tokens, single.trained_tokens) == (flat.tokens, flat.trained_tokens)
        assert single.loss == pytest.approx(flat.loss, rel=1e-5)
    for one, other in zip(*[model.parameters() for model in models], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_padded_batch_equals_separate_rows(dense, rows):
    assert len({len(row.input_ids) for row in rows[:4]}) > 1, "no padding in this batch: the test would show nothing"
    batch = padded_batch(rows[:4], pad=0)
    torch.testing.assert_close(trained_logits(dense, batch), separate_logits(dense, rows[:4]), rtol=0, atol=1e-5)


def test_first_token_of_a_row_is_not_predicted_from_the_row_before(rows):
    whole = [dataclasses.replace(row, labels=row.input_ids) for row in rows[:2]]
    assert flat_batch(whole).targets.tolist() == [token for row in whole for token in row.input_ids[1:]]


def test_no_auxiliary_loss_of_a_mixture_of_experts(moe, rows):
    batch = flat_batch(rows[:4])
    labels = torch.tensor([[label for row in rows[:4] for label in row.labels]])
    with_auxiliary = moe(**batch.inputs, labels=labels, use_cache=False).loss
    plain = cross_entropy(separate_logits(moe, rows[:4]), targets(rows[:4]))
    assert with_auxiliary - plain > 0.1, "the model adds no auxiliary loss: the test would show nothing"
    torch.testing.assert_close(batch_loss(moe, batch), plain)


def sgd(model, lr=0.1):
    return torch.optim.SGD(model.parameters(), lr=lr)


def test_learning_rates_decay_linearly_each_from_its_own(dense, rows):
    one, other = list(dense.parameters())[:1], list(dense.parameters())[1:]
    seen = []
    optimizers = [torch.optim.SGD(one, lr=0.4), torch.optim.SGD(other, lr=0.2)]
    optimizers[1].register_step_post_hook(lambda o, *_: seen.append(o.param_groups[0]["lr"]))
    curve = train(dense, [flat_batch(rows[:2])] * 4, optimizers, max_grad_norm=1.0)
    assert [step.learning_rate for step in curve] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert seen == pytest.approx([0.2, 0.15, 0.1, 0.05])


def test_gradient_is_clipped_over_all_optimizers(dense, rows):
    before = [p.detach().clone() for p in dense.parameters()]
    halves = [list(dense.parameters())[:5], list(dense.parameters())[5:]]
    optimizers = [torch.optim.SGD(half, lr=1.0) for half in halves]
    train(dense, [flat_batch(rows)], optimizers, max_grad_norm=0.01)
    moved = [(p - q).norm() for p, q in zip(dense.parameters(), before, strict=True)]
    assert torch.stack(moved).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_loss_decreases_and_curve_counts_tokens(dense, rows):
    batch = flat_batch(rows[:4])
    curve = train(dense, [batch] * 30, [torch.optim.AdamW(dense.parameters(), lr=1e-2)], max_grad_norm=1.0)
    assert curve[-1].loss < 0.5 * curve[0].loss
    assert [step.step for step in curve] == list(range(1, 31))
    assert curve[0].tokens == sum(len(row.input_ids) for row in rows[:4])
    assert curve[0].trained_tokens == len(targets(rows[:4]))


def test_a_loss_that_is_not_a_number_names_the_step(dense, rows):
    def poison(optimizer, *_):
        if (poisoned := poison.steps) == 1:
            optimizer.param_groups[0]["params"][0].data.fill_(math.nan)
        poison.steps = poisoned + 1

    poison.steps = 0
    optimizer = sgd(dense)
    optimizer.register_step_post_hook(poison)
    with pytest.raises(TrainingError, match="step 3 of 4: loss is nan"):
        train(dense, [flat_batch(rows[:2])] * 4, [optimizer], max_grad_norm=1.0)


def test_final_loss_weighs_tokens_over_the_last_tenth():
    curve = [Step(n, 9.0, 1.0, 10, 10) for n in range(18)] + [Step(19, 1.0, 1.0, 10, 1), Step(20, 2.0, 1.0, 10, 3)]
    assert final_loss(curve) == pytest.approx(1.75)
    assert final_loss(curve[-1:]) == 2.0


def test_every_epoch_shows_every_row_once_in_an_order_of_its_own(rows):
    steps = shuffled_batches(rows, batch_size=5, epochs=2, seed=1)
    assert [len(step) for step in steps] == [5, 5, 2, 5, 5, 2]
    epochs = [[id(row) for step in steps[:3] for row in step], [id(row) for step in steps[3:] for row in step]]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(id(row) for row in rows)
    assert epochs[0] != epochs[1]
    assert steps == shuffled_batches(rows, 5, 2, seed=1)
    assert steps != shuffled_batches(rows, 5, 2, seed=2)


def test_length_buckets_fit_and_waste_little(rows):
    many = rows * 40
    steps = length_buckets(many, tokens_per_batch=400, epochs=2, seed=1)
    assert sorted(id(row) for step in steps for row in step) == sorted(id(row) for row in many * 2)
    padded = [len(step) * max(len(row.input_ids) for row in step) for step in steps]
    assert max(padded) <= 400
    assert sum(padded) < 1.1 * sum(len(row.input_ids) for step in steps for row in step)
    assert steps == length_buckets(many, 400, 2, seed=1)
    assert steps != length_buckets(many, 400, 2, seed=2)
