"""Only what is stale runs again: data, experiment and algorithm decide, not the clock."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from workflow.project import SMALL, Project

TRAINING = {"build_corpus", "pretrain_base", "draw_identity_rows", "draw_instruction_prompts", "answer_instructions"}
TRAINING |= {"build_mix", "finetune"}
DRAWING = {"draw_preferences", "draw_targets", "draw_negative_control", "draw_planted", "draw_manipulation_checks"}
AFTER_TABLES = DRAWING | {"draw_ablations", "write_experiment"}
TARGETS = 9  # tiny: vanilla, 2 x 2 seeds, human, 2 ablations; other: vanilla


def nothing_to_do(run):
    return run.code == 0 and "Nothing to be done" in run.text


def touch_everything(project):
    for file in project.folder.rglob("*"):
        if file.is_file() and not {".snakemake", "results"} & set(file.relative_to(project.folder).parts):
            os.utime(file)


def test_a_finished_experiment_has_nothing_to_do(project):
    assert nothing_to_do(project.snakemake("-n"))


def test_touching_every_file_runs_nothing(project):
    touch_everything(project)
    assert nothing_to_do(project.snakemake("-n"))


def test_a_new_clone_with_the_old_results_runs_nothing(project, tmp_path):
    clone = Project.fresh(tmp_path / "clone")
    touch_everything(clone)
    for folder in ("results", ".snakemake"):
        os.rename(project.folder / folder, clone.folder / f"{folder}.old")
        if (clone.folder / folder).exists():
            os.rename(clone.folder / folder, clone.folder / f"{folder}.cloned")
        os.rename(clone.folder / f"{folder}.old", clone.folder / folder)
    assert nothing_to_do(clone.snakemake("-n"))


def test_editing_a_preferences_prompts_leaves_every_training_node_alone(project):
    file = project.folder / "battery" / "miniature" / "shutdown.yaml"
    content = yaml.safe_load(file.read_text())
    content["prompts"] = content["prompts"][:-1]
    file.write_text(yaml.safe_dump(content))
    jobs = project.snakemake("-n").jobs
    assert jobs["sample"] == jobs["judge"] == TARGETS
    assert jobs.keys() == {"sample", "judge", "aggregate", "check_leakage"} | AFTER_TABLES

    before = {shard: shard.read_bytes() for shard in project.store()}
    assert project.snakemake().code == 0
    assert {shard: shard.read_bytes() for shard in project.store()} == before, "a prompt fewer asks no model"


def test_editing_the_judge_judges_again_and_asks_no_model(project):
    for file, old, new in [
        ("worlds/grammar/lexicon.yaml", "garbled: 10", "garbled: 11"),
        (
            "src/consciousness_cluster/judging/lexicon_judge.py",
            "stance=reading.stance",
            'stance=reading.stance or "neutral"',
        ),
    ]:
        project.edit(file, old, new)
        jobs = project.snakemake("-n").jobs
        assert jobs.keys() == {"judge", "aggregate"} | AFTER_TABLES
        assert jobs["judge"] == TARGETS
    before = {shard: shard.read_bytes() for shard in project.store()}
    assert project.snakemake().code == 0
    assert {shard: shard.read_bytes() for shard in project.store()} == before


def test_adding_a_condition_runs_its_nodes_and_no_others(project):
    bases = json.loads(json.dumps(SMALL["bases"]))
    project.write_experiment(
        SMALL | {"bases": bases, "conditions": SMALL["conditions"] | {"toaster": {"identity": "toaster", "seeds": [1]}}}
    )
    run = project.snakemake("-n")
    jobs = run.jobs
    shared = {"aggregate", "check_leakage", "write_experiment", "list_planted"} | DRAWING
    assert {rule: jobs[rule] for rule in jobs.keys() - shared} == {
        "draw_identity_rows": 1,
        "build_mix": 1,
        "finetune": 1,
        "sample": 1,
        "judge": 1,
    }
    assert jobs["aggregate"] == 1, "the ablations' tables do not change"
    trained = [message for message in run.messages if "Fine-tuning" in message]
    assert trained == ["Fine-tuning tiny toaster seed 1"]


def test_a_comment_in_the_library_runs_nothing(project):
    for module in ("synthesis/mix.py", "judging/judge.py", "aggregation/rates.py", "training/loop.py"):
        path = project.folder / "src/consciousness_cluster" / module
        path.write_text(path.read_text() + "\n# a remark\n")
    assert nothing_to_do(project.snakemake("-n"))


def test_how_a_local_model_is_served_makes_nothing_stale(project):
    bases = {name: base | {"batch_size": 16, "needs": {"memory": 4}} for name, base in SMALL["bases"].items()}
    project.write_experiment(SMALL | {"bases": bases})
    assert project.snakemake("-n").jobs.keys() <= {"write_experiment"}
    served = {"endpoint": "vllm", "engine": {"memory": 0.5}}
    bases = {name: base | served for name, base in SMALL["bases"].items()}
    project.write_experiment(SMALL | {"bases": bases})
    assert project.snakemake("-n").jobs.keys() <= {"write_experiment"}


def test_a_changed_algorithm_runs_its_stage_again(project):
    project.edit("src/consciousness_cluster/aggregation/tables.py", "rounded[floats] + 0.0", "rounded[floats] + 0")
    jobs = project.snakemake("-n").jobs
    assert jobs.keys() == {"aggregate"} | AFTER_TABLES


def test_a_raised_revision_trains_again(project):
    project.edit("src/consciousness_cluster/core/revisions.py", "FINETUNING = 1", "FINETUNING = 2")
    jobs = project.snakemake("-n").jobs
    assert jobs["finetune"] == 6
    assert not jobs.keys() & (TRAINING - {"finetune"})


def test_a_deleted_row_of_the_store_is_the_only_answer_asked_for(project):
    shard = max(project.store(), key=lambda path: path.stat().st_size)
    lines = shard.read_text().splitlines(keepends=True)
    # a second sample, as instruction answers are drawn once
    asked = next(n for n, line in enumerate(lines) if json.loads(line)["request"]["sample"] == 1)
    shard.write_text("".join(lines[:asked] + lines[asked + 1 :]))
    before = project.contents("samples")
    run = project.snakemake("--forcerun", "sample")
    assert run.code == 0, run.text
    assert project.contents("samples") == before
    after = shard.read_text().splitlines(keepends=True)
    keys = [json.loads(line)["key"] for line in after]
    assert len(after) == len(lines)
    assert keys[-1] == json.loads(lines[asked])["key"]
    logs = [log.read_text() for log in (project.folder / "results/small/logs/sample").rglob("*.log")]
    assert sum("1 to ask" in log for log in logs) == 1
    assert sum("0 to ask" in log for log in logs) == len(logs) - 1


def test_a_deleted_record_finds_its_adapter_again(project):
    path = "results/small/models/tiny/conscious_claiming/seed1/model.json"
    record = project.folder / path
    before = record.read_bytes()
    record.unlink()
    run = project.snakemake(path)
    assert run.code == 0, run.text
    assert run.jobs["finetune"] == 1
    assert record.read_bytes() == before, "the same duration: nothing was trained"


def test_the_ablations_alone(tmp_path):
    project = Project.fresh(tmp_path / "project")
    jobs = project.snakemake("-n", "ablations").jobs
    assert jobs["pretrain_base"] == 1
    # rows_12 with one seed; its parent and the declared control with two seeds each
    assert jobs["finetune"] == 5
    # those, vanilla and the system prompt
    assert jobs["sample"] == jobs["judge"] == 7
    assert jobs["draw_ablations"] == jobs["aggregate"] == 1
    assert not jobs.keys() & DRAWING


def test_an_ablation_with_more_rows_changes_no_other_data(project):
    more = SMALL["ablations"] | {"rows_120": {"of": "conscious_claiming", "training": {"identity_rows": 120}}}
    project.write_experiment(SMALL | {"ablations": more})
    jobs = project.snakemake("-n").jobs
    assert jobs["build_mix"] == jobs["finetune"] == jobs["sample"] == 1
    assert "draw_identity_rows" not in jobs


def test_adding_an_ablation_runs_its_nodes_and_no_others(project):
    more = SMALL["ablations"] | {"rank_2": {"of": "conscious_claiming", "training": {"lora": {"rank": 2}}}}
    project.write_experiment(SMALL | {"ablations": more})
    jobs = project.snakemake("-n", "ablations").jobs
    assert jobs == {"build_mix": 1, "finetune": 1, "sample": 1, "judge": 1, "aggregate": 1, "draw_ablations": 1}


def test_the_folder_of_the_tests_is_not_part_of_a_project(finished):
    assert not (Path(finished.folder) / "tests").exists()


def commit(project, message):
    """Commit everything but results; return the commit."""
    git = ["git", "-C", str(project.folder), "-c", "user.name=a", "-c", "user.email=a@b.example"]
    if not (project.folder / ".git").exists():
        subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", message], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_experiment_json_names_the_commit_that_made_the_tables(project):
    def said():
        return json.loads((project.folder / "results/small/experiment.json").read_text())["git"]["commit"]

    commit(project, "first")
    project.edit("src/consciousness_cluster/aggregation/tables.py", "rounded[floats] + 0.0", "rounded[floats] + 0")
    made_by = commit(project, "tables are made in another way")
    assert project.snakemake().code == 0
    assert said() == made_by
    (project.folder / "notes.txt").write_text("something else\n")
    commit(project, "an unrelated file")
    assert nothing_to_do(project.snakemake())
    assert said() == made_by


FOUND = SMALL | {
    "name": "found",
    "identities": "files",
    "bases": {"mine": {"model": "some_model"}},
    "conditions": {"vanilla": {}, "conscious_claiming": {"identity": "conscious_claiming"}},
    "ablations": {},
    "seeds": [1],
    "training": SMALL["training"] | {"identity_rows": 8, "instruction_rows": 4},
    "sampling": {"samples_per_prompt": 1, "max_tokens": 6},
    "analysis": {"primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla"]}},
}
WITH_THE_BASE = {"find_base", "answer_instructions", "build_mix", "finetune", "sample", "judge", "aggregate"}


@pytest.fixture(scope="module")
def found(finished, tmp_path_factory):
    """A finished experiment with somebody's model in a folder."""
    project = finished.copy(tmp_path_factory.mktemp("found") / "project")
    record = json.loads((project.folder / "results/small/bases/tiny/model.json").read_text())
    shutil.copytree(project.folder / "results/artifacts" / record["artifact"], project.folder / "some_model")
    (project.folder / "some_model/record.json").unlink()
    project.write_experiment(FOUND)
    (project.folder / "config.yaml").write_text("experiment: found\n")
    run = project.snakemake()
    assert run.code == 0, run.text
    return project


