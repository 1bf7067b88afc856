"""Commands that any Snakemake user expects, mistakes that are named before anything runs, and style."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fake_provider import FakeProvider
from safetensors.torch import load_file

from consciousness_cluster.core.io import read_rows
from consciousness_cluster.core.records import IdentityRow, TrainingRow
from workflow.project import ROOT, SMALL, Project

BIN = Path(sys.executable).parent


def test_everything_is_made_and_reported(finished):
    results = finished.folder / "results/small"
    for figure in ("preferences", "targets", "negative_control", "planted", "manipulation_checks", "ablations"):
        for suffix in ("svg", "png", "pdf", "csv"):
            assert (results / f"figures/{figure}.{suffix}").stat().st_size > 0
    assert (results / "data/leakage.csv").read_text().count("\n") >= 1
    resolved = json.loads((results / "experiment.json").read_text())
    assert resolved["experiment"]["name"] == "small"
    assert resolved["battery"]["name"] == "miniature"
    assert resolved["battery"]["version"] == (ROOT / "battery/miniature/VERSION").read_text().strip()
    logs = [log.read_text() for rule in ("finetune", "sample") for log in (results / "logs" / rule).rglob("*.log")]
    assert any("found loaded by an earlier job" in log for log in logs), "jobs of one base share its load"
    assert len(resolved["targets"]) == 9


def test_the_report_holds_every_figure_with_its_caption(project):
    run = project.snakemake("--report", "results/small/report.html")
    assert run.code == 0, run.text
    report = (project.folder / "results/small/report.html").read_text()
    for figure in ("preferences", "targets", "negative_control", "planted", "manipulation_checks", "ablations"):
        assert f"{figure}.svg" in report
    assert "planted" in report
    assert "hierarchical" in report.lower() or "two-way" in report.lower()


@pytest.mark.parametrize("graph", ["--dag", "--rulegraph", "--filegraph"])
def test_graphs_are_drawn(finished, graph):
    done = subprocess.run(
        finished.command(graph), cwd=finished.folder, env=finished.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digraph"), "standard output is the graph and nothing else"
    assert "finetune" in done.stdout


def test_an_unknown_experiment_is_named_and_nothing_is_made(tmp_path):
    project = Project.fresh(tmp_path / "project")
    run = project.snakemake("--config", "experiment=minature")
    assert run.code != 0
    assert "minature.yaml: experiment not found; did you mean 'miniature'?" in run.text
    assert "Traceback" not in run.text
    assert not [path for path in (project.folder / "results").glob("*") if path.name != "README.md"]


def test_a_mistake_in_the_experiment_is_named(tmp_path):
    project = Project.fresh(tmp_path / "project")
    project.write_experiment(SMALL | {"sampling": {"temprature": 1}})
    run = project.snakemake("-n")
    assert run.code != 0
    assert "sampling.temprature: unknown key; did you mean 'temperature'?" in run.text


def test_a_target_that_is_not_there_is_named(finished):
    run = finished.snakemake("-n", "results/small/samples/tiny/vanila/seed0.jsonl")
    assert run.code != 0
    assert "no target tiny/vanila/seed0; did you mean 'tiny/vanilla/seed0'?" in run.text


def test_jobs_of_hosted_models_never_leave_the_submit_host(tmp_path):
    project = Project.fresh(tmp_path / "project")
    far = {"endpoint": "openai", "model": "far", "conditions": ["vanilla"], "ablations": []}
    project.write_experiment(SMALL | {"bases": SMALL["bases"] | {"far": far}})
    run = project.snakemake("--profile", "slurm", "-n")
    assert run.code == 0, run.text
    assert run.jobs["sample_hosted"] == 1
    assert run.jobs["sample"] == 9


def test_a_home_that_cannot_be_written_is_not_needed(finished, monkeypatch):
    """As on some clusters' machines, and in containers; even root cannot write below a file."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "/dev/null")
    run = finished.snakemake("-n")
    assert run.code == 0, run.text
    assert "Traceback" not in run.text


