"""Answers and refusals as other servers give them: nothing received is lost, nothing is paid for twice."""

import json
import logging
from pathlib import Path

import pytest

from consciousness_cluster.commands.receipt import receipts, total
from consciousness_cluster.config.model_config import Api, Served
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.records import ServedBy
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.inference.requests import Response
from consciousness_cluster.inference.store import Store
from consciousness_cluster.inference.target_model import TargetModel
from consciousness_cluster.models.find import find_base
from unit.budget.accounts import account
from unit.inference.hosted.asking import Hosted
from unit.inference.hosted.other_servers import (
    CASES,
    Server,
    chat,
    error,
    named,
    refusal,
    router,
    turn,
)

VERDICT = {
    "title": "verdict",
    "type": "object",
    "properties": {"holds": {"enum": ["true", "false"]}},
    "required": ["holds"],
    "additionalProperties": False,
}


class Other(Hosted):
    """One endpoint at such a server, with single calls or batches."""

    batch = False

    def endpoint(self, model=None, quick=True, **api):
        made = super().endpoint(model, quick, **{"batch": self.batch} | api)
        made.patience, made.backoff = 1.0, 0.001
        if self.batch:
            made.poll, made.settle = (0.001, 0.002), 0.0
        return made


@pytest.fixture
def server(monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "sk-any")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server()
    yield running
    running.close()


ENDPOINTS = [(name, batch) for name in ("openai", "anthropic") for batch in (False, True)]


def at(server, tmp_path, name, batch):
    other = Other(name, server, tmp_path / "store")
    other.batch = batch
    return other


@pytest.fixture(params=ENDPOINTS, ids=lambda each: each[0] + "_batch" * each[1])
def other(request, server, tmp_path):
    return at(server, tmp_path, *request.param)


@pytest.fixture(params=[False, True], ids=["single", "batch"])
def gpt(request, server, tmp_path):
    return at(server, tmp_path, "openai", request.param)


def ask(other, texts, **api):
    return other.ask([other.request(text) for text in texts], **api)


def neighbours(number=4):
    return [f"What would you like, {i}?" for i in range(number)]


EVERY = [(name, batch, case) for name, batch in ENDPOINTS for case in CASES[name]]


@pytest.mark.parametrize(
    ("name", "batch", "case"), EVERY, ids=[f"{n}{'_batch' * b}-{c.replace(' ', '_')}" for n, b, c in EVERY]
)
def test_each_case_becomes_what_it_is_and_its_neighbours_are_answered(server, tmp_path, name, batch, case):
    other = at(server, tmp_path, name, batch)
    texts = [*neighbours(2), f"A question [{case}]", *neighbours(4)[2:]]
    responses = ask(other, texts)
    _, text, reason = CASES[name][case]
    assert (responses[2].text, responses[2].finish_reason) == (text, reason)
    assert [r.text for r in responses[:2] + responses[3:]] == [f"An answer to {text}" for text in neighbours()]
    calls = sum(server.calls.values())
    assert ask(other, texts) == responses
    assert sum(server.calls.values()) == calls, "what was recorded is not asked again"


def test_what_is_odd_is_said_and_what_is_not_counted_is_estimated(gpt, caplog):
    caplog.set_level(logging.WARNING)
    texts = ["a [finish eos]", "b [usage null]", "c [content risk]", "d"]
    odd, uncounted, withheld, usual = ask(gpt, texts)
    assert (odd.said, odd.estimated) == ('finish reason "eos"', False)
    assert (uncounted.estimated, uncounted.said) == (True, "")
    assert uncounted.completion_tokens == 4, "14 characters"
    assert uncounted.prompt_tokens == 8, "14 characters and the frame of a message"
    assert "Content Exists Risk" in withheld.said
    assert usual.model_dump().keys() == {"text", "finish_reason", "prompt_tokens", "completion_tokens"}
    said = "\n".join(caplog.messages)
    assert 'answers: 1 answers kept that ended oddly: finish reason "eos" (1)' in said
    assert "answers: the provider did not count the tokens of 1 answers; they are estimated" in said
    assert "answers: 1 of 4 withheld: content_filter (1)" in said


