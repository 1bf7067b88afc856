"""Other people's folders that are no model, or none for this environment: one line, what is wrong and what to do."""

import errno
import json
import os
import shutil

import httpx2
import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors.torch import load_file, save_file

from consciousness_cluster.commands.local_checks import answers_here
from consciousness_cluster.commands.template_checks import Chats
from consciousness_cluster.config.model_config import Served
from consciousness_cluster.config.training_config import Training
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.records import Message
from consciousness_cluster.finetuning.finetune import finetune
from consciousness_cluster.models.find import find_base
from consciousness_cluster.models.loading import check_room, load_model, load_tokenizer
from consciousness_cluster.models.memory_estimate import Needed
from unit.tiny_models import ROWS

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 4000000000\n"


@pytest.fixture
def model(folder, tmp_path):
    """A folder that a test may spoil."""
    return shutil.copytree(folder, tmp_path / "model")


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def one_line(raised):
    text = str(raised.value)
    assert "\n" not in text
    assert text.startswith(("/", "owner/name"))
    return text


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_pointers_of_git_lfs(model, name, tmp_path):
    (model / name).write_text(POINTER)
    jobs = (
        lambda: find_base(str(model), False, "b", str(tmp_path / "b.json")),
        lambda: load_model(model),
        lambda: load_tokenizer(model),
        lambda: check_room(model, tmp_path, None, lambda *_: Needed(1, 1, 1)),
        lambda: finetune(ROWS, model, Training(), 1, tmp_path / "a", base_name="b", condition="c"),
    )
    for job in jobs:
        with pytest.raises(
            EndpointError, match=rf"{name}: found a pointer of Git LFS .*run .*`git lfs pull`"
        ) as raised:
            job()
        one_line(raised)
    can, why = answers_here(Served(model=str(model)), False, tmp_path)
    assert (can, "`git lfs pull`" in why) == ("no", True)


QUANTISED = {
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True},
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False},
    "of_their_own": {"quant_method": "of_their_own"},
}


@pytest.mark.parametrize("method", QUANTISED)
def test_quantised_weights(model, method, tmp_path):
    edit(model / "config.json", quantization_config=QUANTISED[method])
    said = (
        rf"weights are quantised \({method}\), which cannot be computed with here: .*; expected the model in full pre"
    )
    with pytest.raises(EndpointError, match=said) as raised:
        load_model(model)
    one_line(raised)
    assert answers_here(Served(model=str(model)), False, tmp_path)[0] == "no"
    find_base(str(model), False, "b", str(tmp_path / "b.json"))  # vLLM may be able to ask it


@pytest.mark.parametrize(
    ("content", "package"), [(b"\n\x0e\n\x05<unk>\x15", "sentencepiece"), (b"IQ== 0\nIg== 1\n", "tiktoken")]
)
def test_a_lone_tokenizer_model(model, content, package):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()
    (model / "tokenizer.model").write_bytes(content)
    with pytest.raises(
        EndpointError, match=rf"tokenizer.model alone, and the package {package}, .*save_pretr"
    ) as raised:
        load_tokenizer(model)
    one_line(raised)


def test_no_tokenizer_at_all(model):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()
    with pytest.raises(EndpointError, match=r"no tokenizer there, expected tokenizer\.json"):
        load_tokenizer(model)


def test_an_adapter_in_place_of_a_model(model):
    (model / "adapter_config.json").write_text('{"base_model_name_or_path": "elsewhere"}')
    with pytest.raises(EndpointError, match="found an adapter"):
        load_model(model)


def test_weights_that_transformers_would_make_up(model):
    tensors = load_file(model / "model.safetensors")
    gone = tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    assert torch.is_tensor(gone)
    with pytest.raises(
        EndpointError, match=r"1 tensors of Qwen3ForCausalLM are not .*, e.g. model.layers.1.mlp.up_proj"
    ):
        load_model(model)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda m: (m / "model.safetensors").unlink(), "not a causal LM that can be loaded: Error no file named"),
        (
            lambda m: (m / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}"),
            "not a safetensors file, or only a p",
        ),
        (lambda m: (m / "config.json").write_text("{nope"), r"config\.json: not valid JSON: Expecting property name"),
        (lambda m: (m / "config.json").write_text("[]"), r"config\.json: found a list, expected a mapping"),
        (lambda m: edit(m / "config.json", model_type="odd", auto_map={"AutoConfig": "a.B"}), "custom code"),
    ],
)
def test_folders_that_cannot_be_loaded(model, spoil, said):
    spoil(model)
    with pytest.raises(EndpointError, match=said) as raised:
        load_model(model)
    one_line(raised)


def test_a_part_of_a_file_of_weights(model):
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(EndpointError, match=r"SafetensorError: .*not fully covered"):
        load_model(model)


def failing(kind, status):
    response = httpx2.Response(status, request=httpx2.Request("GET", "https://hub.example/api"))
    return kind(f"{status} Client Error. (Request ID: x)\n\nCannot access gated repo", response=response)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (failing(GatedRepoError, 401), "on the hub, but only for those whom its owner lets in: ask .*HF_TOKEN"),
        (failing(RepositoryNotFoundError, 404), "neither a folder nor a model of the hub"),
        (failing(RevisionNotFoundError, 404), "the hub has no such revision of it"),
    ],
)
def test_the_hub_is_understood_in_the_same_words_before_a_run_and_in_it(error, said, tmp_path, monkeypatch):
    from huggingface_hub import HfApi, constants

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("repo_info", "model_info"):
        monkeypatch.setattr(HfApi, name, fail)
    with pytest.raises(EndpointError, match=f"owner/name: {said}") as raised:
        find_base("owner/name", False, "b", str(tmp_path / "b.json"))
    can, why = answers_here(Served(model="owner/name"), False, tmp_path)
    assert can == "no"
    assert one_line(raised) == f"owner/name: {why.partition(', no GPU')[0].partition(', 1 GPU')[0]}"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENOSPC])
def test_a_cache_that_cannot_be_written(number, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number), "/home/somebody/.cache/huggingface/hub/models--owner--name")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    said = (
        rf"owner/name: the hub's cache .* cannot be written \({os.strerror(number)}\); set HF_HOME to a folder that can"
    )
    with pytest.raises(EndpointError, match=said) as raised:
        find_base("owner/name", False, "b", str(tmp_path / "b.json"))
    one_line(raised)


def test_a_repository_without_a_model(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(EndpointError, match=r"owner/name: on the hub, but without a config\.json"):
        find_base("owner/name", False, "b", str(tmp_path / "b.json"))


def test_a_longest_question_that_is_too_long_is_said_before_a_run(tmp_path, tokenizer):
    (tmp_path / "gpt").mkdir()
    tokenizer.save_pretrained(tmp_path / "gpt")
    (tmp_path / "gpt/config.json").write_text(json.dumps({"model_type": "gpt2", "n_positions": 64}))
    user = Message(role="user", content="A question")
    for most, expected in ((8, "yes"), (60, "no")):
        chats = Chats(asked=[[user]], longest=(user,), max_tokens=most)
        can, why = answers_here(Served(model="gpt"), False, tmp_path, chats)
        assert can == expected, why
    assert "found 64 positions; lower max_tokens" in why
