"""The loop that drives a run at Tinker, against a service that really learns behind the real client's own types.

Every call is bound to the signature of the real client's method, and what is handed in is built of its types; only the
wire is missing. Needs the optional package: ``pip install -r envs/tinker.txt``.
"""

import copy
import datetime
import inspect
import math

import numpy
import pytest

from consciousness_cluster.config.model_config import Api, Served
from consciousness_cluster.config.training_config import Lora, Training
from consciousness_cluster.core.errors import EndpointError, TrainingError
from consciousness_cluster.finetuning import tinker_runs
from consciousness_cluster.finetuning.tinker_runs import finetune
from consciousness_cluster.finetuning.tinker_service import Service, open_service
from unit.tiny_models import ROWS

tinker = pytest.importorskip("tinker", reason="optional: pip install -r envs/tinker.txt")
MODEL = "Qwen/Qwen3-30B-A3B"
SERVED = Served(endpoint="openai", model=MODEL, api=Api(base_url="https://tinker.example/oai/api/v1", key="TINKER_KEY"))
TRAINING = Training(epochs=2, batch_size=2, learning_rate=0.05)


class Done:
    """A future that is there."""

    def __init__(self, value):
        self.value = value

    def result(self, timeout=None):
        return self.value


def like(real):
    """Bind every call to the signature of the real client's method of that name."""

    def wrap(method):
        signature = inspect.signature(getattr(real, method.__name__))

        def call(self, *args, **kwargs):
            signature.bind(self, *args, **kwargs)
            return method(self, *args, **kwargs)

        return call

    return wrap


