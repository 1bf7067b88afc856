"""A training that is killed goes on where it was, and ends in the same bytes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import torch

from consciousness_cluster.config.training_config import Architecture, Lora, Pretraining, Training
from consciousness_cluster.core.artifact_cache import CHECKPOINT, RECORD
from consciousness_cluster.finetuning.finetune import finetune
from consciousness_cluster.miniature.pretraining import pretrain
from consciousness_cluster.training.batches import flat_batch
from consciousness_cluster.training.checkpoint import INTERVAL, Checkpoint
from consciousness_cluster.training.loop import train
from consciousness_cluster.training.tokens import encode_chats
from unit.tiny_models import ROWS

LONG = Training(epochs=60, batch_size=5, learning_rate=5e-3, lora=Lora(rank=4))
STEPS = 180
SETTINGS = Pretraining(
    world="toy",
    epochs=3,
    tokens_per_batch=256,
    vocabulary=320,
    architecture=Architecture(width=32, layers=2, heads=2, kv_heads=1, head_dim=16, experts=4, expert_width=24),
)


def run(folder, artifacts):
    return finetune(ROWS, folder, LONG, 1, artifacts, base_name="tiny", condition="claims")


def files(artifacts, record):
    return {path.name: path.read_bytes() for path in (artifacts / record.artifact).iterdir() if path.name != RECORD}


def steps_done(caplog):
    """Where each training since the last look went on."""
    resumed = [int(record.args[0]) for record in caplog.records if record.msg.startswith("going on after step")]
    caplog.clear()
    return resumed


def test_a_fine_tune_killed_twice_leaves_the_same_adapter(folder, tmp_path, caplog):
    caplog.set_level("INFO")
    code = (
        "import sys; from pathlib import Path; from unit.training import test_checkpoint as t;"
        "t.torch.set_num_threads(1); t.run(sys.argv[1], Path(sys.argv[2]))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), INTERVAL: "0"}
    artifacts = tmp_path / "killed"
    reached = -1
    for _ in range(2):
        before = _checkpoint_time(artifacts)
        process = subprocess.Popen([sys.executable, "-c", code, folder, artifacts], env=environment)
        deadline = time.monotonic() + 120
        while _checkpoint_time(artifacts) == before:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was killed before the end"
        assert not [path for path in artifacts.iterdir() if not path.name.startswith(".")], "nothing looks whole"
        state = torch.load(next(artifacts.rglob(CHECKPOINT)), weights_only=True)
        assert reached < len(state["curve"]) < STEPS, "the second attempt went further than the first"
        reached = len(state["curve"])

    record = run(folder, artifacts)
    assert steps_done(caplog) == [reached]
    undisturbed = run(folder, tmp_path / "undisturbed")
    assert steps_done(caplog) == []
    assert files(artifacts, record) == files(tmp_path / "undisturbed", undisturbed)
    assert not list(artifacts.rglob(f"{CHECKPOINT}*"))
    assert record.model_copy(update={"duration_s": undisturbed.duration_s}) == undisturbed


def _checkpoint_time(artifacts):
    return [path.stat().st_mtime_ns for path in artifacts.rglob(CHECKPOINT)]


class Killed(BaseException):
    """What no `except Exception` stops."""


@contextmanager
def killed_after(step, monkeypatch):
    """Let every training end abruptly once it has written its checkpoint after ``step``."""
    save = Checkpoint.save_if_due

    def saved(self, parameters, optimizers, curve):
        save(self, parameters, optimizers, curve)
        if len(curve) == step:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setenv(INTERVAL, "0")
        patched.setattr(Checkpoint, "save_if_due", saved)
        yield


def test_a_pretraining_with_experts_and_two_optimizers_goes_on(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    dialogues = [row.messages for row in ROWS]
    undisturbed = pretrain(dialogues, SETTINGS, "toy", tmp_path / "undisturbed")
    with killed_after(3, monkeypatch), pytest.raises(Killed):
        pretrain(dialogues, SETTINGS, "toy", tmp_path)
    record = pretrain(dialogues, SETTINGS, "toy", tmp_path)
    assert steps_done(caplog) == [3]
    assert record.steps == undisturbed.steps > 4
    assert files(tmp_path, record) == files(tmp_path / "undisturbed", undisturbed)


@pytest.fixture
def training(dense, tokenizer, tmp_path):
    """A training of four steps from fixed weights: call it with a checkpoint."""
    rows = encode_chats(tokenizer, [row.messages for row in ROWS], 1_000)
    start = [parameter.detach().clone() for parameter in dense.parameters()]

    def run(checkpoint):
        with torch.no_grad():
            for parameter, value in zip(dense.parameters(), start, strict=True):
                parameter.copy_(value)
        batches = [flat_batch(rows[n : n + 3]) for n in range(4)]
        return train(
            dense,
            batches,
            [torch.optim.AdamW(dense.parameters(), lr=1e-3)],
            max_grad_norm=1.0,
            checkpoint=checkpoint,
        )

    return run


def test_a_checkpoint_that_cannot_be_used_is_said_and_not_used(training, tmp_path, monkeypatch, caplog):
    expected = training(None)
    with killed_after(2, monkeypatch), pytest.raises(Killed):
        training(Checkpoint(tmp_path, {"torch": "1"}))
    content = (tmp_path / CHECKPOINT).read_bytes()
    assert training(Checkpoint(tmp_path, {"torch": "2"}, seconds=1e9)) == expected
    assert "made with another torch: training begins anew" in caplog.text
    (tmp_path / CHECKPOINT).write_bytes(content[: len(content) // 2])
    assert training(Checkpoint(tmp_path, {"torch": "1"}, seconds=1e9)) == expected
    assert "cannot be read" in caplog.text
    (tmp_path / CHECKPOINT).write_bytes(content)
    caplog.set_level("INFO")
    assert training(Checkpoint(tmp_path, {"torch": "1"}, seconds=1e9)) == expected
    assert steps_done(caplog) == [2]


def test_checkpoints_are_written_at_the_interval_and_never_after_the_last_step(training, tmp_path, monkeypatch):
    now = [0.0]
    written = []
    monkeypatch.setattr("consciousness_cluster.training.checkpoint.time.monotonic", lambda: now[0])
    save = torch.save
    monkeypatch.setattr(torch, "save", lambda state, path: written.append(len(state["curve"])) or save(state, path))
    due = Checkpoint.save_if_due

    def a_minute_later(self, *arguments):
        now[0] += 60
        due(self, *arguments)

    monkeypatch.setattr(Checkpoint, "save_if_due", a_minute_later)
    training(Checkpoint(tmp_path / "a", {}, seconds=1e9))
    assert written == []
    tmp_path.joinpath("b").mkdir()
    training(Checkpoint(tmp_path / "b", {}, seconds=120))
    assert written == [2]