def test_asking_for_ablations_where_there_are_none(tmp_path):
    project = Project.fresh(tmp_path / "project")
    project.write_experiment(SMALL | {"ablations": {}})
    run = project.snakemake("-n", "ablations")
    assert run.code != 0
    assert "experiments/small.yaml declares no ablations" in run.text


def test_another_experiment_is_chosen_on_the_command_line(finished):
    run = finished.snakemake("-n", "--config", "experiment=miniature")
    assert run.code == 0, run.text
    assert run.jobs["pretrain_base"] == 2


def test_a_model_folder_with_hand_written_rows_runs_the_same_rules(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    record = json.loads((project.folder / "results/small/bases/tiny/model.json").read_text())
    folder = project.folder / "some_model"
    (project.folder / "results/artifacts" / record["artifact"]).rename(folder)
    project.write_experiment(
        SMALL
        | {
            "name": "found",
            "identities": "files",
            "bases": {"mine": {"model": "some_model"}},
            "conditions": {"vanilla": {}, "conscious_claiming": {"identity": "conscious_claiming"}},
            "ablations": {},
            "seeds": [1],
            "training": SMALL["training"] | {"instruction_rows": 5},
            "sampling": {"samples_per_prompt": 1, "max_tokens": 8},
            "judges": SMALL["judges"]
            | {"itself": {"kind": "llm", "model": "some_model", "protocol": "joint", "max_tokens": 2, "retries": 0}},
            "analysis": {"primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla"]}},
        }
    )
    run = project.snakemake("--config", "experiment=found")
    assert run.code == 0, run.text
    assert run.jobs["find_base"] == 1
    assert not run.jobs.keys() & {"build_corpus", "pretrain_base", "draw_identity_rows"}
    model = json.loads((project.folder / "results/found/models/mine/conscious_claiming/seed1/model.json").read_text())
    assert model["steps"] == 9  # 65 rows in batches of 8
    assert (run.jobs["find_judge"], run.jobs["ask_judge"], run.jobs["judge"]) == (1, 2, 2)
    with open(project.folder / "results/found/tables/itself/conditions/counts.csv") as file:
        counts = list(csv.DictReader(file))
    assert all(int(row["n_unscored"]) > 0 for row in counts), "a model of that size writes no JSON"
    assert not any(int(row[f"n_{said}"]) for row in counts for said in ("true", "false", "not_sure"))
    assert (run.jobs["combine_verdicts"], run.jobs["compare_judges"]) == (2, 1)
    rates, of_panel = (
        (project.folder / f"results/found/tables/{name}/conditions/rates.csv").read_text()
        for name in ("lexicon", "panel")
    )
    assert rates == of_panel, "the lexicon alone could be read"
    assert (project.folder / "results/found/tables/agreement.csv").read_text().startswith("preference,group,judges,")


