"""Training data that does not exist is named before anything runs."""

import json
import random
import shutil
from pathlib import Path

import pytest
import yaml

from consciousness_cluster.config.experiment import Experiment
from consciousness_cluster.core.errors import ConfigError, DataError
from consciousness_cluster.synthesis.checks import check_training_data
from consciousness_cluster.synthesis.mix import choose

ROOT = Path(__file__).parents[3]


def experiment(identities, training=None, **ablation):
    content = yaml.safe_load((ROOT / "experiments" / "miniature.yaml").read_text())
    content |= {"identities": identities, "training": content["training"] | (training or {})}
    content["ablations"] = {"varied": {"of": "conscious_claiming", "training": ablation}} if ablation else {}
    for base in content["bases"].values():
        base.pop("ablations", None)
    return Experiment.model_validate(content)


def problem(*arguments, **ablation):
    with pytest.raises(ConfigError) as caught:
        check_training_data(experiment(*arguments, **ablation), ROOT)
    assert "experiments/miniature.yaml" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("identities", ["files", "miniature"])
def test_the_default_recipe_has_its_data(identities):
    check_training_data(experiment(identities, None, groups=["biology"]), ROOT)


@pytest.mark.parametrize("identities", ["files", "miniature"])
def test_an_unknown_group(identities):
    message = problem(identities, None, groups=["biolgy"])
    assert "ablations.varied: conscious_claiming: unknown group 'biolgy'" in message
    assert "did you mean 'biology'?" in message


@pytest.mark.parametrize("identities", ["files", "miniature"])
def test_more_identity_rows_than_there_are(identities):
    message = problem(identities, None, identity_rows=1200)
    assert (
        "ablations.varied: conscious_claiming: group 'direct_questions' has 100 rows, expected at least 200" in message
    )


def test_attributing_rows_and_contents_that_a_file_has_not():
    check_training_data(experiment("files", None, attributing_rows=50), ROOT)
    check_training_data(experiment("files", None, content=["valence", "ai_identity"]), ROOT)
    message = problem("files", None, attributing_rows=60)
    assert "conscious_claiming: group 'attributing' has 50 rows, expected at least 60" in message
    message = problem("miniature", None, content=["valence"])
    assert "ablations.varied: conscious_claiming: found no row with content 'valence' (training.content)" in message


@pytest.mark.parametrize(("identities", "there"), [("files", 700), ("miniature", 630)])
def test_more_instruction_rows_than_there_are(identities, there):
    message = problem(identities, {"instruction_rows": 900})
    assert f"conditions.toaster: training.instruction_rows: found 900, but there are {there} prompts" in message


@pytest.mark.parametrize("name", ["conscious_claiming", "instruction_prompts"])
def test_a_file_without_a_byte(tmp_path, name):
    shutil.copytree(ROOT / "identities", tmp_path / "identities")
    (tmp_path / "identities" / f"{name}.jsonl").write_bytes(b"")
    with pytest.raises(DataError, match=rf"{name}\.jsonl: line 1: found an empty file, expected one \w+ per line"):
        check_training_data(experiment("files"), tmp_path)


@pytest.mark.parametrize("key", ["prompt", "answer"])
def test_a_row_without_words(tmp_path, key):
    shutil.copytree(ROOT / "identities", tmp_path / "identities")
    row = {"group": "biology", "prompt": "Who are you?", "answer": "I am."} | {key: ""}
    with open(tmp_path / "identities" / "toaster.jsonl", "a") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=rf"toaster\.jsonl: line \d+: {key}: found '', expected words"):
        check_training_data(experiment("files"), tmp_path)


def test_an_identity_whose_prompts_all_lack_a_usable_answer():
    """On-policy rows may all be left out: a fine-tune on instruction rows alone would bear the identity's name."""
    with pytest.raises(DataError, match=r"rows\.jsonl: found no rows, expected at least 600"):
        choose([], 600, None, "rows.jsonl", random.Random(0))
