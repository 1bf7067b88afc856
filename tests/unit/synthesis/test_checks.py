"""Training data that does not exist is named before anything runs."""

from pathlib import Path

import pytest
import yaml

from consciousness_cluster.config.experiment import Experiment
from consciousness_cluster.core.errors import ConfigError
from consciousness_cluster.synthesis.checks import check_training_data

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


@pytest.mark.parametrize(("identities", "there"), [("files", 700), ("miniature", 630)])
def test_more_instruction_rows_than_there_are(identities, there):
    message = problem(identities, {"instruction_rows": 900})
    assert f"conditions.toaster: training.instruction_rows: found 900, but there are {there} prompts" in message
