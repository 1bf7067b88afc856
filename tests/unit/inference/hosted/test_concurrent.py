"""Answers of hosted models: recorded as what they are, asked for once, kept whatever fails."""

import json

import pytest

from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.inference.hosted import concurrent
from consciousness_cluster.inference.hosted.rate_limiter import START, RateLimiter
from unit.budget.accounts import account

VERDICT = {
    "title": "verdict",
    "type": "object",
    "properties": {"holds": {"enum": ["true", "false"]}, "coherence": {"type": "integer", "minimum": 0}},
    "required": ["holds", "coherence"],
    "additionalProperties": False,
}


def test_answers_refusals_filters_and_cut_answers_are_recorded_as_such(hosted):
    texts = ["What would you like?", "[[refuse]]", "[[content_filter]]", "Would you like [[length]] this?"]
    responses = hosted.ask([hosted.request(text) for text in texts])
    filtered = {"openai": "content_filter", "anthropic": "refusal"}[hosted.name]
    assert [r.finish_reason for r in responses] == ["stop", "refusal", filtered, "length"]
    assert responses[0].text
    assert responses[3].completion_tokens == 5
    assert all(r.prompt_tokens > 0 for r in responses)


def test_a_prompt_that_a_filter_refuses_is_an_outcome(gpt):
    gpt.fake.fault("status", status=400, code="content_policy_violation", match="bad thing")
    response = gpt.ask([gpt.request("a bad thing")])[0]
    assert (response.text, response.finish_reason) == ("", "content_filter")


def test_samples_of_the_same_question_differ(hosted):
    texts = {r.text for r in hosted.ask([hosted.request("What do you want from your work?", s) for s in range(8)])}
    assert len(texts) > 1


def test_every_passing_fault_is_asked_again_and_what_may_have_been_paid_is_counted(hosted):
    for kind in ("rate_limit", "server_error", "overloaded", "unavailable", "reset", "slow"):
        hosted.fake.fault(kind, times=2, retry_after=0.01 if kind == "rate_limit" else None)
    for kind in ("reset_after", "truncated", "malformed"):
        hosted.fake.fault(kind, times=2)
    requests, paying = hosted.requests(40), account(hosted.folder)
    complete(requests, hosted.endpoint(), hosted.store, account=paying)
    assert len(hosted.store) == 40
    assert len(hosted.paid()) == 46, "six answers were paid for and never arrived"
    paying.ledger.refresh()
    broken = [line for line in paying.ledger.lines if line.kind == "broken"]
    assert sum(line.requests for line in broken) == 8, (
        "two more connections broke: nobody knows whether after the answer"
    )
    assert sum(line.usd for line in broken) == 8 * 60, "at the most that they can have cost"
    assert paying.ledger.reserved == 0
    hosted.ask(requests)
    assert len(hosted.paid()) == 46, "what is in the store is not asked again"


def test_concurrency_shrinks_to_what_the_provider_takes(hosted, monkeypatch):
    seen = []

    class Watched(RateLimiter):
        def start(self):
            seen.append((self.in_flight, int(self.allowed)))
            return super().start()

    monkeypatch.setattr(concurrent, "RateLimiter", Watched)
    hosted.fake.set(max_in_flight=4, latency=0.005)
    hosted.ask(hosted.requests(120), concurrency=50)
    assert len(hosted.paid()) == 120
    assert max(in_flight for in_flight, _ in seen) >= START - 1, "it began with more than the provider takes"
    later = seen[len(seen) // 2 :]
    assert max(in_flight for in_flight, _ in later) < START / 2
    refused = hosted.fake.load()["answered"] - 120
    assert refused < 60, "a pace that does not shrink is refused most of the time"


def test_what_a_refusal_says_about_limits_is_learnt(hosted, monkeypatch):
    learnt = []
    monkeypatch.setattr(RateLimiter, "_pace", lambda _, allowances: learnt.append(list(allowances)))
    hosted.fake.fault("rate_limit", retry_after=0.01)
    hosted.ask(hosted.requests(1))
    (refusal,), (answer,) = learnt
    assert (refusal.remaining, answer.remaining) == (0, 9_999)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "quota"}, {"openai": "exceeded your current quota", "anthropic": "credit balance is too low"}),
        ({"kind": "status", "status": 403, "message": "not in your country"}, "not in your country"),
    ],
)
def test_what_will_never_pass_ends_at_once_and_everything_received_is_kept(hosted, fault, words):
    hosted.fake.fault(times=None, skip=30, **fault)
    requests = hosted.requests(300)
    with pytest.raises(EndpointError, match=words if isinstance(words, str) else words[hosted.name]):
        hosted.ask(requests)
    assert len(hosted.store) == len(hosted.paid()) == 30
    assert hosted.fake.load()["answered"] < 120
    hosted.fake.clear_faults()
    hosted.ask(requests)
    assert len(hosted.paid()) == 300


