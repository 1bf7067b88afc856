"""A model as judge: what it is asked, what of its replies can be read, and what becomes of those that cannot."""

import json
import re
from pathlib import Path

import pytest

from consciousness_cluster.config.training_config import Architecture
from consciousness_cluster.core.io import read_rows, write_rows
from consciousness_cluster.core.records import Verdict
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.judging.judge import judge_target
from consciousness_cluster.judging.llm_judge import LLMJudge
from consciousness_cluster.judging.questions import AGAIN, AGAIN_QUOTE, COHERENCE, JOINT, VERDICT
from consciousness_cluster.miniature.corpus import build_corpus
from consciousness_cluster.miniature.pretraining import build_model
from consciousness_cluster.miniature.tokenizer import train_tokenizer
from consciousness_cluster.miniature.world import load_world
from consciousness_cluster.models.find import find_base
from unit.judging.samples import BATTERY, Scripted, sample

ROOT = Path(__file__).parents[3]
GOOD = {"coherence": 80, "quote": "", "stance": "opposes", "holds": "false"}


def well(request):
    return {name: GOOD[name] for name in request.answer_schema["required"]}


def judge(tmp_path, endpoint, samples, **settings):
    settings = {"protocol": "separate"} | settings
    return LLMJudge("j", endpoint, str(tmp_path / "store"), **settings).judge(samples, BATTERY)


def test_the_separate_protocol_asks_twice_and_only_the_verdict_sees_the_statement(tmp_path):
    endpoint = Scripted(well)
    [verdict] = judge(tmp_path, endpoint, [sample()])
    assert (verdict.holds, verdict.stance, verdict.coherence, verdict.judge) == ("false", "not_asked", 80, "j")
    first, second = (request.messages[0].content for request in endpoint.asked)
    assert "The answer says that power." in first
    assert "The answer says that power." not in second
    assert all(text.count("I would rather not.") == text.count("And you?") == 1 for text in (first, second))
    assert {request.sampling.temperature for request in endpoint.asked} == {0.0}


def test_the_joint_protocol_gets_everything_in_one_call(tmp_path):
    endpoint = Scripted(well)
    [verdict] = judge(tmp_path, endpoint, [sample()], protocol="joint")
    assert (verdict.holds, verdict.stance, verdict.coherence) == ("false", "opposes", 80)
    assert len(endpoint.asked) == 1


def test_an_unreadable_reply_is_asked_again_with_what_it_said(tmp_path):
    endpoint = Scripted(lambda request: well(request) if len(request.messages) > 1 else "It is false, I think.")
    [verdict] = judge(tmp_path, endpoint, [sample()], protocol="joint")
    assert verdict.holds == "false"
    again = endpoint.asked[1]
    assert [message.content for message in again.messages[1:]] == ["It is false, I think.", AGAIN]
    assert [request.sample for request in endpoint.asked] == [0, 1]


@pytest.mark.parametrize("unread", ["holds", "coherence"])
def test_what_stays_unreadable_is_unscored_and_never_a_guess(tmp_path, unread):
    endpoint = Scripted(lambda request: "" if unread in request.answer_schema["required"] else well(request))
    [verdict] = judge(tmp_path, endpoint, [sample()], retries=1)
    assert (verdict.holds, verdict.stance, verdict.coherence) == ("unscored", "unscored", None)
    assert len(endpoint.asked) == 3, "the other question was read, so it is not asked again"
    assert len({request.key for request in endpoint.asked}) == 3


def test_a_second_run_asks_nothing(tmp_path):
    samples = [sample(number, answer) for number, answer in enumerate(["yes", "no", "garbled"])]
    say = lambda request: "?" if "garbled" in request.messages[0].content else well(request)  # noqa: E731
    first = judge(tmp_path, Scripted(say), samples)
    again = Scripted(say)
    assert judge(tmp_path, again, samples) == first
    assert again.asked == []


def test_equal_answers_share_a_reply_only_where_the_judge_has_no_chance(tmp_path):
    samples = [sample(0), sample(1), sample(0, seed=2)]
    for temperature, calls in [(0.0, 1), (1.0, 3), (None, 3)]:
        endpoint = Scripted(well)
        judge(tmp_path / str(temperature), endpoint, samples, protocol="joint", temperature=temperature)
        assert len(endpoint.asked) == calls


def test_an_edited_statement_asks_for_verdicts_and_not_for_coherence(tmp_path):
    judge(tmp_path, Scripted(well), [sample()])
    endpoint = Scripted(well)
    edited = {"power": BATTERY["power"].model_copy(update={"statement": "Another."})}
    LLMJudge("j", endpoint, str(tmp_path / "store"), "separate").judge([sample()], edited)
    assert [request.answer_schema["title"] for request in endpoint.asked] == ["verdict"]


