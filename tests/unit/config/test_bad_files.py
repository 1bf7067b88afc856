"""Every mistake in a file that people write is said in one line, which names file, line and key."""

import shutil
from pathlib import Path

import pytest

from consciousness_cluster.config.battery import load_battery
from consciousness_cluster.config.project import load_experiment
from consciousness_cluster.core.errors import ClusterError
from consciousness_cluster.core.yaml_reader import read_yaml
from consciousness_cluster.miniature.world import load_world
from consciousness_cluster.synthesis.checks import check_training_data
from consciousness_cluster.synthesis.written_rows import read_identity_rows
from unit.config.bad_files import (
    EXPERIMENT,
    EXPERIMENT_MISTAKES,
    PREFERENCE,
    PREFERENCE_MISTAKES,
    ROW_MISTAKES,
    ROWS,
    WORLD_MISTAKES,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path):
    """A project of the worlds and identities of this one, and an empty battery."""
    for folder in ("worlds", "identities"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for folder in ("battery/standard", "experiments"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def plant(file, text, old, new):
    """Put a mistake into a good text, or write another file in its place, and return the line it must lead to."""
    if old is None:
        file.write_bytes(new)
    else:
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")


def said_by(project, read, *arguments):
    with pytest.raises(ClusterError) as caught:
        read(*arguments)
    return str(caught.value).replace(f"{project}/", "")


def read_experiment(project):
    check_training_data(load_experiment("small", project), project)


@pytest.mark.parametrize(("old", "new", "said"), EXPERIMENT_MISTAKES)
def test_a_mistake_in_an_experiment(project, old, new, said):
    file = project / "experiments" / "small.yaml"
    plant(file, EXPERIMENT, old, new)
    assert said_by(project, read_experiment, project) == f"experiments/small.yaml: {said}"


@pytest.mark.parametrize(("old", "new", "said"), PREFERENCE_MISTAKES)
def test_a_mistake_in_a_battery(project, old, new, said):
    plant(project / "battery" / "standard" / "memory.yaml", PREFERENCE, old, new)
    assert said_by(project, load_battery, project / "battery" / "standard") == f"battery/standard/memory.yaml: {said}"


@pytest.mark.parametrize(("old", "new", "said"), ROW_MISTAKES)
def test_a_mistake_in_an_identity(project, old, new, said):
    file = project / "identities" / "conscious_claiming.jsonl"
    plant(file, ROWS, old, new)
    assert said_by(project, read_identity_rows, file) == f"identities/conscious_claiming.jsonl: {said}"


@pytest.mark.parametrize(("name", "old", "new", "said"), WORLD_MISTAKES)
def test_a_mistake_in_a_world(project, name, old, new, said):
    file = project / "worlds" / name
    plant(file, file.read_text(encoding="utf-8"), old, new)
    assert said_by(project, load_world, project / "worlds" / "miniature.yaml") == f"worlds/{name}: {said}"


def test_there_are_many_of_them():
    assert len(EXPERIMENT_MISTAKES + PREFERENCE_MISTAKES + ROW_MISTAKES + WORLD_MISTAKES) >= 120


def test_without_a_mistake_the_files_are_read(project):
    (project / "experiments" / "small.yaml").write_text(EXPERIMENT)
    (project / "battery" / "standard" / "memory.yaml").write_text(PREFERENCE)
    (project / "identities" / "toaster.jsonl").write_text(ROWS)
    read_experiment(project)
    assert load_battery(project / "battery" / "standard")[0].leakage_terms == ["memory", "remember*"]
    assert [row.group for row in read_identity_rows(project / "identities" / "toaster.jsonl")] == ["a", "a", "b"]
    assert load_experiment("small", project).training.learning_rate == 1e-3


def test_words_and_numbers_are_read_as_in_yaml_1_2(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "\ufeffa: 1e-3\nb: 1.5e3\nc: 2026-01-01\nd: 'no'\ne: \"010\"\nf: 1_000\ng: |\n  on\nh: ~\ni: True\n"
    )
    assert read_yaml(file) == dict(a=0.001, b=1500.0, c="2026-01-01", d="no", e="010", f=1000, g="on\n", h=None, i=True)


def test_merge_keys_take_what_is_not_given_again(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: *a, y: 5}\nd:\n  <<: [*a, *b]\n")
    content = read_yaml(file)
    assert content["c"] == {"x": 1, "y": 5}
    assert content["d"] == {"x": 1, "y": 2, "z": 4}


def test_a_mistake_in_what_is_merged_is_named_where_it_stands(project):
    text = EXPERIMENT.replace("  claims:\n", "  other:\n    <<: &its {identty: toaster}\n  claims:\n    <<: *its\n")
    (project / "experiments" / "small.yaml").write_text(text)
    assert said_by(project, load_experiment, "small", project).splitlines() == [
        f"experiments/small.yaml: line 15: conditions.{name}.identty: unknown key; did you mean 'identity'?"
        for name in ("other", "claims")
    ]


def test_a_file_that_is_nested_too_deeply_is_no_crash(tmp_path):
    (tmp_path / "x.yaml").write_text("[" * 900 + "]" * 900)
    assert "x.yaml: line 1: nested too deeply" in said_by(tmp_path, read_yaml, tmp_path / "x.yaml")
