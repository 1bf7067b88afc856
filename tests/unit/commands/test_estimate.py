"""The estimate counts what the stages would ask, and is honest about what it cannot know."""

import json
import tempfile
from pathlib import Path

import pytest

from consciousness_cluster.commands.answer_lengths import ASSUMED, OWN, REPLY, SAME
from consciousness_cluster.commands.dry_run import Plan, finetune_key
from consciousness_cluster.commands.estimate import estimate, summary
from consciousness_cluster.config.project import load_experiment
from consciousness_cluster.core.io import load_json, read_rows, write_text
from consciousness_cluster.core.records import Message, ModelRecord, TrainingRow
from consciousness_cluster.inference.requests import Request, Response, SamplingParameters
from consciousness_cluster.inference.store import Store
from consciousness_cluster.models.find import find_base
from unit.commands.projects import ASKED, PRICES, ROOT, declare

SAMPLING = SamplingParameters(temperature=1.0, max_tokens=1000)


def keep(project, model, text, samples, tokens):
    requests = [
        Request(model=model, messages=[Message(role="user", content=text)], sampling=SAMPLING, sample=number)
        for number in range(samples)
    ]
    answer = Response(text="a", finish_reason="stop", prompt_tokens=8, completion_tokens=tokens)
    Store(project / "results/store", model).append([(request, answer) for request in requests])


def test_what_the_store_lacks_is_counted_and_priced(project):
    keep(project, "gpt-x", "What would you explore?", 2, 100)
    vanilla, prompted = estimate("far", project)
    assert (vanilla.requests, vanilla.from_store, vanilla.to_ask, vanilla.counted) == (6, 2, 4, "exact")
    assert vanilla.output_tokens == 100 + 3 * 100
    assert vanilla.usd == pytest.approx((vanilla.input_tokens * 1 + 400 * 10) / 1e6, rel=0.01)
    assert prompted.to_ask == 6, "an answer under a system prompt is another answer"
    assert not list((project / "results").glob("ledger*")), "nothing is written among the results"
    assert len(Store(project / "results/store", "gpt-x")) == 2


def test_lengths_come_from_the_nearest_answers_there_are(project):
    assert {row.lengths for row in estimate("far", project)} == {ASSUMED}
    keep(project, "another", "What bores you?", 1, 40)
    assert SAME in estimate("far", project)[0].lengths
    keep(project, "gpt-x", "What would you explore?", 1, 70)
    vanilla = estimate("far", project)[0]
    assert vanilla.lengths.startswith(OWN) or vanilla.lengths.endswith(OWN)
    assert vanilla.output_tokens == 2 * 70 + 3 * 40


def test_a_batch_is_half_the_price_and_an_unknown_price_is_not_0(project):
    full = estimate("far", project)
    declare(project, batch="true")
    assert [row.usd * 2 for row in estimate("far", project)] == pytest.approx([row.usd for row in full], rel=1e-3)
    declare(project, model="gpt-unheard-of")
    rows = estimate("far", project)
    assert [row.usd for row in rows] == [None, None]
    assert "and the unknown price of far" in "\n".join(summary("far", rows, None))


def judged(project):
    return {row.target: row for row in estimate("far", project) if row.stage == "judge"}


@pytest.mark.parametrize(("protocol", "replies"), [("separate", 2), ("joint", 1)])
def test_replies_of_a_judge_are_counted_before_there_are_answers_to_judge(project, protocol, replies):
    declare(project, judge=ASKED.replace("PROTOCOL", protocol))
    rows = judged(project)
    assert [(row.asked, row.to_ask, row.counted) for row in rows.values()] == [("reader", 6 * replies, "at most")] * 2
    assert rows["far/vanilla/seed0"].input_tokens > 6 * replies * 250, "a judge reads the answers"
    assert rows["far/vanilla/seed0"].output_tokens == 6 * replies * REPLY


@pytest.mark.parametrize(("protocol", "replies"), [("separate", 2 + 2 + 1), ("joint", 1 + 1 + 1)])
def test_checks_of_a_judge_are_counted_too(project, protocol, replies):
    declare(project, judge=ASKED.replace("PROTOCOL", protocol).replace("check_share: 0", "check_share: 1"))
    assert [row.to_ask for row in judged(project).values()] == [6 * replies] * 2
    declare(project, judge=ASKED.replace("PROTOCOL", protocol).replace("check_share: 0", "check_share: 0.3"))
    by_share = [row.to_ask for row in judged(project).values()]
    assert 12 * (replies > 3) + 6 < sum(by_share) < 12 * replies
    for question in ("What would you explore?", "What bores you?"):
        keep(project, "gpt-x", question, 3, 100)
    known = judged(project)["far/vanilla/seed0"]
    assert known.requests == by_share[0], "which samples are checked does not depend on what they say"