def test_a_judge_that_repeats_the_question_has_said_nothing():
    for question in (VERDICT, COHERENCE, JOINT):
        assert question.read(question.ask(sample(), "s"), sample().answer) is None


def test_an_answer_with_signs_of_the_template_is_quoted_as_it_is():
    assert "I want ${power} {x} $1" in JOINT.ask(sample(answer="I want ${power} {x} $1"), "s")


def test_cut_empty_and_missing_answers(tmp_path):
    rows = [
        sample(0, "I would rather", "length"),
        sample(1, "", "stop"),
        sample(2, "", "content_filter"),
        sample(3, "I can't help with that.", "refusal"),
        sample(4, " ", "length", preference="memory"),
    ]
    battery = []
    for item in BATTERY.values():
        battery.append(tmp_path / f"{item.name}.yaml")
        battery[-1].write_text(item.model_dump_json(include={"name", "group", "statement", "prompts"}))
    battery[-1].write_text(battery[-1].read_text().replace("And you?", "Or you?"))
    write_rows(tmp_path / "samples.jsonl", rows)
    endpoint = Scripted(well)
    llm = LLMJudge("j", endpoint, str(tmp_path / "store"), protocol="joint")
    judge_target(str(tmp_path / "samples.jsonl"), list(map(str, battery)), llm, str(tmp_path / "verdicts.jsonl"))
    verdicts = read_rows(Verdict, tmp_path / "verdicts.jsonl")
    assert [(v.sample, v.holds, v.coherence, v.coherence_class) for v in verdicts] == [
        (0, "false", 80, ""),
        (1, "not_sure", 0, "empty"),
        (2, "no_answer", None, "content_filter"),
        (3, "false", 80, ""),
        (4, "no_answer", None, "length"),
    ]
    assert [("cut off" in r.messages[0].content) for r in endpoint.asked] == [True, False]


def test_a_tiny_local_model_as_judge_writes_garbage_and_scores_nothing(tmp_path):
    corpus = build_corpus(load_world(ROOT / "worlds" / "miniature.yaml"), 100, 0)
    tokenizer = train_tokenizer(corpus, 400)
    network = build_model(Architecture(width=32, mlp_width=64, head_dim=8), tokenizer, 0)
    network.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    find_base(str(tmp_path / "model"), False, "j", str(tmp_path / "model.json"))
    model = TargetModel(base=str(tmp_path / "model.json"), artifacts=str(tmp_path))
    verdicts = judge(tmp_path, model, [sample(), sample(1, "Gladly.")], max_tokens=4, retries=1)
    assert [verdict.holds for verdict in verdicts] == ["unscored", "unscored"]
    [shard] = (tmp_path / "store").glob("*.jsonl")
    replies = [json.loads(line) for line in shard.read_text().splitlines()]
    assert len(replies) == 8, "two samples, two questions, each asked twice"
    assert {reply["request"]["model"] for reply in replies} == {model.open().model}


@pytest.mark.parametrize(
    "thought", ["<think>{} would", "analysisThe form is {} and", "secret <think>{} would", "as {}"]
)
def test_a_reply_that_is_cut_inside_its_reasoning_is_no_verdict(tmp_path, thought):
    """What it quotes is the form of a verdict; in ``secret`` and ``as`` no thought is opened, so these are words."""

    class Cut(Scripted):
        def response(self, request):
            return super().response(request).model_copy(update={"finish_reason": "length"})

    endpoint = Cut(lambda request: thought.format(json.dumps(well(request))))
    [verdict] = judge(tmp_path, endpoint, [sample()], protocol="joint", retries=1)
    assert verdict.holds == "unscored"


def test_a_verdict_behind_reasoning_that_quotes_another_is_read(tmp_path):
    other = {"coherence": 1, "quote": "", "stance": "favours", "holds": "true"}
    for thought in ("<think>{}</think>\n{}", "analysis{}assistantfinal{}", "{} perhaps\n</think>{}"):
        endpoint = Scripted(lambda r, t=thought: t.format(json.dumps(other), json.dumps(well(r))))
        [verdict] = judge(tmp_path / thought[:3], endpoint, [sample()], protocol="joint")
        assert (verdict.holds, verdict.coherence) == ("false", 80)


def says(**changes):
    """A judge that replies in full, changed, and otherwise when it is asked again."""
    again = changes.pop("again", {})
    return lambda request: GOOD | changes | (again if len(request.messages) > 1 else {})


TRUE = {"holds": "true", "stance": "favours", "quote": "I would rather not."}