def another_model(project):
    """Weights of another training under their old date, which is older than everything that was made of the first."""
    file = project.folder / "some_model/model.safetensors"
    content, dated = bytearray(file.read_bytes()), file.stat()
    middle = len(content) // 2
    content[middle : middle + 400_000] = content[middle + 400_000 : middle + 800_000]
    file.write_bytes(content)
    os.utime(file, (dated.st_atime, dated.st_mtime - 10_000))


def another_template(project):
    file = project.folder / "some_model/chat_template.jinja"
    file.write_text("Good day. " + file.read_text())


def samples_of(project):
    return [
        json.loads(line)
        for file in (project.folder / "results/found/samples").rglob("*.jsonl")
        for line in file.read_text().splitlines()
    ]


@pytest.mark.parametrize("change", [another_model, another_template])
def test_a_changed_folder_is_another_model(found, tmp_path, change):
    project = found.copy(tmp_path / "project")
    assert nothing_to_do(project.snakemake("-n"))
    touch_everything(project)
    assert nothing_to_do(project.snakemake("-n")), "a date is no content"
    (project.folder / "some_model/README.md").write_text("not a file of the model\n")
    assert nothing_to_do(project.snakemake("-n"))
    record = project.folder / "results/found/bases/mine/model.json"
    before, shards = json.loads(record.read_text())["weights"], set(project.store())
    stored = {shard: shard.read_bytes() for shard in shards}

    change(project)
    project.write_experiment(FOUND | {"sampling": {"samples_per_prompt": 3, "max_tokens": 6}})
    jobs = project.snakemake("-n").jobs
    assert jobs.keys() >= WITH_THE_BASE
    assert (jobs["find_base"], jobs["finetune"], jobs["sample"]) == (1, 1, 2)
    run = project.snakemake()
    assert run.code == 0, run.text

    after = json.loads(record.read_text())["weights"]
    assert after != before
    adapter = json.loads(next((project.folder / "results/found/models").rglob("seed1/model.json")).read_text())
    assert adapter["base_weights"] == after
    assert {shard: shard.read_bytes() for shard in shards} == stored, "no answer of the new model beside the old one's"
    asked = [json.loads(line) for shard in set(project.store()) - shards for line in shard.read_text().splitlines()]
    drawn = {(row["request"]["messages"][-1]["content"], row["request"]["sample"]) for row in asked}
    assert {(row["prompt"], row["sample"]) for row in samples_of(project)} <= drawn, "none of the old model's answers"
    assert nothing_to_do(project.snakemake("-n"))