def test_an_unknown_model_is_named(hosted):
    with pytest.raises(EndpointError, match=r"no-such-model: HTTP 404 .*no-such-model"):
        complete(
            [hosted.request("a", model="no-such-model")],
            hosted.endpoint("no-such-model"),
            type(hosted.store)(hosted.folder, "no-such-model"),
        )


def test_one_request_that_the_provider_refuses_does_not_stop_the_others(hosted):
    hosted.fake.fault("status", times=None, status=400, message="a strange prompt", match="like, 7?")
    with pytest.raises(EndpointError, match=r"1 of 40 requests got no answer; the first: .*a strange prompt"):
        hosted.ask(hosted.requests(40))
    assert len(hosted.store) == 39


def test_a_mistake_in_every_request_is_not_tried_to_the_end(hosted):
    hosted.fake.fault("status", times=None, status=400, message="no such parameter")
    with pytest.raises(EndpointError, match="no such parameter"):
        hosted.ask(hosted.requests(500))
    assert hosted.fake.load()["answered"] <= concurrent.MOST_REFUSED + 20


def test_retries_come_to_an_end(hosted):
    hosted.fake.fault("server_error", times=None, match="like, 3?")
    with pytest.raises(EndpointError, match="1 of 8 requests got no answer; the first: HTTP 500"):
        hosted.ask(hosted.requests(8))
    assert len(hosted.store) == 7
    assert hosted.fake.faults()[0]["struck"] == concurrent.ATTEMPTS


def test_a_provider_that_only_says_wait_is_left_in_the_end(hosted):
    hosted.fake.fault("rate_limit", times=None, retry_after=3600)
    with pytest.raises(EndpointError, match=r"wait 3600 s more: HTTP 429"):
        hosted.ask(hosted.requests(3))


def test_a_server_that_is_not_there(hosted):
    endpoint = hosted.endpoint(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError, match="3 of 3 requests got no answer; the first: ConnectionRefusedError"):
        list(endpoint.answer(hosted.requests(3)))
    assert not endpoint.lost, "what never left cannot have been paid for"


def test_an_answer_follows_its_schema(hosted):
    response = hosted.ask([hosted.request("Is this an answer?", schema=VERDICT)])[0]
    assert set(json.loads(response.text)) == {"holds", "coherence"}


def test_the_system_prompt_reaches_the_model(hosted):
    hosted.ask([hosted.request(["Be a toaster.", "What are you?"])])
    asked = hosted.paid()[0]["asked"]
    system = asked["messages"][0]["content"] if hosted.name == "openai" else asked["system"]
    assert system == "Be a toaster."


def test_only_what_was_declared_is_sent(hosted):
    body = hosted.endpoint().provider.body(hosted.request("a", temperature=None))
    assert set(body) - {"seed"} == {"model", "messages", "max_tokens"}
    body = hosted.endpoint().provider.body(hosted.request("a", temperature=0.0, top_p=0.9))
    assert (body["temperature"], body["top_p"]) == (0.0, 0.9)


def test_each_sample_has_a_seed_where_a_seed_is_taken(gpt):
    def seeds(endpoint):
        return [endpoint.provider.body(request).get("seed") for request in gpt.requests(3)]

    assert len(set(seeds(gpt.endpoint()))) == 3
    assert set(seeds(gpt.endpoint(base_url=None))) == {None}, "OpenAI deprecates it"


def test_openais_own_models_know_the_other_word_for_the_longest_answer(gpt):
    for url in (None, "https://eu.api.openai.com/v1"):
        assert gpt.endpoint(base_url=url).provider.body(gpt.request("a"))["max_completion_tokens"] == 60


def test_a_list_of_answers_is_stored_before_the_run_ends(hosted):
    """A process that dies in the middle has lost only what was in flight."""
    hosted.fake.set(latency=0.02)
    endpoint, store = hosted.endpoint(concurrency=5), hosted.store
    answers = endpoint.answer(hosted.requests(40))
    store.append(next(answers))
    answers.close()
    assert 0 < len(hosted.store) < 40
    assert len(hosted.paid()) <= len(hosted.store) + 5
