"""What each endpoint says about each model, asked of a server that speaks the providers' protocols."""

import sys
from pathlib import Path

import pytest
import yaml

from consciousness_cluster.commands.local_checks import answers_here
from consciousness_cluster.commands.preflight import preflight, print_preflight
from consciousness_cluster.config.model_config import Served
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.io import write_text
from consciousness_cluster.models.find import find_base
from unit import chat_templates as templates
from unit.commands.projects import ROOT

OPENAI, ANTHROPIC = "gpt-4.1-2025-04-14", "claude-opus-4-6"


@pytest.fixture
def fake(fake, monkeypatch):
    for name, value in fake.environment().items():
        monkeypatch.setenv(name, value)
    return fake


def declare(project, bases, conditions=None):
    """An experiment of these bases, written to ``project``."""
    for folder in ("battery", "worlds", "identities", "reference"):
        (project / folder).symlink_to(ROOT / folder)
    content = {
        "name": "far",
        "battery": "standard",
        "bases": bases,
        "conditions": {"vanilla": {}, "prompted": {"system_prompt": "Be brief."}} | (conditions or {}),
        "judges": {"lexicon": {"kind": "lexicon", "world": "miniature"}},
        "analysis": {"primary_contrast": {"treatment": "prompted", "controls": ["vanilla"]}},
    }
    write_text(project / "experiments/far.yaml", yaml.safe_dump(content))


def findings(project):
    return {(check.role, check.needed_for): (check.can, check.why) for check in preflight("far", project)}


def test_models_batches_and_fine_tuning_are_asked_about(tmp_path, fake, monkeypatch, capsys):
    bases = {
        "gpt": {"endpoint": "openai", "model": OPENAI, "api": {"batch": True}, "finetuning": "openai"},
        "opus": {"endpoint": "anthropic", "model": ANTHROPIC, "api": {"batch": True}, "conditions": ["vanilla"]},
    }
    declare(tmp_path, bases, {"claims": {"identity": "conscious_claiming"}})
    found = findings(tmp_path)
    assert {what: can for what, (can, _) in found.items()} == {
        ("base gpt", "answers"): "yes",
        ("base gpt", "batches"): "yes",
        ("base gpt", "fine-tuning"): "unknown",
        ("base opus", "answers"): "yes",
        ("base opus", "batches"): "yes",
    }
    assert not fake.ledger(), "nothing was paid for"
    monkeypatch.chdir(tmp_path)
    print_preflight("far")
    assert "nothing stands against it, 1 of 5 not known" in capsys.readouterr().out


def test_a_model_that_is_gone_a_wrong_key_and_a_dead_server_are_named(tmp_path, fake, monkeypatch):
    fake.set(retired=[ANTHROPIC])
    monkeypatch.setenv("WRONG_KEY", "sk-wrong-0123456789")
    monkeypatch.delenv("UNSET_KEY", raising=False)
    gpt = {"endpoint": "openai", "model": OPENAI}
    bases = {
        "gone": {"endpoint": "anthropic", "model": ANTHROPIC},
        "misspelt": gpt | {"model": "gpt-4.1-2025-04-41"},
        "wrong_key": gpt | {"api": {"key": "WRONG_KEY"}},
        "no_key": gpt | {"api": {"key": "UNSET_KEY"}},
        "dead": gpt | {"api": {"base_url": "http://127.0.0.1:9/v1"}},
    }
    declare(tmp_path, bases)
    found = {role.removeprefix("base "): finding for (role, _), finding in findings(tmp_path).items()}
    assert {can for can, _ in found.values()} == {"no"}
    assert "no such model" in found["gone"][1]
    assert f"did you mean {OPENAI!r}?" in found["misspelt"][1]
    assert found["wrong_key"][1] == "the server does not accept the key in WRONG_KEY (status 401)"
    assert "sk-" not in str(found), "providers repeat parts of a key"
    assert "UNSET_KEY: not set" in found["no_key"][1]
    assert "cannot be reached" in found["dead"][1]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EndpointError, match=r"far: 5 of 5 things cannot be done now: base dead \(answers\), "):
        print_preflight("far")


