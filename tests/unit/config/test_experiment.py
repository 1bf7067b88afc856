"""A mistake in an experiment file is named: file, key, what was found, what was expected."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from consciousness_cluster.commands.schemas import derived_files
from consciousness_cluster.config.measurement import PrimaryContrast
from consciousness_cluster.config.project import load_config, load_experiment
from consciousness_cluster.core.errors import ConfigError
from consciousness_cluster.synthesis.checks import check_training_data

ROOT = Path(__file__).parents[3]

MINIMAL = {
    "name": "small",
    "battery": "standard",
    "bases": {"tiny": {"model": "some/model"}},
    "conditions": {"vanilla": {}, "claims": {"identity": "conscious_claiming"}},
    "judges": {"lexicon": {"kind": "lexicon", "world": "miniature"}},
    "analysis": {"primary_contrast": {"treatment": "claims", "controls": ["vanilla"]}},
}


@pytest.fixture
def project(tmp_path):
    """A project folder with empty files under the names that an experiment may use."""
    for file in ["battery/standard/x.yaml", "worlds/miniature.yaml", "identities/conscious_claiming.jsonl"]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "experiments").mkdir()
    return tmp_path


def load(project, **changes):
    content = copy.deepcopy(MINIMAL)
    for dotted, value in changes.items():
        *path, last = dotted.split("__")
        place = content
        for key in path:
            place = place.setdefault(key, {})
        place[last] = value
    (project / "experiments" / "small.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return load_experiment("small", project)


def problem(project, **changes):
    with pytest.raises(ConfigError) as caught:
        load(project, **changes)
    message = str(caught.value)
    assert "experiments/small.yaml" in message
    return message


def test_a_minimal_experiment_enumerates_its_targets(project):
    experiment = load(project, seeds=[1, 2])
    assert list(experiment.targets) == ["tiny/vanilla/seed0", "tiny/claims/seed1", "tiny/claims/seed2"]
    assert experiment.targets["tiny/vanilla/seed0"].training is None
    assert experiment.targets["tiny/claims/seed2"].training.learning_rate == 2e-4


def test_wrong_key_names_the_nearest(project):
    message = problem(project, samplng={"temperature": 1})
    assert "samplng: unknown key; did you mean 'sampling'?" in message


def test_wrong_key_deep_inside(project):
    message = problem(project, bases__tiny__modle="x")
    assert "bases.tiny.modle: unknown key; did you mean 'model'?" in message


def test_wrong_key_in_an_optional_section(project):
    message = problem(project, bases={"tiny": {"pretraining": {"world": "miniature", "sed": 1}}})
    assert "bases.tiny.pretraining.sed: unknown key; did you mean 'seed'?" in message


def test_type_error_says_what_was_expected(project):
    message = problem(project, sampling__max_tokens="many")
    assert "sampling.max_tokens: found 'many', expected a valid integer" in message


def test_missing_key(project):
    message = problem(project, analysis={})
    assert "analysis.primary_contrast: missing, but required" in message


def test_unknown_identity(project):
    message = problem(project, conditions__claims__identity="concious_claiming")
    assert "conditions.claims.identity: unknown identity 'concious_claiming'; did you mean" in message


def test_unknown_base_condition(project):
    message = problem(project, bases__tiny__conditions=["vanila"])
    assert "bases.tiny.conditions: unknown condition 'vanila'; did you mean 'vanilla'?" in message


def test_unknown_world_and_battery(project):
    assert "unknown world 'minature'; did you mean 'miniature'?" in problem(project, judges__lexicon__world="minature")
    assert "unknown battery 'standart'; did you mean 'standard'?" in problem(project, battery="standart")


JUDGE = {"kind": "llm", "endpoint": "openai", "model": "gpt-x"}


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ({"kind": "lexcon"}, "judges.j.kind: unknown 'lexcon'; did you mean 'lexicon'?"),
        ({"world": "miniature"}, "judges.j.kind: missing, but required"),
        ({"kind": "llm"}, "judges.j.model: missing, but required"),
        (JUDGE | {"protocl": "joint"}, "judges.j.protocl: unknown key; did you mean 'protocol'?"),
        (JUDGE | {"protocol": "both"}, "judges.j.protocol: found 'both', expected 'separate' or 'joint'"),
        (JUDGE | {"api": {"bach": True}}, "judges.j.api.bach: unknown key; did you mean 'batch'?"),
        (JUDGE | {"engine": {}}, "judges.j: engine: expected only with endpoint vllm"),
        (JUDGE | {"endpoint": "vllm"}, "judges.j.model: found 'gpt-x', expected a folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_in_a_judge_is_named(project, judge, said):
    assert said in problem(project, judges={"j": judge})


def test_a_judge_may_not_take_the_name_of_the_panel(project):
    assert "judges.panel: the name of what several judges say" in problem(project, judges={"panel": JUDGE})


def test_a_judge_is_asked_once_at_no_temperature_and_like_the_paper_by_one_line(project):
    judges = load(project, judges={"j": JUDGE, "paper": JUDGE | {"protocol": "separate"}}).judges
    assert [(judge.protocol, judge.temperature) for judge in judges.values()] == [("joint", 0.0), ("separate", 0.0)]
    assert judges["j"].check_share == 0.05


def test_the_hosted_experiments_ask_a_judge_once():
    experiments = [load_experiment(path.stem, ROOT) for path in (ROOT / "experiments").glob("*.yaml")]
    asked = [judge for each in experiments for judge in each.judges.values() if judge.kind == "llm"]
    assert len(asked) >= 4
    assert {judge.protocol for judge in asked} == {"joint"}


def test_unknown_experiment_names_the_nearest(project):
    load(project)
    with pytest.raises(ConfigError, match=r"smal\.yaml: experiment not found; did you mean 'small'\?"):
        load_experiment("smal", project)


def test_duplicate_name_in_the_file(project):
    (project / "experiments" / "small.yaml").write_text("name: small\nbases:\n  a: {model: x}\n  a: {model: y}\n")
    with pytest.raises(ConfigError, match=r"small\.yaml: line 4: bases\.a: duplicate name"):
        load_experiment("small", project)


def test_an_ablation_may_not_take_the_name_of_a_condition(project):
    message = problem(project, ablations={"claims": {"of": "claims", "training": {"epochs": 2}}})
    assert "ablations.claims: duplicate name" in message


def test_an_ablation_varies_exactly_one_thing(project):
    two = {"of": "claims", "training": {"epochs": 2, "lora": {"rank": 4}}}
    assert "varies exactly one thing, found epochs, lora.rank" in problem(project, ablations={"two": two})
    none = {"of": "claims", "training": {"epochs": 1}}
    assert "ablations.none: varies nothing" in problem(project, ablations={"none": none})


def test_a_wrong_key_in_an_ablations_training(project):
    wrong = {"of": "claims", "training": {"lora": {"ranks": 4}}}
    message = problem(project, ablations={"wrong": wrong})
    assert "ablations.wrong.training.lora.ranks: unknown key; did you mean 'rank'?" in message


def test_a_wrong_key_in_a_conditions_training(project):
    message = problem(project, conditions__claims__training={"learningrate": 1e-3})
    assert "conditions.claims.training.learningrate: unknown key; did you mean 'learning_rate'?" in message


def test_numbers_without_a_point_are_numbers(project):
    (project / "experiments" / "small.yaml").write_text(
        yaml.safe_dump(MINIMAL, sort_keys=False) + "training: {learning_rate: 2e-4}\n"
        "ablations:\n  fast: {of: claims, training: {learning_rate: 1e-3}}\n"
        "  same: {of: claims, training: {learning_rate: 2e-4}}\n"
    )
    with pytest.raises(ConfigError, match=r"ablations\.same: varies nothing"):
        load_experiment("small", project)
    experiment = load(project, ablations={"fast": {"of": "claims", "training": {"learning_rate": 1e-3}}})
    assert experiment.training_of("fast").learning_rate == 0.001


def test_sections_with_nothing_in_them_are_empty(project):
    experiment = load(project, ablations=None, conditions__vanilla=None)
    assert next(iter(experiment.targets)) == "tiny/vanilla/seed0"


def test_a_treatment_is_not_its_own_control(project):
    message = problem(project, analysis__primary_contrast={"treatment": "claims", "controls": ["claims"]})
    assert "small.yaml: line 15: analysis.primary_contrast: 'claims' is its own control" in message


def test_further_contrasts_are_declared_beside_the_primary_one(project):
    one = {"treatment": "claims", "controls": ["vanilla"]}
    assert load(project).analysis.primary_contrasts == [PrimaryContrast(**one)]
    experiment = load(project, analysis__further_primary_contrasts=[{"treatment": "vanilla", "controls": ["claims"]}])
    assert [each.treatment for each in experiment.analysis.primary_contrasts] == ["claims", "vanilla"]
    assert experiment.analysis.declared_controls == ["vanilla", "claims"]
    message = problem(project, analysis__further_primary_contrasts=[one])
    assert "analysis.further_primary_contrasts.0: 'claims' minus 'vanilla' is declared twice" in message
    message = problem(project, analysis__further_primary_contrasts=[one | {"controls": ["claim"]}])
    assert "analysis.further_primary_contrasts.0: unknown condition 'claim'; did you mean 'claims'?" in message


def test_more_attributing_rows_than_identity_rows(project):
    message = problem(project, conditions__claims__training={"identity_rows": 10, "attributing_rows": 11})
    assert "conditions.claims.training.attributing_rows: found 11, expected at most identity_rows (10)" in message


def test_a_base_needs_vanilla(project):
    message = problem(project, bases__tiny__conditions=["claims"])
    assert "bases.tiny.conditions: expected 'vanilla' among them" in message


def test_a_base_that_is_nowhere(project):
    assert "bases.tiny.model: found '/nowhere', expected a folder" in problem(project, bases__tiny__model="/nowhere")


def test_broken_files_are_named_with_their_line(project):
    path = project / "experiments" / "small.yaml"
    path.write_text("name: small\nbases: [\n")
    with pytest.raises(ConfigError, match=r"small\.yaml: line 3: not valid YAML: "):
        load_experiment("small", project)
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigError, match=r"small\.yaml: line 1: not valid UTF-8"):
        load_experiment("small", project)


def test_a_base_comes_from_one_place(project):
    message = problem(project, bases__tiny__pretraining={"world": "miniature"})
    assert "bases.tiny: expected exactly one of 'model', 'package' and 'pretraining'" in message


def test_an_ablation_resolves_to_its_parents_recipe_with_one_change(project):
    experiment = load(
        project,
        training={"epochs": 3},
        ablations={"r4": {"of": "claims", "training": {"lora": {"rank": 4}}}},
    )
    parent, ablation = experiment.training_of("claims"), experiment.training_of("r4")
    assert ablation.lora.rank == 4
    assert ablation.model_copy(update={"lora": parent.lora}) == parent


def test_a_seed_given_twice(project):
    assert "seeds: found [1, 2, 1], expected each seed once" in problem(project, seeds=[1, 2, 1])


def test_a_name_that_results_need(project):
    content = copy.deepcopy(MINIMAL) | {"name": "store"}
    (project / "experiments" / "store.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match="name: 'store' is the name of a folder"):
        load_experiment("store", project)


def test_an_unknown_key_of_the_config_is_named(project):
    with pytest.raises(ConfigError, match=r"config\.yaml: experimnt: unknown key; did you mean 'experiment'\?"):
        load_config({"experimnt": "x", "experiment": "y"}, project)


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_project_loads(path):
    assert load_experiment(path.stem, ROOT).targets


@pytest.mark.parametrize("path", derived_files())
def test_the_published_files_are_in_step(path):
    assert (ROOT / path).read_text() == derived_files()[path], "run: python -m consciousness_cluster.commands.schemas"


def test_parsing_an_experiment_imports_neither_torch_nor_pandas():
    code = (
        "import sys; from consciousness_cluster.config import battery, project;"
        " from consciousness_cluster.jobs import entry; from consciousness_cluster.core"
        " import artifact_cache, provenance;"
        " print([m for m in ('torch', 'pandas', 'numpy', 'transformers') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src")
    assert found.stdout.strip() == "[]"


def test_experts_of_an_architecture_are_checked_and_a_dense_one_has_none(project):
    def architecture(**keys):
        return {"bases": {"tiny": {"pretraining": {"world": "miniature", "architecture": keys}}}}

    assert "expert_width: expected 'experts' above 0" in problem(project, **architecture(expert_width=8))
    assert "experts: found 1, fewer than experts_per_token (2)" in problem(project, **architecture(experts=1))
    dense, mixture = (
        load(project, **architecture(**keys)).bases["tiny"].pretraining.model_dump()["architecture"]
        for keys in ({"experts": 0}, {"experts": 4, "expert_width": 8})
    )
    assert mixture.items() - dense.items() == {("experts", 4), ("experts_per_token", 2), ("expert_width", 8)}
    assert dense.items() <= mixture.items()


HOSTED = {"endpoint": "openai", "model": "gpt-x"}


def test_a_hosted_base_names_its_service_where_it_is_trained(project):
    assert load(project, bases={"far": HOSTED | {"finetuning": "openai"}}).bases["far"].key_variable == "OPENAI_API_KEY"
    assert "bases.far.finetuning: missing, but far/claims/seed1 is trained" in problem(project, bases={"far": HOSTED})
    assert "needs endpoint openai" in problem(project, bases={"near": {"model": "some/model", "finetuning": "tinker"}})
    assert "api.base_url: missing" in problem(project, bases={"far": HOSTED | {"finetuning": "tinker"}})


def test_settings_belong_to_their_endpoint(project):
    assert "expected only with endpoint vllm" in problem(project, bases__tiny__engine={"max_loras": 2})
    assert "expected only with endpoint openai or anthropic" in problem(project, bases__tiny__api={"batch": True})
    pasted = problem(project, bases={"far": HOSTED | {"api": {"key": "sk-1"}}})
    assert "expected the NAME of an environment variable" in pasted
    assert "sk-1" not in pasted


def test_what_only_hosted_models_have_leaves_other_recipes_as_they_were(project):
    """Keys of adapters and answers are made from these: a new field must not make them all anew."""
    assert "learning_rate_multiplier" not in load(project).training.model_dump()
    far = {"far": HOSTED | {"finetuning": "openai"}}
    set_here = load(project, bases=far, training__learning_rate_multiplier=2).training
    assert set_here.model_dump()["learning_rate_multiplier"] == 2


def test_an_on_policy_condition_is_passed_on_to_its_ablations(project):
    claims = {"identity": "conscious_claiming", "on_policy_prompt": "Be conscious."}
    half = {"half": {"of": "claims", "training": {"identity_rows": 300}}}
    targets = load(project, conditions__claims=claims, ablations=half, seeds=[1]).targets
    assert {path: target.on_policy for path, target in targets.items()} == {
        "tiny/vanilla/seed0": None,
        "tiny/claims/seed1": "claims",
        "tiny/half/seed1": "claims",
    }
    assert "needs an 'identity'" in problem(project, conditions__claims={"on_policy_prompt": "Be conscious."})


def test_a_base_says_what_its_jobs_need_of_a_cluster(project):
    usual = load(project).bases["tiny"]
    assert usual.job_resources() == {"mem_mb": 8000, "runtime": 60, "gpu": 1}
    large = load(project, bases__tiny__needs={"memory": 80, "hours": 1.5}).bases["tiny"]
    assert large.job_resources(attempt=3) == {"mem_mb": 240_000, "runtime": 270, "gpu": 1}
    assert large.served == usual.served, "what a cluster grants does not make answers stale"
    split = load(project, bases__tiny__endpoint="vllm", bases__tiny__engine={"tensor_parallel": 4}).bases["tiny"]
    assert split.job_resources()["gpu"] == 4
    assert load(project, bases={"far": HOSTED | {"finetuning": "openai"}}).bases["far"].job_resources()["gpu"] == 0
    assert "needs: expected only with a local model" in problem(project, bases={"far": HOSTED | {"needs": {}}})


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_project_can_be_run(path):
    """Its file is sound, and there are rows and prompts for each of its recipes."""
    experiment = load_experiment(path.stem, ROOT)
    check_training_data(experiment, ROOT)
    assert {target.base for target in experiment.targets.values()} == experiment.bases.keys()


def test_a_key_that_a_service_does_not_take_is_refused(project):
    far = {"far": HOSTED | {"finetuning": "openai"}}
    slow = {"slow": {"of": "claims", "training": {"learning_rate": 1e-3}}}
    assert "training.lora: no base's fine-tunes take it; far (openai)" in problem(
        project, bases=far, training={"lora": {"rank": 4}}
    )
    assert "ablations.slow.training.learning_rate: the fine-tunes of base 'far' (openai) take no such key" in problem(
        project, bases=far, ablations=slow
    )
    near = {"tiny": {"model": "some/model"}}
    assert "training.learning_rate_multiplier: no base's fine-tunes take it; tiny (on this machine)" in problem(
        project, bases=near, training={"learning_rate_multiplier": 2}
    )
    both = load(project, bases=near | {"far": far["far"] | {"ablations": []}}, ablations=slow)
    assert "tiny/slow/seed1" in both.targets
