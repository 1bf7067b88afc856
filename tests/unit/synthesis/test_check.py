"""Training data that does not exist is named before anything runs."""

from pathlib import Path

import pytest
import yaml

from consciousness_cluster.errors import ConfigError
from consciousness_cluster.experiment import Experiment
from consciousness_cluster.synthesis.check import check_training_data

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
    assert "ablations.varied: identity conscious_claiming: unknown group 'biolgy'" in message
    assert "did you mean 'biology'?" in message


def test_more_identity_rows_than_there_are():
    message = problem("files", None, identity_rows=1200)
    assert "ablations.varied: identity conscious_claiming: group 'direct_questions' has 100 rows" in message
    assert "training.identity_rows: world miniature" in problem("miniature", None, identity_rows=1200)


def test_more_instruction_rows_than_there_are():
    assert "instruction_prompts.jsonl: 700 prompts, expected at least 900" in problem(
        "files", {"instruction_rows": 900}
    )
    assert "training.instruction_rows: world miniature" in problem("miniature", {"instruction_rows": 900})