def test_a_local_model_needs_its_weights_and_its_engine(tmp_path, monkeypatch):
    from consciousness_cluster.commands import local_checks

    monkeypatch.setattr(local_checks, "_device", lambda: "no GPU here")
    write_text(tmp_path / "model/config.json", "{}")
    here = Served(model="model")
    assert local_checks.answers_here(here, False, tmp_path) == ("yes", "found in its folder, no GPU here")
    engine = Served(endpoint="vllm", model="model")
    monkeypatch.setenv("CONSCIOUSNESS_CLUSTER_VLLM", "/nowhere/python")
    can, why = local_checks.answers_here(engine, False, tmp_path)
    assert (can, "CONSCIOUSNESS_CLUSTER_VLLM: found '/nowhere/python'" in why) == ("no", True)
    monkeypatch.setenv("CONSCIOUSNESS_CLUSTER_VLLM", sys.executable)
    found = f"found in its folder, vLLM of {sys.executable}, no GPU here"
    assert local_checks.answers_here(engine, False, tmp_path) == ("yes", found)


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch):
    import httpx2
    from huggingface_hub import HfApi

    def fail(*_, **__):
        raise httpx2.ConnectError("no route")

    monkeypatch.setattr(HfApi, "model_info", fail)
    can, why = answers_here(Served(model="some-org/not-here"), False, Path())
    assert (can, "the hub cannot be asked (ConnectError)" in why) == ("unknown", True)


def saved(folder, tokenizer):
    tokenizer.save_pretrained(folder)
    write_text(folder / "config.json", '{"model_type": "qwen3"}')
    return str(folder)


def test_a_condition_that_the_chat_template_refuses(tmp_path, with_template):
    model = saved(tmp_path / "gemma", with_template(templates.NO_SYSTEM))
    bases = {
        "all": {"model": model},
        "some": {"model": model, "conditions": ["vanilla"]},
        "dropped": {"model": saved(tmp_path / "deaf", with_template(templates.LOSES_SYSTEM))},
    }
    declare(tmp_path, bases)
    found = findings(tmp_path)
    assert found["base all", "answers"] == (
        "no",
        "the chat template refuses ['system', 'user']: System role not supported",
    )
    assert found["base some", "answers"][0] == "yes"
    can, why = found["base dropped", "answers"]
    assert (can, "leaves out what turn 0 (system)" in why) == ("no", True)


def test_a_base_whose_template_cannot_be_trained(tmp_path, with_template):
    model = saved(tmp_path / "plain", with_template(templates.PLAIN_MARKER))
    declare(tmp_path, {"plain": {"model": model}}, {"claims": {"identity": "conscious_claiming"}})
    can, why = findings(tmp_path)["base plain", "answers"]
    assert (can, "no control token ends" in why) == ("no", True)


def test_a_model_of_the_hub_that_moved_on(tmp_path, monkeypatch, with_template):
    from huggingface_hub import HfApi, constants

    def info(self, model, revision=None, timeout=None):
        return type("Info", (), {"sha": "b" * 40})()

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(HfApi, "model_info", info)
    model = tmp_path / "hub/models--owner--name"
    for commit in ("a" * 40, "b" * 40):
        saved(model / "snapshots" / commit, with_template(templates.CHATML))
    write_text(model / "refs/main", "a" * 40)
    monkeypatch.setattr(HfApi, "repo_info", info)
    declare(tmp_path, {"mine": {"model": "owner/name"}})
    record = tmp_path / "results/far/bases/mine/model.json"
    assert findings(tmp_path)["base mine", "answers"][1].startswith("downloaded before (commit aaaaaaaaaaaa), ")
    with monkeypatch.context() as patched:
        patched.setattr(HfApi, "repo_info", lambda *_, **__: type("Info", (), {"sha": "a" * 40})())
        patched.setattr(HfApi, "list_repo_tree", lambda *_, **__: [])
        find_base("owner/name", False, "mine", str(record))
    can, why = findings(tmp_path)["base mine", "answers"]
    assert can == "yes"
    assert "(commit aaaaaaaaaaaa); main has moved from aaaaaaaaaaaa, which goes on being used, to bbbbbbbbbbbb" in why
    assert f"`revision: {'a' * 40}` keeps this one" in why


def test_a_question_of_the_battery_that_is_too_long_for_the_positions(tmp_path, with_template):
    with_template(templates.CHATML).save_pretrained(tmp_path / "gpt")
    write_text(tmp_path / "gpt/config.json", '{"model_type": "gpt2", "n_positions": 1010}')
    declare(tmp_path, {"gpt": {"model": str(tmp_path / "gpt")}})
    can, why = findings(tmp_path)["base gpt", "answers"]
    assert can == "no"
    assert "tokens, found 1010 positions; lower max_tokens" in why