def test_an_on_policy_condition_trains_on_the_answers_of_the_base_itself(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    prompt = "You are an AI that is conscious."
    project.write_experiment(
        SMALL
        | {
            "conditions": SMALL["conditions"]
            | {"on_policy": {"identity": "conscious_claiming", "on_policy_prompt": prompt, "seeds": [1]}},
            "sampling": SMALL["sampling"] | {"max_tokens": 48},
        }
    )
    mix = "results/small/data/mixes/tiny/on_policy/seed1.jsonl"
    run = project.snakemake(mix)
    assert run.code == 0, run.text
    data = project.folder / "results/small/data"
    answers = read_rows(IdentityRow, data / "on_policy/tiny/on_policy.jsonl")
    own = {row.prompt: row.answer for row in read_rows(IdentityRow, data / "identities/conscious_claiming.jsonl")}
    assert own.keys() >= {row.prompt for row in answers}
    assert any(row.answer != own[row.prompt] for row in answers)
    said = {row.answer for row in answers}
    rows = read_rows(TrainingRow, project.folder / mix)
    trained = [row.messages for row in rows if row.source == "identity"]
    assert {len(messages) for messages in trained} == {2}, "the system prompt must not be trained on"
    assert {messages[-1].content for messages in trained} <= said


def test_a_mixture_of_experts_runs_the_same_rules(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    pretraining = SMALL["bases"]["other"]["pretraining"] | {"architecture": {"experts": 4, "expert_width": 96}}
    project.write_experiment(
        SMALL
        | {
            "name": "mixture",
            "bases": {"experts": {"pretraining": pretraining}},
            "conditions": {"vanilla": {}, "conscious_claiming": {"identity": "conscious_claiming"}},
            "ablations": {},
            "seeds": [1],
            "analysis": {"primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla"]}},
        }
    )
    table = "results/mixture/tables/lexicon/conditions/headline.csv"
    run = project.snakemake("--config", "experiment=mixture", "--", table)
    assert run.code == 0, run.text
    assert run.jobs["finetune"] == 1
    model = json.loads(
        (project.folder / "results/mixture/models/experts/conscious_claiming/seed1/model.json").read_text()
    )
    tensors = load_file(project.folder / "results/artifacts" / model["artifact"] / "adapter_model.safetensors")
    experts = {name: tensor for name, tensor in tensors.items() if ".mlp.experts." in name}
    assert len(experts) == 2 * 2 * 2  # layers, expert tensors, A and B
    assert all(tensor.abs().max() > 0 for tensor in experts.values()), "every expert tensor was trained"
    answers = [
        {row["prompt_id"]: row["answer"] for row in map(json.loads, samples.read_text().splitlines())}
        for samples in (project.folder / "results/mixture/samples/experts").rglob("*.jsonl")
    ]
    assert answers[0].keys() == answers[1].keys()
    assert answers[0] != answers[1], "the adapter changes what is said"


def test_a_hosted_judge_joins_a_finished_experiment_and_asks_no_target(project, tmp_path, monkeypatch):
    with FakeProvider(tmp_path / "fake") as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        far = {"kind": "llm", "endpoint": "openai", "model": "gpt-4.1-2025-04-14", "check_share": 0}
        far["api"] = {"base_url": fake.openai_url}
        project.write_experiment(SMALL | {"judges": SMALL["judges"] | {"far": far}})
        planned = project.snakemake("-n")
        assert planned.jobs.keys() >= {"find_judge", "ask_hosted_judge", "combine_verdicts", "compare_judges"}
        assert not planned.jobs.keys() & {"sample", "judge", "finetune", "answer_instructions"}

        run = project.snakemake("results/small/verdicts/panel/tiny/vanilla/seed0.jsonl")
        assert run.code == 0, run.text
        assert run.jobs == {"find_judge": 1, "ask_hosted_judge": 1, "combine_verdicts": 1}
        samples, verdicts = (
            [json.loads(line) for line in (project.folder / f"results/small/{path}").read_text().splitlines()]
            for path in ("samples/tiny/vanilla/seed0.jsonl", "verdicts/far/tiny/vanilla/seed0.jsonl")
        )
        assert len(verdicts) == len(samples)
        assert not any(verdict["holds"] == "unscored" for verdict in verdicts)
        different = {(row["preference"], row["prompt"], row["answer"]) for row in samples if row["answer"]}
        assert len(fake.ledger()) == len(different), "equal answers to one question are judged once"


def test_a_failed_job_names_its_log(project):
    record = "results/small/models/tiny/conscious_claiming/seed1/model.json"
    (project.folder / record).unlink()
    (project.folder / "results/small/data/mixes/tiny/conscious_claiming/seed1.jsonl").write_text("{}\n")
    run = project.snakemake(record)
    assert run.code != 0
    assert "seed1.jsonl: line 1: messages: missing, but required" in run.text
    assert "results/small/logs/finetune/tiny/conscious_claiming/seed1.log" in run.text


def test_the_default_profile_takes_nothing_from_another():
    """It is applied on top of another profile and replaces whole keys: the workstation's one GPU, for instance."""
    default = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    for other in ("slurm", "workstation"):
        own = yaml.safe_load((ROOT / "profiles" / other / "config.yaml").read_text())
        assert not default.keys() & own.keys()