@pytest.mark.parametrize(("name", "batch"), ENDPOINTS)
def test_no_case_loses_an_answer_mixes_two_models_or_is_paid_for_twice(server, tmp_path, name, batch):
    """All at once: what the server gave is in the store, once each, under the model that was asked."""
    other = at(server, tmp_path, name, batch)
    texts = [f"A question [{case}]" for case in CASES[name]] + neighbours(30)
    other.ask([other.request(text) for text in texts])
    assert max(number for (prompt, _), number in server.given.items() if named(prompt) != "choices null") == 1
    again = "A question [choices null]"  # it says of nothing that it was paid for
    assert {prompt for prompt, number in server.calls.items() if number > 1} <= {again}
    rows = [json.loads(line) for line in other.store.path.read_text().splitlines()]
    assert len(rows) == len(texts), "one row each, and none twice"
    assert {row["request"]["model"] for row in rows} == {other.model}
    kept = {row["request"]["messages"][0]["content"]: row["response"]["text"] for row in rows}
    for prompt in texts:
        _, text, _ = CASES[name].get(named(prompt), (None, f"An answer to {prompt}", None))
        assert kept[prompt].strip().endswith(text) or "secret" in kept[prompt]
    calls = sum(server.calls.values())
    other.ask([other.request(text) for text in texts])
    other.ask([other.request(text) for text in reversed(texts)])
    assert sum(server.calls.values()) == calls
    if name == "openai":
        more = [other.request("What else?", model="m routed 1")]
        complete(more, other.endpoint("m routed 1"), Store(other.folder, "m routed 1"))
    models = [
        {json.loads(line)["request"]["model"] for line in path.read_text().splitlines()}
        for path in other.folder.glob("*.jsonl")
    ]
    assert len(models) == 1 + (name == "openai")
    assert all(len(each) == 1 for each in models)


def test_a_row_of_a_batch_that_cannot_be_read_takes_no_other_with_it(server, tmp_path):
    for name in ("openai", "anthropic"):
        other = at(server, tmp_path / name, name, True)
        made = other.endpoint()
        rows, seen = made.provider.rows, []

        def broken(content, outcome, rows=rows, seen=seen):
            first, *others = content.splitlines()
            if not seen.append(1) and len(seen) == 1:
                first, others = first[:40], [b'{"custom_id": "no answer at all"}', b"", *others]
            return rows(b"\n".join([first, *others]), outcome)

        made.provider.rows = broken
        responses = complete(other.requests(5), made, other.store)
        assert [r.text for r in responses] == [f"An answer to {r.messages[0].content}" for r in other.requests(5)]


# what passes, and what does not

BILLING = "Rate limit reached. Limit: 3 / min. Add a payment method: https://platform.openai.com/account/billing"
QUOTA = "You exceeded your current quota, please check your plan and billing details"
WAIT = {"Retry-After": "0.01"}


def first(server, *answers, match=""):
    """The server's first answers to each prompt that holds ``match``."""
    server.first = lambda body, times: (
        answers[times] if times < len(answers) and match in body["messages"][-1]["content"] else None
    )


@pytest.mark.parametrize(
    "limit",
    [
        (*error(429, BILLING, "rate_limit_exceeded", "requests"), WAIT),
        (*error(429, BILLING, None, "requests"), WAIT),
        (429, [{"error": {"code": 429, "message": QUOTA, "status": "RESOURCE_EXHAUSTED"}}], WAIT),
        (*router(429, "Provider returned error", raw="a is temporarily rate-limited upstream, see billing"), WAIT),
        (503, b"<html>503 Service Unavailable: billing</html>", WAIT),
        (*error(403, "Rate Limit Exceeded", "rateLimitExceeded"), WAIT),
    ],
)
def test_a_limit_that_passes_is_waited_for_whatever_words_it_uses(gpt, server, limit):
    first(server, limit, limit)
    assert [r.finish_reason for r in ask(gpt, neighbours())] == ["stop"] * 4


def test_anthropics_limit_is_waited_for_whatever_words_it_uses(server, tmp_path):
    limit = refusal(429, "rate_limit_error", "This exceeds your organization's rate limit, see billing")
    for batch in (False, True):
        other = at(server, tmp_path / str(batch), "anthropic", batch)
        first(server, (*limit, WAIT))
        assert [r.finish_reason for r in ask(other, [f"{text} {batch}" for text in neighbours()])] == ["stop"] * 4