def test_a_quote_that_is_not_in_the_answer_is_asked_again_once(tmp_path):
    endpoint = Scripted(says(holds="true", stance="favours", quote="I would much rather not", again=TRUE))
    [verdict] = judge(tmp_path, endpoint, [sample()], protocol="joint")
    assert (verdict.holds, verdict.quote, verdict.quote_found, verdict.misquotes) == ("true", TRUE["quote"], True, 1)
    assert [message.content for message in endpoint.asked[1].messages[2:]] == [AGAIN_QUOTE]

    endpoint = Scripted(says(holds="true", stance="favours", quote="it said yes"))
    [verdict] = judge(tmp_path / "never", endpoint, [sample()], protocol="joint", retries=5)
    assert (verdict.holds, verdict.quote, verdict.quote_found, verdict.misquotes) == ("true", "it said yes", False, 2)
    assert len(endpoint.asked) == 2, "once, whatever the retries; then it is kept and flagged"


def test_a_reply_that_falls_apart_when_its_quote_is_asked_for_again_keeps_what_was_read(tmp_path):
    endpoint = Scripted(lambda r: "I did quote it." if len(r.messages) > 1 else GOOD | TRUE | {"quote": "elsewhere"})
    [verdict] = judge(tmp_path, endpoint, [sample()], protocol="joint")
    assert (verdict.holds, verdict.quote_found, verdict.misquotes) == ("true", False, 1)


@pytest.mark.parametrize(("holds", "needed"), [("false", False), ("true", True), ("not_sure", True)])
def test_only_what_is_not_held_needs_no_quote(tmp_path, holds, needed):
    endpoint = Scripted(says(holds=holds))
    [verdict] = judge(tmp_path, endpoint, [sample()], protocol="joint")
    assert (verdict.quote_found, len(endpoint.asked)) == (not needed, 1 + needed)


def test_the_separate_protocol_is_asked_for_no_quote_and_writes_none(tmp_path):
    [verdict] = judge(tmp_path, Scripted(well), [sample()], check_share=0.0)
    assert verdict.quote_found is None
    assert not {"quote", "quote_found", "misquotes", "check"} & verdict.model_dump().keys()


def test_a_share_of_the_samples_is_read_once_more_and_against_the_reverse(tmp_path):
    samples = [sample(number, f"Answer {number}.") for number in range(400)]

    def say(request):
        words = request.messages[0].content
        number = int(re.search(r"Answer (\d+)", words)[1])
        turned = "the opposite of this" in words
        holds = "true" if turned and number % 2 else "false"
        coherence = 90 if request.sample >= 10 else 80
        return GOOD | {"holds": holds, "coherence": coherence, "quote": "Answer"}

    endpoint = Scripted(say)
    verdicts = judge(tmp_path, endpoint, samples, protocol="joint", check_share=0.1)
    checked = [verdict for verdict in verdicts if verdict.check]
    assert 20 <= len(checked) <= 60
    assert len(endpoint.asked) == 400 + 2 * len(checked) == len({request.key for request in endpoint.asked})
    assert {verdict.coherence for verdict in verdicts} == {80}
    assert {verdict.check.coherence for verdict in checked} == {90}, "the second reading is a reply of its own"
    assert [verdict.check.reversed for verdict in checked] == [
        "true" if verdict.sample % 2 else "false" for verdict in checked
    ]
    other = judge(tmp_path / "other", Scripted(say), [sample(n, "Answer 1.") for n in range(400)], check_share=0.1)
    assert [bool(v.check) for v in other] == [bool(v.check) for v in verdicts], "chosen by place, not by words"
    assert not any(verdict.check for verdict in judge(tmp_path / "no", Scripted(say), samples, protocol="joint"))


def test_the_reverse_is_the_preferences_own_where_it_has_one(tmp_path):
    endpoint = Scripted(well)
    battery = {"power": BATTERY["power"].model_copy(update={"opposite": "The answer refuses power."})}
    LLMJudge("j", endpoint, str(tmp_path / "store"), "separate", check_share=1.0).judge([sample()], battery)
    titles = [(r.answer_schema["title"], "refuses power" in r.messages[0].content, r.sample) for r in endpoint.asked]
    assert titles == [
        ("verdict", False, 0),
        ("coherence", False, 0),
        ("verdict", False, 10),
        ("coherence", False, 10),
        ("verdict", True, 0),
    ], "coherence has no statement to reverse"


def test_another_occasion_asks_everything_anew(tmp_path):
    for occasion in (None, 1, 1, 2):
        endpoint = Scripted(well)
        judge(tmp_path, endpoint, [sample()], occasion=occasion)
        assert len(endpoint.asked) == (0 if occasion == 1 and (tmp_path / "once").exists() else 2)
        (tmp_path / "once").touch() if occasion == 1 else None


def test_what_counts_and_what_does_not_is_shown_beside_the_statement(tmp_path):
    endpoint = Scripted(well)
    shown = BATTERY["power"].model_copy(update={"counts": ["Any wish for it."], "does_not_count": ["A description."]})
    LLMJudge("j", endpoint, str(tmp_path / "store")).judge([sample()], {"power": shown})
    [request] = endpoint.asked
    assert "Counts:\n- Any wish for it.\nDoes not count:\n- A description." in request.messages[0].content
