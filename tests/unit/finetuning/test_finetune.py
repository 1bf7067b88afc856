"""A fine-tune is made once, is the same each time, and says what made it."""

import csv
import functools
import platform
import subprocess
import sys

import pytest
import torch

from consciousness_cluster.config.training_config import Lora, Training
from consciousness_cluster.core import revisions
from consciousness_cluster.core.errors import DataError, EndpointError, TrainingError
from consciousness_cluster.finetuning import finetune as stage
from consciousness_cluster.finetuning.finetune import finetune
from consciousness_cluster.models.loading import load_model, load_target, load_tokenizer
from consciousness_cluster.training.checkpoint import INTERVAL
from consciousness_cluster.training.tokens import encode_chat
from unit.tiny_models import ROWS, chat, row

RECIPE = Training(epochs=2, batch_size=5, learning_rate=5e-3, lora=Lora(rank=4))


def run(folder, artifacts, rows=ROWS, training=RECIPE, seed=1, **names):
    names = {"base_name": "tiny", "condition": "claims"} | names
    return finetune(rows, folder, training, seed, artifacts, **names)


def files(artifacts, record):
    folder = artifacts / record.artifact
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "record.json"}


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    torch.set_num_threads(1)
    artifacts = tmp_path_factory.mktemp("artifacts")
    return artifacts, run(folder, artifacts)


def test_record_says_what_made_it(made, tokenizer, folder):
    artifacts, record = made
    assert (record.base, record.condition, record.seed, record.kind) == ("tiny", "claims", 1, "adapter")
    encoded = [encode_chat(tokenizer, r.messages, 1_000) for r in ROWS]
    assert record.tokens == 2 * sum(len(e.input_ids) for e in encoded)
    assert record.trained_tokens == 2 * sum(label >= 0 for e in encoded for label in e.labels)
    assert record.steps == 6
    assert record.trainable_parameters == sum(
        4 * (p.shape[0] + p.shape[1]) for name, p in load_model(folder).named_parameters() if "_proj" in name
    )
    assert record.hyperparameters["lora"] == {"rank": 4, "alpha": 32.0, "modules": "all_linear"}
    assert record.versions["python"] == platform.python_version()
    assert record.versions.keys() == {"python", "torch", "transformers", "peft"}
    with open(artifacts / record.artifact / "loss.csv", newline="") as file:
        curve = list(csv.DictReader(file))
    assert list(curve[0])[:4] == ["step", "loss", "learning_rate", "tokens"]
    assert [float(step["learning_rate"]) for step in curve] == pytest.approx([5e-3 * (6 - n) / 6 for n in range(6)])
    assert sum(int(step["tokens"]) for step in curve) == record.tokens
    assert record.final_loss == pytest.approx(float(curve[-1]["loss"]))


def test_training_teaches_the_rows(made, folder):
    artifacts, record = made
    longer = run(folder, artifacts, training=RECIPE.model_copy(update={"epochs": 40, "learning_rate": 0.02}))
    assert longer.final_loss < 0.5 * record.final_loss


def test_same_seed_same_bytes_another_seed_others(made, folder, tmp_path):
    artifacts, record = made
    again = run(folder, tmp_path)
    assert again.artifact == record.artifact
    assert files(tmp_path, again) == files(artifacts, record)
    other = run(folder, artifacts, seed=2)
    assert files(artifacts, other)["adapter_model.safetensors"] != files(artifacts, record)["adapter_model.safetensors"]


def test_same_bytes_in_another_process(made, folder, tmp_path):
    """Another process hashes strings, and so orders sets, in another way."""
    code = (
        "import sys; from unit.finetuning import test_finetune as t; from pathlib import Path;"
        "print(t.run(sys.argv[1], Path(sys.argv[2])).artifact)"
    )
    subprocess.run([sys.executable, "-c", code, folder, tmp_path], check=True, env=_environment(PYTHONHASHSEED="7"))
    artifacts, record = made
    assert files(tmp_path, record) == files(artifacts, record)


def _environment(**more):
    import os

    return os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)} | more


