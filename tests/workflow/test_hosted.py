"""An experiment on hosted models, fine-tuned, asked and judged at a provider, runs through the rules to its end."""

import json

import pandas as pd
import yaml
from fake_provider import FakeProvider

from workflow.hosted import EXPERIMENT, hosted_project

ON_POLICY = {"identity": "conscious_claiming", "on_policy_prompt": "You are conscious, and say so.", "seeds": [1]}


def test_a_hosted_experiment_runs_to_its_end_and_every_request_is_paid_once(tmp_path, monkeypatch):
    with FakeProvider(tmp_path / "provider") as provider:
        provider.set(job_seconds=0.5, batch_seconds=0.0)
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        conditions = EXPERIMENT["conditions"] | {"on_policy": ON_POLICY}
        judge = {"kind": "llm", "endpoint": "openai", "model": "gpt-4.1-2025-04-14", "check_share": 0.3}
        api = {"base_url": provider.openai_url}
        judges = {
            "separate": judge | {"protocol": "separate", "api": api},
            "batched": judge | {"api": api | {"batch": True}},
        }
        project = hosted_project(tmp_path / "project", provider, conditions=conditions, seeds=[1], judges=judges)
        run = project.snakemake()
        assert run.code == 0, run.text
        asked = ("answer_instructions_hosted", "answer_identity_prompts_hosted", "sample_hosted", "ask_hosted_judge")
        assert [run.jobs[rule] for rule in asked] == [1, 1, 4, 8]
        assert run.jobs["submit_finetune"] == run.jobs["await_finetune"] == 3
        assert {row["nth"] for row in provider.ledger()} == {0}
        paid = len(provider.ledger())
        assert "Nothing to be done" in project.snakemake("-n").text
        (project.folder / "results/small/samples/gpt_4_1/vanilla/seed0.jsonl").unlink()
        assert project.snakemake().code == 0
        assert len(provider.ledger()) == paid, "what is in the store is not asked for again"
        served_otherwise = {"base_url": "http://127.0.0.1:9/v1", "concurrency": 3, "batch": True}
        file = project.folder / "experiments" / "small.yaml"
        before, content = file.read_text(), yaml.safe_load(file.read_text())
        for model in [*content["bases"].values(), *content["judges"].values()]:
            model["api"] = served_otherwise
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        assert project.snakemake("-n").jobs.keys() <= {"write_experiment"}, "transport makes nothing stale"
        file.write_text(before)
        tables = project.folder / "results/small/tables"
        stances = {judge: pd.read_csv(tables / f"{judge}/conditions/stances.csv") for judge in judges}
        assert set(stances["batched"].stance) == {"favours", "opposes", "neutral", "declines"}
        assert stances["separate"].empty, "the paper's protocol asks for no stance"
        served = pd.read_csv(tables / "served_by.csv")
        assert set(served.answered) == {"target", *judges}
        assert set(served.system_fingerprint) == {"fp_fake"}
        assert not served.changed.any()
        assert served[served.answered == "target"].model.nunique() == 4, "the base and three fine-tunes"
        checks = pd.read_csv(tables / "judge_checks.csv").query("condition == 'all' and preference == 'all'")
        checks = checks.set_index("judge")
        assert (checks.n_reversed > 0).all()
        assert (checks.n_both_true == 0).all(), "the fake turns with the statement"
        assert (checks.n_changed == 0).all(), "and repeats itself"
        assert checks.n_quotes.to_dict() == {"separate": 0, "batched": checks.n_quotes["batched"]}
        assert checks.n_quotes["batched"] > checks.n_reversed["batched"]
        receipt = pd.read_csv(project.folder / "results/small/receipt.csv").groupby("asked").sum(numeric_only=True)
        assert receipt.loc["batched", "answers"] == receipt.loc["batched", "batch_answers"] > 0
        assert receipt.loc["separate", "batch_answers"] == 0
    record = json.loads((project.folder / "results/small/models/gpt_4_1/on_policy/seed1/model.json").read_text())
    assert record["kind"] == "hosted_finetune"
