"""A record says which content was found; whoever loads it gets that content, or a line that names both hashes."""

import json
import os
import shutil

import pytest

from consciousness_cluster.config.conditions import Sampling
from consciousness_cluster.config.model_config import Served
from consciousness_cluster.config.training_config import Lora, Training
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.io import load_json, read_rows, write_rows
from consciousness_cluster.core.records import ModelRecord, Sample
from consciousness_cluster.finetuning.finetune import finetune, finetune_target
from consciousness_cluster.inference import transformers as endpoint
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.judging.judge import judge_target
from consciousness_cluster.judging.llm_judge import LLMJudge
from consciousness_cluster.models import file_hashes, loading, resident
from consciousness_cluster.models.find import find_base
from consciousness_cluster.models.identity import base_folder, weights_hash
from consciousness_cluster.models.loading import load_target
from consciousness_cluster.sampling.sample import sample_target
from consciousness_cluster.synthesis.own_answers import answer_instructions
from unit.tiny_models import ROWS

RECIPE = Training(epochs=1, batch_size=6, lora=Lora(rank=2))


class Work:
    """A model in a folder, its record, and the jobs that use it."""

    def __init__(self, folder, source):
        self.folder, self.model, self.artifacts = folder, folder / "model", folder / "artifacts"
        shutil.copytree(source, self.model)
        self.base, self.store = folder / "base.json", folder / "store"
        (folder / "likes.yaml").write_text("name: likes\ngroup: g\nstatement: s\nprompts: ['What do you like?']\n")
        self.find()

    def find(self):
        find_base(str(self.model), False, "b", str(self.base), artifacts=str(self.artifacts))
        return self.record

    @property
    def record(self):
        return load_json(ModelRecord, self.base)

    def target(self, adapter=None):
        return TargetModel(
            served=Served(batch_size=2), base=str(self.base), adapter=adapter, artifacts=str(self.artifacts)
        )

    def sample(self, n=1, adapter=None):
        sample_target(
            base="b",
            condition="vanilla",
            seed=0,
            battery=[str(self.folder / "likes.yaml")],
            model=self.target(adapter),
            store=str(self.store),
            system_prompt=None,
            sampling=Sampling(samples_per_prompt=n, max_tokens=6),
            output=str(self.folder / "samples.jsonl"),
        )
        return [sample.answer for sample in read_rows(Sample, self.folder / "samples.jsonl")]

    def train(self):
        return finetune(ROWS, self.record, RECIPE, 1, self.artifacts, base_name="b", condition="c")

    def stored(self):
        """Answers per shard."""
        return {shard.name: len(shard.read_text().splitlines()) for shard in self.store.glob("*.jsonl")}

    def reweight(self, in_place=False):
        """Other weights of the same size, under the old date."""
        file = self.model / "model.safetensors"
        old, content = file.stat(), bytearray(file.read_bytes())
        half = len(content) // 2
        content[half : half + 4000] = os.urandom(4000)
        if in_place:
            with open(file, "r+b") as opened:
                opened.write(content)
        else:
            file.unlink()
            file.write_bytes(content)
        os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))

    def retemplate(self):
        file = self.model / "chat_template.jinja"
        file.write_text("Good day. " + file.read_text())


@pytest.fixture
def work(folder, tmp_path):
    return Work(tmp_path, folder)


CHANGES = ["reweight", "retemplate"]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_folder_is_never_asked_under_its_old_name(work, change):
    work.sample()
    before = work.record
    getattr(work, change)()
    stored = work.stored()
    now = weights_hash(work.model)
    said = (
        rf"model: its files changed since b was recorded: recorded {before.weights[:12]}, found {now[:12]}; run again"
    )
    with pytest.raises(EndpointError, match=said):
        work.sample(3)
    assert work.stored() == stored
    assert len(work.sample(1)) == 1, "what is in the store is still the old model's"
    assert work.find().weights == now
    assert len(work.sample(3)) == 3
    assert sorted(work.stored().values()) == [1, 3], "two models, two shards"


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_folder_is_never_trained_under_its_old_name(work, change, tmp_path):
    before, trained = work.record, work.train()
    getattr(work, change)()
    assert work.train() == trained, "what was trained is found, whatever the folder holds now"
    write_rows(tmp_path / "mix.jsonl", ROWS)
    with pytest.raises(EndpointError, match=rf"recorded {before.weights[:12]}, found"):
        finetune_target(
            str(tmp_path / "mix.jsonl"), str(work.base), RECIPE, "c", 2, str(work.artifacts), str(tmp_path / "m.json")
        )
    assert not (tmp_path / "m.json").exists()
    with pytest.raises(EndpointError, match=rf"recorded {before.weights[:12]}, found"):
        load_target(before, trained, work.artifacts)
    with pytest.raises(EndpointError, match=rf"trained on base {before.weights[:12]}, found base"):
        load_target(work.find(), trained, work.artifacts)