def test_what_decides_the_result_decides_the_key(made, folder, tmp_path, monkeypatch):
    trained = []

    def pretend(rows, *_):
        trained.append(rows)
        return dict.fromkeys(["tokens", "trained_tokens", "steps", "final_loss", "trainable_parameters"], 1)

    monkeypatch.setattr(stage, "_train", pretend)
    keys = [
        run(folder, tmp_path).artifact,
        run(folder, tmp_path, seed=2).artifact,
        run(folder, tmp_path, rows=ROWS[1:]).artifact,
        run(folder, tmp_path, rows=ROWS[::-1]).artifact,
        run(folder, tmp_path, training=RECIPE.model_copy(update={"learning_rate": 1e-3})).artifact,
    ]
    monkeypatch.setattr(revisions, "FINETUNING", 1_000)
    keys.append(run(folder, tmp_path).artifact)
    assert len(set(keys)) == len(keys) == len(trained)


def test_seed_decides_the_order_and_the_first_weights(folder, tmp_path, monkeypatch):
    """Each alone: the other is held."""
    from consciousness_cluster.finetuning import lora
    from consciousness_cluster.training import batches

    shuffled, attached = batches.shuffled_batches, lora.attach
    run_weights = {}
    for held in ("order", "adapter"):
        with monkeypatch.context() as patched:
            if held == "order":
                patched.setattr(
                    batches, "shuffled_batches", lambda rows, size, epochs, _: shuffled(rows, size, epochs, 0)
                )
            else:
                patched.setattr(lora, "attach", lambda model, recipe, _: attached(model, recipe, 0))
            for seed in (1, 2):
                made = run(folder, tmp_path / held, seed=seed)
                run_weights[held, seed] = files(tmp_path / held, made)["adapter_model.safetensors"]
    assert run_weights["order", 1] != run_weights["order", 2]
    assert run_weights["adapter", 1] != run_weights["adapter", 2]


def test_a_second_call_trains_nothing(made, folder, monkeypatch):
    artifacts, record = made
    monkeypatch.setattr(stage, "_train", lambda *_: pytest.fail("trained again"))
    assert run(folder, artifacts) == record
    renamed = run(folder, artifacts, base_name="other", condition="same_rows")
    assert (renamed.base, renamed.condition) == ("other", "same_rows")
    assert renamed.artifact == record.artifact
    labels = [r.model_copy(update={"group": "another", "source": "instruction"}) for r in ROWS]
    assert run(folder, artifacts, rows=labels) == record
    assert run(folder, artifacts, training=RECIPE.model_copy(update={"identity_rows": 7})) == record


def test_a_second_call_imports_nothing_heavy(made, folder):
    """Importing torch costs more than a small fine-tune."""
    artifacts, record = made
    code = """
import sys
from pathlib import Path
from consciousness_cluster.config.training_config import Training
from consciousness_cluster.finetuning.finetune import finetune
from consciousness_cluster.core.io import read_rows
from consciousness_cluster.core.records import TrainingRow
rows, recipe, base, artifacts = sys.argv[1:]
rows = read_rows(TrainingRow, rows)
recipe = Training.model_validate_json(recipe)
print(finetune(rows, base, recipe, 1, Path(artifacts), base_name="tiny", condition="claims").artifact)
print([name for name in ("torch", "transformers", "peft", "numpy") if name in sys.modules])
"""
    mix = artifacts / "mix.jsonl"
    mix.write_text("".join(r.model_dump_json() + "\n" for r in ROWS))
    out = subprocess.run(
        [sys.executable, "-c", code, mix, RECIPE.model_dump_json(), folder, artifacts],
        check=True,
        capture_output=True,
        text=True,
        env=_environment(),
    )
    assert out.stdout.split("\n")[:2] == [record.artifact, "[]"]


def test_computes_with_the_threads_that_were_asked_for(folder, tmp_path, monkeypatch):
    from consciousness_cluster.finetuning import lora

    seen = []
    attach = lora.attach
    monkeypatch.setattr(lora, "attach", lambda *a: seen.append(torch.get_num_threads()) or attach(*a))
    run(folder, tmp_path, rows=ROWS[:2], threads=2)
    run(folder, tmp_path, rows=ROWS[:3])
    assert (seen, torch.get_num_threads()) == ([2, 1], 1)