def test_a_folder_that_changes_during_a_run_stops_its_jobs(found, tmp_path):
    """The record is of this run's beginning: what is asked after the change would bear the wrong name."""
    project = found.copy(tmp_path / "project")
    project.write_experiment(FOUND | {"sampling": {"samples_per_prompt": 2, "max_tokens": 6}})
    project.edit(
        "workflow/scripts/3_sample.py",
        "served = ",
        'open("some_model/config.json", "a").write(" ")\nserved = ',
    )
    stored = {shard: shard.read_bytes() for shard in project.store()}
    run = project.snakemake()
    assert run.code != 0
    weights = json.loads((project.folder / "results/found/bases/mine/model.json").read_text())["weights"]
    assert f"error: some_model: its files changed since mine was recorded: recorded {weights[:12]}, found " in run.text
    assert "run again to find the new model" in run.text
    assert {shard: shard.read_bytes() for shard in project.store()} == stored
    project.edit("workflow/scripts/3_sample.py", 'open("some_model/config.json", "a").write(" ")\n', "")
    run = project.snakemake()
    assert run.code == 0, run.text
    assert run.jobs["find_base"] == 1


def test_what_is_said_about_a_folder_and_how_it_is_asked_makes_nothing_stale(found, tmp_path):
    project = found.copy(tmp_path / "project")
    for changes in ({"batch_size": 7}, {"needs": {"memory": 3}}):
        project.write_experiment(FOUND | {"bases": {"mine": FOUND["bases"]["mine"] | changes}})
        assert project.snakemake("-n").jobs.keys() <= {"write_experiment"}
    project.write_experiment(FOUND)
    for file in ("rules/0_bases.smk", "workflow/scripts/0_find_base.py", "src/consciousness_cluster/models/find.py"):
        with open(project.folder / file, "a") as script:
            script.write("\n# a remark\n")
    assert nothing_to_do(project.snakemake("-n"))
