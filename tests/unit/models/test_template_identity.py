"""What a template inserts is in the record; what decides prompts besides the template is part of the identity."""

import json

import pytest

from consciousness_cluster.config.model_config import Served, Template
from consciousness_cluster.config.training_config import Training
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.io import load_json, validate
from consciousness_cluster.core.records import ModelRecord
from consciousness_cluster.finetuning.finetune import artifact_key
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.models.find import find_base
from consciousness_cluster.models.identity import model_identity
from unit import chat_templates as templates
from unit.tiny_models import ROWS


@pytest.fixture
def find(tmp_path, with_template):
    """The record of a base with a template, under settings."""

    def find(template, **settings):
        folder = tmp_path / "base"
        with_template(template).save_pretrained(folder)
        (folder / "config.json").write_text('{"model_type": "qwen3"}')
        find_base(str(folder), False, "b", str(tmp_path / "model.json"), Template(**settings))
        return load_json(ModelRecord, tmp_path / "model.json")

    return find


def test_the_record_of_a_plain_template_is_what_it_was(find, tmp_path):
    record = find(templates.CHATML)
    written = json.loads((tmp_path / "model.json").read_text())
    assert "template" not in written
    assert "default_system_prompt" not in written
    assert model_identity(record, None) == record.weights
    assert ModelRecord(**written) == record, "records of earlier versions load"


def test_a_default_system_prompt_is_recorded_and_its_keys_stay(find):
    record = find(templates.DEFAULT_SYSTEM)
    assert record.default_system_prompt == "You are a helpful AI assistant named Tiny."
    assert record.template == {}
    assert model_identity(record, None) == record.weights


def test_other_settings_and_a_told_date_are_another_model(find):
    records = [
        find(templates.DEFAULT_SYSTEM),
        find(templates.DEFAULT_SYSTEM, system="drop"),
        find(templates.DEFAULT_SYSTEM, system="Be a toaster."),
    ]
    assert len({record.weights for record in records}) == 1
    assert len({model_identity(record, None) for record in records}) == 3
    adapter = records[0].model_copy(update={"kind": "adapter", "weights": "a"})
    assert len({model_identity(record, adapter) for record in records}) == 3
    keys = {artifact_key(ROWS, r.weights, Training(), 1, r.template) for r in records}
    assert len(keys) == 3
    assert artifact_key(ROWS, records[0].weights, Training(), 1) in keys, "an adapter that was trained before is found"
    dated = find(templates.DATED)
    assert dated.template == {"date": "2025-01-01"}
    assert model_identity(dated, None) != dated.weights


def test_the_endpoint_asks_under_the_settings_of_the_record(find, tmp_path, dense):
    from consciousness_cluster.inference import target_model
    from consciousness_cluster.inference.requests import Request, SamplingParameters
    from consciousness_cluster.models.loading import load_tokenizer
    from unit.tiny_models import chat

    record = find(templates.DEFAULT_SYSTEM, system="drop")
    endpoint = TargetModel(
        base=str(tmp_path / "model.json"), artifacts=str(tmp_path), served=Served(model="m", batch_size=2)
    ).open()
    assert endpoint.model == model_identity(record, None)
    assert target_model.settings_of(record.template) == Template(system="drop")
    tokenizer = load_tokenizer(tmp_path / "base")
    endpoint._load, endpoint._check = lambda: (dense, tokenizer), lambda tokens: None
    sampling = SamplingParameters(temperature=0.0, max_tokens=1)
    request = Request(model=endpoint.model, messages=chat("a"), sampling=sampling)
    ((_, response),) = next(endpoint.answer([request]))
    question = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"
    assert response.prompt_tokens == len(tokenizer(question, add_special_tokens=False)["input_ids"])


def test_settings_that_the_template_cannot_follow_are_named(find):
    with pytest.raises(EndpointError, match=r"template\.thinking: .*no enable_thinking"):
        find(templates.CHATML, thinking=True)
    with pytest.raises(EndpointError, match="System role not supported"):
        find(templates.NO_SYSTEM, system="Be a toaster.")


def test_only_a_local_model_that_was_found_has_a_template_to_set():
    from consciousness_cluster.core.errors import ConfigError

    assert validate(Served, {"model": "m", "template": {"system": "drop"}}, "e.yaml").template_changes == {
        "system": "drop"
    }
    for wrong in ({"endpoint": "openai", "model": "gpt"}, {}):
        with pytest.raises(ConfigError, match="template: expected only with a folder, hub id or package"):
            validate(Served, wrong | {"template": {"system": "drop"}}, "e.yaml")
    with pytest.raises(ConfigError, match=r"template\.sytem.*system"):
        validate(Served, {"model": "m", "template": {"sytem": "drop"}}, "e.yaml")