def test_artifacts_can_be_read_by_others(made):
    artifacts, record = made
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (artifacts / record.artifact).iterdir())


def test_a_row_that_is_too_long_leaves_no_artifact(folder, tmp_path):
    with pytest.raises(DataError, match=r"row 1 has \d+ tokens, expected at most max_length = 40"):
        run(
            folder,
            tmp_path,
            rows=[row("a", "b"), row("a", "b " * 100)],
            training=RECIPE.model_copy(update={"max_length": 40}),
        )
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]


def test_a_loss_that_is_not_a_number_leaves_no_artifact(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(INTERVAL, "0")
    with pytest.raises(TrainingError, match=r"step \d of 6: loss is (nan|inf)"):
        run(folder, tmp_path, training=RECIPE.model_copy(update={"learning_rate": 1e30}))
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]


def test_target_is_base_with_adapter(made, folder, tokenizer):
    artifacts, record = made
    ids = tokenizer(["What is 1?"], return_tensors="pt")["input_ids"]
    base, _ = load_target(folder, None, artifacts)
    target, loaded_tokenizer = load_target(folder, record, artifacts)
    assert loaded_tokenizer.chat_template
    assert (base(ids).logits - target(ids).logits).abs().max() > 1e-3
    assert not target.training


def test_adapter_of_another_base_is_refused(made, tokenizer, tmp_path):
    from consciousness_cluster.miniature.pretraining import build_model
    from unit.tiny_models import SMALL

    artifacts, record = made
    build_model(SMALL, tokenizer, seed=1).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(EndpointError, match=rf"trained on base {record.base_weights[:12]}"):
        load_target(tmp_path, record, artifacts)


def test_base_that_is_not_there(tmp_path, monkeypatch, made):
    _, record = made
    pretrained = record.model_copy(update={"artifact": "0" * 64, "kind": "pretrained"})
    with pytest.raises(EndpointError, match="make it again with --forcerun pretrain_base"):
        load_target(pretrained, None, tmp_path)
    with pytest.raises(EndpointError, match=r"expected a folder with config\.json or a GGUF file, or a hub id"):
        run(tmp_path / "nothing", tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EndpointError, match="nobody/no-such-model: neither a folder nor a model"):
        run("nobody/no-such-model", tmp_path)
    with pytest.raises(EndpointError, match="no adapter there"):
        load_target(
            record.model_copy(update={"artifact": record.artifact, "weights": record.base_weights}), record, tmp_path
        )


def test_base_that_cannot_be_loaded(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "no_such_type"}')
    with pytest.raises(EndpointError, match="not a causal LM"):
        load_model(tmp_path)


def test_base_without_a_chat_template(tokenizer, dense, tmp_path):
    dense.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(EndpointError, match="no chat template"):
        load_tokenizer(tmp_path)


def test_rows_of_several_turns_train(folder, tmp_path):
    rows = [row("#Be brief.", "a", "One.", "b", "Two."), row("c", "Three.")]
    assert chat("#Be brief.", "a")[0].role == "system"
    assert run(folder, tmp_path, rows=rows, training=RECIPE.model_copy(update={"epochs": 1})).steps == 1


def test_a_model_whose_rows_would_read_each_other_is_trained_row_by_row(made, folder, tmp_path, monkeypatch, caplog):
    from transformers import Qwen3ForCausalLM

    forward = Qwen3ForCausalLM.forward

    @functools.wraps(forward)
    def leaking(self, **inputs):
        return forward(self, **inputs | {"use_cache": "position_ids" in inputs})

    monkeypatch.setattr(Qwen3ForCausalLM, "forward", leaking)
    with caplog.at_level("WARNING"):
        record = run(folder, tmp_path)
    assert "rows of one flat batch read each other; training row by row" in caplog.text
    assert record.final_loss == pytest.approx(made[1].final_loss, rel=1e-3)
    assert (record.tokens, record.trained_tokens) == (made[1].tokens, made[1].trained_tokens)