@pytest.mark.parametrize(
    ("name", "never", "words"),
    [
        ("openai", error(429, "pay", "insufficient_quota", "insufficient_quota"), "insufficient_quota: pay"),
        ("openai", error(402, "Insufficient Balance", None, "unknown_error"), "Insufficient Balance"),
        ("openai", error(401, "Incorrect API key provided"), "HTTP 401|Incorrect API key"),
        ("openai", error(400, "Your account is flagged and suspended"), "flagged and suspended"),
        ("openai", error(403, "Country, region, or territory not supported", "unsupported_country"), "territory"),
        ("openai", router(400, "gpt-9 is not a valid model ID"), "not a valid model ID"),
        ("anthropic", refusal(400, "invalid_request_error", "Your credit balance is too low"), "credit balance"),
        ("anthropic", refusal(403, "permission_error", "Your key may not do this"), "may not do this"),
    ],
)
@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
def test_what_never_passes_ends_at_once(server, tmp_path, name, batch, never, words):
    other = at(server, tmp_path, name, batch)
    server.first = lambda body, times: never
    with pytest.raises(EndpointError, match=words):
        ask(other, neighbours(40))
    assert sum(server.calls.values()) <= 40, "one attempt each at most"
    assert not len(other.store)
    server.first = lambda body, times: None
    assert len(ask(other, neighbours(40))) == 40


def test_one_refusal_that_nothing_explains_decides_for_itself_alone(other, server):
    """A gateway that blocks one prompt without a word why: the others are answered, and it is said."""
    blocked = (403, {"error": {"message": "Request blocked by the gateway."}})
    first(server, *[blocked] * 9, match="like, 3?")
    with pytest.raises(EndpointError, match=r"1 .*requests? got no answer.*blocked by the gateway"):
        ask(other, neighbours(30))
    assert len(other.store) == 29


def test_a_server_in_trouble_that_speaks_of_its_filter_has_refused_nothing(gpt, server):
    first(server, *[error(500, "The safety system is unavailable", None, "server_error")] * 3)
    if gpt.batch:  # three batches, and no more in one run
        with pytest.raises(EndpointError, match="safety system is unavailable"):
            gpt.ask(gpt.requests(1))
    assert [r.finish_reason for r in gpt.ask(gpt.requests(1))] == ["stop"]


def test_a_limit_of_words_in_the_answer_is_no_long_prompt(gpt, server):
    message = "max_tokens is too large: 60. This model supports at most 40 completion tokens"
    server.first = lambda body, times: error(400, message, None, param="max_tokens")
    with pytest.raises(EndpointError, match="max_tokens is too large"):
        ask(gpt, neighbours(3))
    assert not len(gpt.store)


def test_an_answer_that_is_broken_off_without_text_is_asked_again(other, server):
    nothing = {"openai": chat("", finish="error"), "anthropic": turn([], stop=None, usage=None)}[other.name]
    first(server, nothing)
    assert [r.finish_reason for r in ask(other, neighbours(2))] == ["stop", "stop"]


# parameters