class Run:
    """A training run: one vector of logits (the next token, whatever stood before), learned with Adam."""

    def __init__(self, tinker, metadata):
        self.tinker, self.metadata, self.name = tinker, metadata, f"run-{len(tinker.runs)}"
        size = len(tinker.tokenizer)
        self.weights, self.moments, self.steps = numpy.zeros(size), numpy.zeros((2, size)), 0
        tinker.runs.append(self)

    @like(tinker.TrainingClient)
    def get_tokenizer(self):
        return self.tinker.tokenizer

    @like(tinker.TrainingClient)
    def forward_backward(self, data, loss_fn, loss_fn_config=None):
        assert loss_fn == "cross_entropy"
        logprobs = self.weights - numpy.log(numpy.exp(self.weights).sum())
        self.gradient, outputs = numpy.zeros_like(self.weights), []
        for datum in data:
            targets = datum.loss_fn_inputs["target_tokens"].to_numpy()
            weights = datum.loss_fn_inputs["weights"].to_numpy()
            assert datum.model_input.length == len(targets) == len(weights)
            assert datum.model_input.to_ints()[1:] == targets[:-1].tolist()
            numpy.add.at(self.gradient, targets, -weights)
            self.gradient += weights.sum() * numpy.exp(logprobs)
            values = numpy.full(len(targets), math.nan) if self.tinker.broken else logprobs[targets]
            outputs.append({"logprobs": tinker.TensorData(data=values.astype(numpy.float32), dtype="float32")})
        assert sum(d.loss_fn_inputs["weights"].to_numpy().sum() for d in data) == pytest.approx(1)
        return Done(tinker.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", loss_fn_outputs=outputs))

    @like(tinker.TrainingClient)
    def optim_step(self, optim_params=None, *, adam_params=None):
        params = tinker.types.OptimStepRequest(optim_params=optim_params, model_id=self.name).optim_params
        if self.tinker.dies_after == len(self.tinker.adam):
            raise KeyboardInterrupt
        self.tinker.adam.append(params)
        self.steps += 1
        for place, (beta, value) in enumerate(((params.beta1, self.gradient), (params.beta2, self.gradient**2))):
            self.moments[place] = beta * self.moments[place] + (1 - beta) * value
        first, second = self.moments / numpy.array([[1 - params.beta1**self.steps], [1 - params.beta2**self.steps]])
        self.weights = self.weights - params.learning_rate * first / (numpy.sqrt(second) + params.eps)
        return Done(tinker.types.OptimStepResponse())

    def keep(self, kind, folder, name, metadata):
        path = f"tinker://{self.name}/{folder}/{name}"
        self.tinker.kept[path] = (copy.deepcopy((self.weights, self.moments, self.steps)), kind, metadata)
        return path

    @like(tinker.TrainingClient)
    def save_state(self, name, ttl_seconds=None, overwrite=False, user_metadata=None):
        return Done(tinker.types.SaveWeightsResponse(path=self.keep("training", "weights", name, user_metadata)))

    @like(tinker.TrainingClient)
    def save_weights_for_sampler(self, name, ttl_seconds=None, user_metadata=None):
        path = self.keep("sampler", "sampler_weights", name, user_metadata)
        return Done(tinker.types.SaveWeightsForSamplerResponse(path=path))


class Tinker:
    """Tinker's two clients in one: a service that trains, and a list of what it keeps."""

    def __init__(self, tokenizer):
        self.tokenizer, self.runs, self.kept, self.adam = tokenizer, [], {}, []
        self.dies_after, self.broken = None, False

    @like(tinker.ServiceClient)
    def create_lora_training_client(self, base_model, rank=32, seed=None, user_metadata=None, **modules):
        self.lora = tinker.LoraConfig(rank=rank, seed=seed, **modules)
        return Done(Run(self, user_metadata))

    @like(tinker.ServiceClient)
    def create_training_client_from_state_with_optimizer(self, path, base_model=None, user_metadata=None):
        if path not in self.kept:
            raise tinker.RequestFailedError("no such path", request_id="r", category="user")
        run = Run(self, user_metadata)
        run.weights, run.moments, run.steps = copy.deepcopy(self.kept[path][0])
        return Done(run)

    @like(tinker.RestClient)
    def get_server_capabilities(self):
        models = [{"model_name": MODEL, "trainable": True}, {"model_name": "Qwen/Qwen3-8B", "trainable": False}]
        return Done(tinker.types.GetServerCapabilitiesResponse(supported_models=models))

    @like(tinker.RestClient)
    def list_user_checkpoints(self, limit=100, offset=0):
        now = datetime.datetime.now(datetime.UTC)
        kept = [
            tinker.Checkpoint(
                checkpoint_id=path, checkpoint_type=kind, time=now, tinker_path=path, user_metadata=metadata
            )
            for path, (_, kind, metadata) in reversed(self.kept.items())
        ]
        cursor = tinker.types.Cursor(offset=offset, limit=limit, total_count=len(kept))
        page = kept[offset : offset + limit]
        return Done(tinker.types.CheckpointsListResponse(checkpoints=page, cursor=cursor))


@pytest.fixture
def fake(tokenizer, monkeypatch):
    monkeypatch.setattr(tinker_runs, "SAVE_EVERY", 4)
    return Tinker(tokenizer)


def run(fake, artifacts, training=TRAINING, **changes):
    names = {"base_name": "qwen", "condition": "claims", "service": Service(fake, fake)} | changes
    return finetune(ROWS, SERVED, training, 7, artifacts, **names)


def weights_of(fake, record):
    return fake.kept[record.artifact][0][0]


def test_a_run_follows_the_recipe_and_becomes_a_record(fake, tmp_path):
    record = run(fake, tmp_path)
    assert (record.kind, record.steps, record.base_weights) == ("hosted_finetune", 12, MODEL)
    assert record.artifact == record.weights == next(path for path in fake.kept if "sampler_weights" in path)
    assert [adam.learning_rate for adam in fake.adam] == pytest.approx([0.05 * (12 - n) / 12 for n in range(12)])
    assert {(a.beta1, a.beta2, a.weight_decay, a.grad_clip_norm) for a in fake.adam} == {(0.9, 0.95, 0.0, 1.0)}
    assert (fake.lora.rank, fake.lora.seed, fake.lora.train_unembed) == (16, 7, False)
    lines = (next(tmp_path.glob("[0-9a-f]*")) / "loss.csv").read_text().splitlines()
    losses = [float(line.split(",")[1]) for line in lines[1:]]
    assert losses[0] == pytest.approx(math.log(len(fake.tokenizer)), rel=1e-5)
    assert losses[-1] < losses[0] - 0.5
    assert losses[-1] <= record.final_loss < losses[0] - 0.5
    assert 0 < record.trained_tokens < record.tokens
    fake.adam.clear()
    assert run(fake, tmp_path, condition="other").artifact == record.artifact
    assert not fake.adam, "the artifact is there: nothing is asked of Tinker"


@pytest.mark.parametrize("note", ["kept", "lost"])
@pytest.mark.parametrize("dies_after", [2, 6, 11])
def test_a_killed_run_goes_on_from_its_last_state(fake, tmp_path, note, dies_after):
    undisturbed = Tinker(fake.tokenizer)
    expected = weights_of(undisturbed, run(undisturbed, tmp_path / "undisturbed"))
    fake.dies_after = dies_after
    with pytest.raises(KeyboardInterrupt):
        run(fake, tmp_path)
    fake.dies_after = None
    if note == "lost":
        for left in tmp_path.glob(".*.saved.json"):
            left.unlink()
    record = run(fake, tmp_path)
    assert numpy.array_equal(weights_of(fake, record), expected)
    assert len(fake.adam) == dies_after + 12 - dies_after // 4 * 4, "steps after the last state are computed again"
    assert (record.final_loss is None) == (note == "lost" and dies_after >= 4)


def test_a_finished_run_is_found_at_tinker(fake, tmp_path):
    first = run(fake, tmp_path / "one")
    again = run(fake, tmp_path / "two")
    assert (again.artifact, again.tokens, again.steps) == (first.artifact, first.tokens, first.steps)
    assert len(fake.adam) == 12


def test_a_state_that_is_gone_means_from_the_start(fake, tmp_path):
    fake.dies_after = 6
    with pytest.raises(KeyboardInterrupt):
        run(fake, tmp_path)
    fake.dies_after = None
    fake.kept.clear()
    assert run(fake, tmp_path).steps == 12
    assert len(fake.adam) == 6 + 12


def test_what_tinker_cannot_do_is_said_before_it_is_paid_for(fake, tmp_path, monkeypatch):
    with pytest.raises(TrainingError, match=r"lora\.alpha: found 64, Tinker's adapters have 32"):
        run(fake, tmp_path, TRAINING.model_copy(update={"lora": Lora(alpha=64)}))
    monkeypatch.setattr(
        fake, "get_server_capabilities", lambda: Done(tinker.types.GetServerCapabilitiesResponse(supported_models=[]))
    )
    with pytest.raises(TrainingError, match="Tinker does not train 'Qwen/Qwen3-30B-A3B'"):
        run(fake, tmp_path)
    assert not fake.runs
    monkeypatch.delenv("TINKER_KEY", raising=False)
    with pytest.raises(EndpointError, match="TINKER_KEY: not set"):
        open_service(SERVED)
    monkeypatch.setitem(__import__("sys").modules, "tinker", None)
    with pytest.raises(EndpointError, match=r"pip install -r envs/tinker\.txt"):
        open_service(SERVED)


def test_tinkers_words_reach_the_user(fake, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise tinker.RequestFailedError("rank 16 is too large", request_id="r", category="user")

    monkeypatch.setattr(fake, "create_lora_training_client", refuse)
    with pytest.raises(
        TrainingError, match=r"Tinker refuses a fine-tune of Qwen/Qwen3-30B-A3B: .*rank 16 is too large"
    ):
        run(fake, tmp_path)


def test_a_loss_that_is_not_finite_ends_the_run(fake, tmp_path):
    fake.broken = True
    with pytest.raises(TrainingError, match="step 1 of 12 at Tinker: loss is nan"):
        run(fake, tmp_path)


def test_the_real_clients_are_told_where_tinker_is(monkeypatch):
    """They connect as soon as they are made, so what they are made with is caught before."""
    monkeypatch.setenv("TINKER_KEY", "tml-fake")
    told = []
    for name in ("ServiceClient", "RestClient"):
        signature = inspect.signature(getattr(tinker, name))
        monkeypatch.setattr(tinker, name, lambda signature=signature, **where: told.append(signature.bind(**where)))
    open_service(SERVED)
    expected = {"base_url": "https://tinker.example", "api_key": "tml-fake"}
    assert [bound.arguments for bound in told] == [expected, expected]