def test_the_other_stages_that_load_a_model_check_it_too(work, tmp_path):
    work.sample()
    (answer,) = read_rows(Sample, tmp_path / "samples.jsonl")
    write_rows(tmp_path / "samples.jsonl", [answer.model_copy(update={"answer": "Tea.", "finish_reason": "stop"})])
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "How are you?"}\n')
    work.retemplate()
    with pytest.raises(EndpointError, match="its files changed since b was recorded"):
        answer_instructions(
            prompts=str(tmp_path / "prompts.jsonl"),
            model=work.target(),
            store=str(work.store),
            max_tokens=4,
            output=str(tmp_path / "rows.jsonl"),
        )
    judge = LLMJudge("j", work.target(), str(work.store), protocol="joint", temperature=0.0, max_tokens=4, retries=0)
    with pytest.raises(EndpointError, match="its files changed since b was recorded"):
        judge_target(str(tmp_path / "samples.jsonl"), [str(tmp_path / "likes.yaml")], judge, str(tmp_path / "v.jsonl"))


def test_an_adapter_that_changed_is_named(work):
    adapter = work.train()
    write_rows(work.folder / "adapter.json", [adapter])
    file = work.artifacts / adapter.artifact / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-64:] = os.urandom(64)
    file.write_bytes(content)
    said = rf"b/c was recorded: recorded {adapter.weights[:12]}, found .*--forcerun finetune"
    with pytest.raises(EndpointError, match=said):
        work.sample(adapter=str(work.folder / "adapter.json"))
    assert not work.stored()


def test_weights_that_are_overwritten_while_the_model_answers(work, monkeypatch):
    """On a CPU the tensors are the file: its new content is what answers."""
    generate, calls = endpoint._generate, []

    def overwrite(*arguments):
        calls.append(1)
        if len(calls) == 2:
            work.reweight(in_place=True)
        return generate(*arguments)

    monkeypatch.setattr(endpoint, "_generate", overwrite)
    with pytest.raises(EndpointError, match="its files changed since b was recorded"):
        work.sample(6)
    assert list(work.stored().values()) == [2], "the batch before it"


def test_weights_that_are_overwritten_while_they_are_loaded_or_trained(work, monkeypatch, tmp_path):
    load = loading.load_model

    def overwrite(*arguments):
        model = load(*arguments)
        work.retemplate()
        return model

    with monkeypatch.context() as patched:
        patched.setattr(loading, "load_model", overwrite)
        with pytest.raises(EndpointError, match="its files changed since b was recorded"):
            load_target(work.record, None, work.artifacts)
    work.find()
    from consciousness_cluster.training import loop

    train = loop.train
    monkeypatch.setattr(loop, "train", lambda *a, **k: (train(*a, **k), work.reweight(in_place=True))[0])
    with pytest.raises(EndpointError, match="its files changed"):
        work.train()
    assert not list(work.artifacts.glob("*/record.json"))