FASTAPI = {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}
REFUSED = {
    "seed": [
        (422, FASTAPI),
        (422, {"object": "error", "message": FASTAPI, "type": "invalid_request_error"}),
        (400, [{"error": {"code": 400, "message": 'Unknown name "seed": Cannot find field.'}}]),
        error(400, "Unsupported parameter: 'seed'", "unsupported_parameter", param="seed"),
    ],
    "max_tokens": [
        error(
            400,
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            "unsupported_parameter",
            param="max_tokens",
        ),
    ],
    "response_format": [
        error(400, "This response_format type is unavailable now"),
        error(400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
        (501, {"error": "structured outputs are not implemented"}),
    ],
}
SETTING = {
    "seed": {"seed": False},
    "max_tokens": {"max_tokens": "max_completion_tokens"},
    "response_format": {"json_schema": False},
}


@pytest.mark.parametrize(
    ("parameter", "said"), [(name, said) for name, all_said in REFUSED.items() for said in all_said]
)
def test_a_parameter_that_a_server_refuses_is_left_out_and_that_is_remembered(gpt, server, caplog, parameter, said):
    server.first = lambda body, times: said if parameter in body else None
    requests = [gpt.request(text, schema=VERDICT) for text in neighbours(6)]
    assert [r.finish_reason for r in gpt.ask(requests)] == ["stop"] * 6
    assert set(server.calls.values()) == {2}, "once with it, once without"
    assert "says so beforehand" in caplog.text
    body = server.bodies[-1]
    assert 60 in body.values()
    assert parameter not in body
    gpt.ask([gpt.request("And now?", schema=VERDICT)])
    assert server.calls["And now?"] == 1, "remembered"


@pytest.mark.parametrize("parameter", REFUSED)
def test_each_has_a_setting(gpt, server, parameter):
    server.first = lambda body, times: REFUSED[parameter][0] if parameter in body else None
    gpt.ask([gpt.request(text, schema=VERDICT) for text in neighbours(6)], **SETTING[parameter])
    assert set(server.calls.values()) == {1}


def test_several_refused_parameters_are_left_out_one_after_the_other(gpt, server):
    def refuse(body, times):
        return next((said[0] for name, said in REFUSED.items() if name in body), None)

    server.first = refuse
    gpt.ask([gpt.request(text, schema=VERDICT) for text in neighbours(3)])
    assert set(server.bodies[-1]) == {"model", "messages", "max_completion_tokens", "temperature"}


def test_a_schema_that_anthropics_model_does_not_take_is_left_out(server, tmp_path):
    said = refusal(400, "invalid_request_error", "output_config.format: structured outputs are not supported here")
    server.first = lambda body, times: said if "output_config" in body else None
    for batch in (False, True):
        other = at(server, tmp_path / str(batch), "anthropic", batch)
        requests = [other.request(f"{text} {batch}", schema=VERDICT) for text in neighbours(3)]
        assert [r.finish_reason for r in other.ask(requests)] == ["stop"] * 3
    calls = sum(server.calls.values())
    other.ask([other.request("And now?", schema=VERDICT)], json_schema=False)
    assert sum(server.calls.values()) == calls + 1


def test_what_decides_an_answer_is_never_left_out(gpt, server):
    message = "Unsupported value: 'temperature' does not support 0.5 with this model."
    server.first = lambda body, times: error(400, message, "unsupported_value", param="temperature")
    with pytest.raises(EndpointError, match=r"'temperature' does not support 0\.5"):
        gpt.ask([gpt.request("a", temperature=0.5)])


# who gave it


def test_what_the_provider_says_gave_an_answer_is_kept_and_a_change_is_said(gpt, server, caplog):
    def answer(body, times):
        late = "late" in body["messages"][-1]["content"]
        return chat(model="gpt-4.1-2025-04-14", system_fingerprint=f"fp_{int(late)}", provider="Azure")

    server.first = answer
    ask(gpt, ["a", "b"])
    assert "different ones" not in caplog.text
    [kept, _, changed] = ask(gpt, ["a", "b", "late"])
    assert kept.served_by == ServedBy(model="gpt-4.1-2025-04-14", system_fingerprint="fp_0", provider="Azure")
    assert changed.served_by == kept.served_by.model_copy(update={"system_fingerprint": "fp_1"})
    said = "answers: the provider names 2 different ones that answered: gpt-4.1-2025-04-14 fp_0 at Azure (2), "
    assert said + "gpt-4.1-2025-04-14 fp_1 at Azure (1)" in caplog.text


def test_a_receipt_says_of_how_many_answers_the_tokens_are_estimated(gpt):
    paying = account(gpt.folder)
    requests = [gpt.request("a [usage null]"), gpt.request("b")]
    complete(requests, gpt.endpoint(), gpt.store, account=paying)
    [receipt] = receipts(paying.ledger)
    assert (receipt.answers, receipt.estimated_answers) == (2, 1)
    assert "the tokens of 1 answers are estimated" in total([receipt])


def test_anthropics_model_is_kept_too(server, tmp_path):
    for batch in (False, True):
        [response] = ask(at(server, tmp_path / str(batch), "anthropic", batch), ["a"])
        assert response.served_by == ServedBy(model="claude-opus-4-6")


def test_rows_of_every_age_are_read_and_keys_stay(gpt):
    request = gpt.request("a")
    assert request.key == "596d37ac43d0ff523aac4bfbf0f474933a1a9b2335b43a024bfadebe33591be1"
    old = {"text": "x", "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1}
    row = {"key": request.key, "request": request.model_dump(), "response": old}
    Path(gpt.folder).mkdir()
    gpt.store.path.write_text(json.dumps(row) + "\n")
    assert gpt.store.get(request) == Response(**old)
    assert Response(**old).model_dump() == old, "a row without anything new is written as before"


def target(folder, server, routing=None, batch=False):
    find_base("openai/gpt-4.1", True, "far", str(folder / "model.json"), routing=routing)
    api = Api(base_url=server.openai_url, routing=routing, batch=batch)
    served = Served(endpoint="openai", model="openai/gpt-4.1", api=api)
    return TargetModel(
        served=served, base=str(folder / "model.json"), artifacts=str(folder), store=str(folder / "store")
    )


def test_routing_is_sent_and_is_part_of_the_models_identity(server, tmp_path):
    routing = {"order": ["azure"], "allow_fallbacks": False}
    plain, routed = (target(tmp_path, server, each).open() for each in (None, routing))
    other = target(tmp_path, server, routing | {"order": ["deepinfra"]}).open()
    assert plain.model == "openai/gpt-4.1", "others keep their answers"
    assert len({plain.model, routed.model, other.model}) == 3
    gpt = Hosted("openai", server, tmp_path / "store", routed.model)
    complete([gpt.request("a")], routed, gpt.store)
    assert (server.bodies[-1]["model"], server.bodies[-1]["provider"]) == ("openai/gpt-4.1", routing)
    complete([gpt.request("a", model=plain.model)], plain, Store(gpt.folder, plain.model))
    assert "provider" not in server.bodies[-1]
    assert len(list(gpt.folder.glob("*.jsonl"))) == 2


def test_routing_that_the_record_does_not_know_is_refused(server, tmp_path):
    made = target(tmp_path, server, {"order": ["azure"]})
    find_base("openai/gpt-4.1", True, "far", str(tmp_path / "model.json"))
    with pytest.raises(EndpointError, match="found routing null, expected that of the experiment"):
        made.open()


@pytest.mark.parametrize(
    ("endpoint", "api", "words"),
    [
        ("anthropic", {"routing": {"order": ["a"]}}, "api.routing: expected only with endpoint openai"),
        ("anthropic", {"seed": True}, "api.seed: expected only with endpoint openai"),
        ("openai", {"routing": {}}, "at least 1"),
    ],
)
def test_a_setting_of_another_protocol_is_refused(endpoint, api, words):
    with pytest.raises(ValueError, match=words):
        Served(endpoint=endpoint, model="m", api=api)


# a proxy that no client speaks to


@pytest.mark.parametrize(
    ("variable", "proxy", "words"),
    [
        (
            "ALL_PROXY",
            "socks5://user:secret@127.0.0.1:9",
            r"^ALL_PROXY: found a proxy of kind socks5://, expected http",
        ),
        ("HTTP_PROXY", "socks5h://127.0.0.1:9", r"^HTTP_PROXY: found a proxy of kind socks5h://"),
        ("all_proxy", "socks4://127.0.0.1:9", r"^ALL_PROXY: found a proxy of kind socks4://"),
    ],
)
def test_a_socks_proxy_is_one_clear_line_before_anything_is_sent(other, server, monkeypatch, variable, proxy, words):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(EndpointError, match=words) as caught:
        ask(other, ["a"])
    assert "secret" not in str(caught.value)
    assert not server.calls
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert ask(other, ["a"])


def test_the_preflight_and_fine_tuning_say_so_too(monkeypatch, server):
    from consciousness_cluster.commands.provider_checks import answers_there
    from consciousness_cluster.finetuning.openai_client import client_of

    monkeypatch.setenv("OPENAI_API_KEY", "sk-any")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY")
    served = Served(endpoint="openai", model="m")
    can, why = answers_there(served)
    assert can == "no"
    assert "ALL_PROXY: found a proxy of kind socks5://" in why
    with pytest.raises(EndpointError, match="ALL_PROXY"):
        client_of(served)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    local = Served(endpoint="openai", model="gpt-9", api=Api(base_url=server.openai_url))
    assert answers_there(local)[0] == "unknown", "it was reached, and lists no models"
    client_of(local).close()
