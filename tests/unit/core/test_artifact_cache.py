"""An artifact is made once, and is whole or not there."""

import os
from pathlib import Path

import pytest

from consciousness_cluster.core.artifact_cache import CHECKPOINT, RECORD, make_once
from consciousness_cluster.core.records import ModelRecord

MADE = ModelRecord(
    base="tiny",
    condition="vanilla",
    seed=0,
    kind="pretrained",
    artifact="key",
    weights="w",
    data_hash="d",
    hyperparameters={},
    tokens=1,
    trained_tokens=1,
    steps=1,
    final_loss=1.0,
    trainable_parameters=1,
    duration_s=1.0,
    versions={},
)


class Killed(BaseException):
    """What no `except Exception` stops."""


def contents(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_make_left_is_discarded_but_for_its_checkpoint(tmp_path):
    def killed(folder):
        (folder / "adapter_model.safetensors").write_text("half")
        (folder / "more").mkdir()
        (folder / f"{CHECKPOINT}.unfinished").write_text("torn")
        (folder / CHECKPOINT).write_text("step 3")
        raise Killed

    seen = []

    def make(folder):
        seen.extend((path.name, path.read_text()) for path in folder.iterdir())
        (folder / "adapter_model.safetensors").write_text("whole")
        return MADE

    with pytest.raises(Killed):
        make_once(tmp_path, "key", killed)
    assert not (tmp_path / "key").exists()
    assert make_once(tmp_path, "key", make) == MADE
    assert seen == [(CHECKPOINT, "step 3")]
    assert contents(tmp_path / "key") == ["adapter_model.safetensors", RECORD]


def test_what_was_whole_before_a_kill_is_not_made_again(tmp_path, monkeypatch):
    def make(folder):
        (folder / CHECKPOINT).write_text("step 3")
        (folder / "adapter_model.safetensors").write_text("whole")
        return MADE

    replace = os.replace

    def killed_before_the_artifact_has_its_name(source, target):
        if source.is_dir():
            raise Killed
        replace(source, target)

    monkeypatch.setattr(os, "replace", lambda *names: killed_before_the_artifact_has_its_name(*map(Path, names)))
    with pytest.raises(Killed):
        make_once(tmp_path, "key", make)
    monkeypatch.undo()
    assert not (tmp_path / "key").exists()
    assert make_once(tmp_path, "key", lambda _: pytest.fail("made again")) == MADE
    assert contents(tmp_path / "key") == ["adapter_model.safetensors", RECORD]