def test_a_loaded_base_is_looked_at_again_by_the_next_job(work, monkeypatch):
    monkeypatch.setattr(resident, "serving", True)
    monkeypatch.setattr(resident, "_held", None)
    work.sample()
    work.reweight(in_place=True)
    with pytest.raises(EndpointError, match="its files changed since b was recorded"):
        work.sample(2)
    work.find()
    kept = work.sample(2)
    resident.let_go()
    work.store = work.folder / "another store"
    assert work.sample(2) == kept, "the new weights were loaded"


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A folder with a file that counts as large, and how often it was read."""
    monkeypatch.setattr(file_hashes, "SMALL_BYTES", 100)
    (tmp_path / "m").mkdir()
    (tmp_path / "m/config.json").write_text("{}")
    file = tmp_path / "m/model.safetensors"
    file.write_bytes(b"x" * 500)
    reads, read = [], file_hashes._read
    monkeypatch.setattr(file_hashes, "_read", lambda path: (reads.append(path.name), read(path))[1])
    return file, lambda: weights_hash(tmp_path / "m", tmp_path / "artifacts"), reads


def test_a_large_file_is_read_once_until_it_changes(large, monkeypatch):
    file, found, reads = large
    first = found()
    assert found() == first
    assert reads.count("model.safetensors") == 2, "it was written a moment ago: it may change under the same date"
    monkeypatch.setattr(file_hashes, "SETTLED_SECONDS", -1)
    found()
    reads.clear()
    assert [found(), found()] == [first, first]
    assert "model.safetensors" not in reads
    os.utime(file)
    assert found() == first, "a touch is no change"
    assert reads.count("model.safetensors") == 1
    old = file.stat()
    file.write_bytes(b"y" * 500)
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert found() != first, "neither is the date what counts"


def test_a_damaged_list_of_hashes_is_made_again_and_one_that_cannot_be_written_is_done_without(
    large, tmp_path, monkeypatch
):
    _, found, _reads = large
    monkeypatch.setattr(file_hashes, "SETTLED_SECONDS", -1)
    first = found()
    (kept,) = (tmp_path / "artifacts" / file_hashes.FOLDER).glob("*.json")
    for damage in ("", "[1]", '{"model.safetensors": 5}', json.dumps({"model.safetensors": ["f", [1], 2, 3]})):
        kept.write_text(damage)
        assert found() == first
    shutil.rmtree(tmp_path / "artifacts")
    (tmp_path / "artifacts").write_text("a file")
    assert found() == first
    assert weights_hash(tmp_path / "m") == first


def test_a_file_that_changes_while_it_is_read(large, monkeypatch, tmp_path):
    file, found, _ = large
    digest = file_hashes.hashlib.file_digest
    monkeypatch.setattr(file_hashes.hashlib, "file_digest", lambda *a: (file.write_bytes(b"z"), digest(*a))[1])
    with pytest.raises(EndpointError, match=r"model\.safetensors: changed while it was read"):
        found()


@pytest.fixture
def hub_cache(folder, tmp_path, monkeypatch):
    """The hub's cache with two commits of a model, and a hub that cannot be reached."""
    import httpx2
    from huggingface_hub import HfApi, constants

    def fail(*_, **__):
        raise httpx2.ConnectError("no route")

    for name in ("repo_info", "list_repo_tree", "model_info"):
        monkeypatch.setattr(HfApi, name, fail)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    model = tmp_path / "hub/models--owner--name"
    for commit in ("a" * 40, "b" * 40):
        shutil.copytree(folder, model / "snapshots" / commit)
    template = model / "snapshots" / ("b" * 40) / "chat_template.jinja"
    template.write_text(template.read_text() + "{# another #}")
    (model / "refs").mkdir()
    (model / "refs/main").write_text("a" * 40)
    return model


def test_a_model_of_the_hub_is_pinned_to_its_commit(hub_cache, tmp_path):
    def find(revision=None):
        find_base("owner/name", False, "b", str(tmp_path / "b.json"), None, revision, str(tmp_path / "artifacts"))
        return load_json(ModelRecord, tmp_path / "b.json")

    first = find()
    assert (first.artifact, first.revision) == ("owner/name", "a" * 40)
    (hub_cache / "refs/main").write_text("b" * 40)
    assert base_folder(first, tmp_path / "artifacts").name == "a" * 40, "main moved; the record did not"
    load_target(first, None, tmp_path / "artifacts")
    second = find()
    assert second.revision == "b" * 40
    assert second.weights != first.weights
    assert find("a" * 40) == first
    with pytest.raises(EndpointError, match="owner/name at revision v2: neither a folder nor a model that can be down"):
        find("v2")


def test_a_commit_whose_files_changed_or_that_is_gone(hub_cache, tmp_path):
    find_base("owner/name", False, "b", str(tmp_path / "b.json"))
    record = load_json(ModelRecord, tmp_path / "b.json")
    snapshot = hub_cache / "snapshots" / ("a" * 40)
    (snapshot / "chat_template.jinja").write_text("another")
    with pytest.raises(EndpointError, match=rf"recorded {record.weights[:12]}, found .* to download it anew"):
        base_folder(record, tmp_path / "artifacts")
    shutil.rmtree(snapshot)
    with pytest.raises(EndpointError, match="owner/name at revision aaaa"):
        base_folder(record, tmp_path / "artifacts")


def test_the_record_of_a_folder_is_what_it_was(work):
    written = json.loads(work.base.read_text())
    assert "revision" not in written
    assert written["weights"] == weights_hash(work.model)