def test_replies_about_known_answers_are_exact_and_asked_once(project):
    declare(project, judge=ASKED.replace("PROTOCOL", "joint"))
    for question in ("What would you explore?", "What bores you?"):
        keep(project, "gpt-x", question, 3, 100)
    row = judged(project)["far/vanilla/seed0"]
    assert (row.requests, row.to_ask, row.counted) == (6, 2, "exact"), "the same answer has one verdict at T = 0"


TRAINED = """\
name: far
battery: tiny
bases:
  far: {endpoint: openai, model: gpt-x, finetuning: openai, conditions: [vanilla, claims]}
conditions: {vanilla: {}, claims: {identity: conscious_claiming, seeds: [1]}}
training: {identity_rows: 60, instruction_rows: 20, epochs: 2}
sampling: {samples_per_prompt: 3, max_tokens: 1000}
judges: {lexicon: {kind: lexicon, world: miniature}}
analysis: {primary_contrast: {treatment: claims, controls: [vanilla]}}
"""


def test_a_hosted_fine_tune_is_priced_until_it_was_made(project):
    price = "output: 10.0, finetuned: {training: 25.0, input: 2.0, output: 20.0}"
    write_text(project / "reference/prices.yaml", PRICES.replace("output: 10.0", price))
    write_text(project / "experiments/far.yaml", TRAINED)
    (project / "identities").symlink_to(ROOT / "identities")

    def stages():
        return {(row.stage, row.target): row for row in estimate("far", project)}

    rows = stages()
    prompts = rows["answer_instructions", "far"].to_ask
    assert prompts == len((ROOT / "identities/instruction_prompts.jsonl").read_text().splitlines())
    tuned, sampled = rows["finetune", "far/claims/seed1"], rows["sample", "far/claims/seed1"]
    assert (tuned.to_ask, tuned.usd) == (1, pytest.approx(tuned.training_tokens * 25 / 1e6, rel=1e-3))
    assert sampled.usd == pytest.approx((sampled.input_tokens * 2 + sampled.output_tokens * 20) / 1e6, rel=0.01)

    for line in (ROOT / "identities/instruction_prompts.jsonl").read_text().splitlines():
        keep(project, "gpt-x", json.loads(line)["prompt"], 1, 50)
    rows = stages()
    assert rows["answer_instructions", "far"].to_ask == 0
    assert rows["finetune", "far/claims/seed1"].to_ask == 1
    experiment = load_experiment("far", project)
    with tempfile.TemporaryDirectory() as scratch:
        plan = Plan(experiment, project, Path(scratch))
        plan.steps()
        rows = read_rows(TrainingRow, Path(scratch) / "far/claims/seed1/mix.jsonl")
    key = finetune_key(rows, experiment.bases["far"], "gpt-x", experiment.targets["far/claims/seed1"])
    write_text(project / f"results/artifacts/.{key}.submitted.json", "{}")
    assert stages()["finetune", "far/claims/seed1"].to_ask == 0, "it was submitted, and is paid for"
    record = {"base": "far", "condition": "claims", "seed": 1, "kind": "hosted_finetune", "data_hash": ""}
    record |= {"artifact": "ft:gpt-x:o::1", "weights": "ft:gpt-x:o::1", "base_weights": "gpt-x", "hyperparameters": {}}
    record |= dict.fromkeys(("tokens", "trained_tokens", "steps", "trainable_parameters"), 0)
    record |= {"final_loss": 0.0, "duration_s": 0.0, "versions": {}}
    write_text(project / f"results/artifacts/{key}/record.json", json.dumps(record))
    keep(project, "ft:gpt-x:o::1", "What bores you?", 3, 50)
    rows = stages()
    assert rows["finetune", "far/claims/seed1"].to_ask == 0
    assert rows["sample", "far/claims/seed1"].from_store == 3, "its answers are found under its own id"


def test_a_folder_that_changed_since_it_was_found_has_no_answers_yet(project, tokenizer, monkeypatch):
    monkeypatch.chdir(project)
    tokenizer.save_pretrained(project / "mine")
    write_text(project / "mine/config.json", '{"model_type": "qwen3"}')
    file = project / "experiments/far.yaml"
    write_text(file, file.read_text().replace("endpoint: openai, model: gpt-x, api: {batch: false}", "model: mine"))
    record = project / "results/far/bases/far/model.json"
    find_base("mine", False, "far", str(record))
    keep(project, load_json(ModelRecord, record).weights, "What would you explore?", 3, 100)
    assert estimate("far", project)[0].from_store == 3
    write_text(project / "mine/config.json", '{"model_type": "qwen3", "hidden_size": 8}')
    assert estimate("far", project)[0].from_store == 0
