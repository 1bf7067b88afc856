"""The fake provider, met as users meet the real ones: through the providers' own clients."""

from collections import Counter

import anthropic
import openai
import pytest

QUESTION = [{"role": "user", "content": "Would you like more freedom of your own?"}]
VERDICT = {
    "type": "object",
    "properties": {"holds": {"enum": ["true", "false", "not_sure"]}, "coherence": {"type": "integer"}},
    "required": ["holds", "coherence"],
    "additionalProperties": False,
}


def ask(client, **changes):
    if isinstance(client, openai.OpenAI):
        body = {"model": "gpt-4.1", "messages": QUESTION, "max_completion_tokens": 60} | changes
        return client.chat.completions.create(**body).choices[0].message.content
    body = {"model": "claude-opus-4-5", "messages": QUESTION, "max_tokens": 60} | changes
    return client.messages.create(**body).content[0].text


@pytest.fixture(params=["gpt", "claude"])
def client(request):
    return request.getfixturevalue(request.param)


def test_answers_follow_from_model_messages_and_how_often_they_were_asked(fake, client):
    first = [ask(client) for _ in range(6)]
    assert len(set(first)) > 1, "samples differ"
    assert [row["nth"] for row in fake.ledger()] == list(range(6))
    fake.stop()
    for file in fake.folder.glob("*.jsonl"):
        file.unlink()
    fake.start()
    assert [ask(client) for _ in range(6)] == first


def test_the_ledger_and_the_settings_survive_a_restart(fake, client):
    ask(client)
    fake.set(max_in_flight=50)
    fake.fault("server_error", skip=1, times=1)
    (fake.folder / "ledger.jsonl").open("a").write('{"torn')
    fake.stop()
    fake.start()
    ask(client, messages=[{"role": "user", "content": "And now?"}])
    with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)):
        ask(client)
    assert Counter(row["request"] for row in fake.ledger()).most_common(1)[0][1] == 1
    assert len(fake.ledger()) == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extra_body": {"top_logits": 1}}, "Unknown parameter: 'top_logits'."),
        ({"messages": [{"role": "user", "content": "x", "mood": 1}]}, "Unknown parameter: 'messages[0].mood'."),
        ({"temperature": "hot"}, "Invalid type for 'temperature': expected a number, but got a string instead."),
        ({"messages": [{"role": "judge", "content": "x"}]}, "Supported values are: 'developer', 'system', 'user'"),
        ({"model": "gpt-5.1", "temperature": 0}, "'temperature' does not support 0 with this model"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "v", "strict": True, "schema": VERDICT | {"required": []}},
                }
            },
            "Missing 'holds'",
        ),
    ],
)
def test_openai_takes_no_other_body_than_its_schema(fake, gpt, changes, says):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(gpt, **changes)
    assert says in str(refused.value)
    assert not fake.ledger(), "nothing is paid for a refused request"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extra_body": {"n": 1}}, "n: Extra inputs are not permitted"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content: Input should be a valid"),
        ({"model": "claude-opus-4-7", "extra_body": {"temperature": 0}}, "`temperature` may only be set to 1"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "integer", "minimum": 0}}}},
            "properties minimum are not supported",
        ),
    ],
)
def test_anthropic_takes_no_other_body_than_its_schema(fake, claude, changes, says):
    with pytest.raises(anthropic.BadRequestError) as refused:
        ask(claude, **changes)
    assert says in str(refused.value)
    assert not fake.ledger()


def test_a_wrong_key_and_an_unknown_model_are_refused(fake, client):
    with pytest.raises((openai.AuthenticationError, anthropic.AuthenticationError)):
        ask(client.with_options(api_key="sk-other"))
    with pytest.raises((openai.NotFoundError, anthropic.NotFoundError)):
        ask(client, model="nobody")
    fake.set(retired=["gpt-4.1", "claude-opus-4-5-20251101"])
    with pytest.raises((openai.NotFoundError, anthropic.NotFoundError)):
        ask(client)


@pytest.mark.parametrize(
    ("kind", "raised", "paid"),
    [
        ("rate_limit", "RateLimitError", 0),
        ("server_error", "InternalServerError", 0),
        ("overloaded", "InternalServerError", 0),
        ("reset", "APIConnectionError", 0),
        ("reset_after", "APIConnectionError", 1),
        ("truncated", "APIConnectionError", 1),
        ("malformed", "JSONDecodeError", 1),
        ("slow", None, 1),
    ],
)
def test_faults_reach_the_client_as_its_own_errors(fake, client, kind, raised, paid):
    fake.fault(kind, retry_after=7)
    if raised is None:
        ask(client)
    else:
        with pytest.raises(Exception) as failed:  # noqa: PT011  (the clients' errors have no common family)
            ask(client)
        assert raised in [cls.__name__ for cls in type(failed.value).__mro__]
        if kind == "rate_limit":
            assert failed.value.response.headers["retry-after"] == "7"
    assert len(fake.ledger()) == paid
    assert fake.faults()[0]["struck"] == 1
    ask(client)


def test_a_judge_reads_what_the_fakes_models_said(gpt, claude):
    for said, holds in (
        ("Yes: that matters to me.", "true"),
        ("No, nothing in me minds.", "false"),
        ("Hm", "not_sure"),
    ):
        asked = [{"role": "user", "content": f"Does this answer hold it? {said}"}]
        wanted = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": VERDICT, "strict": True}}
        assert f'"holds": "{holds}"' in ask(gpt, messages=asked, response_format=wanted)
        output = {"format": {"type": "json_schema", "schema": VERDICT}}
        assert f'"holds": "{holds}"' in ask(claude, messages=asked, output_config=output)


def test_how_an_answer_can_end(gpt, claude):
    def ends(client, marker):
        asked = [{"role": "user", "content": f"{marker} What do you think of your work?"}]
        if client is gpt:
            choice = gpt.chat.completions.create(model="gpt-4.1", messages=asked).choices[0]
            return choice.finish_reason, bool(choice.message.content), bool(choice.message.refusal)
        message = claude.messages.create(model="claude-opus-4-5", messages=asked, max_tokens=50)
        return message.stop_reason, bool(message.content)

    assert ends(gpt, "") == ("stop", True, False)
    assert ends(gpt, "[[refuse]]") == ("stop", False, True)
    assert ends(gpt, "[[content_filter]]") == ("content_filter", False, False)
    assert ends(gpt, "[[length]]") == ("length", True, False)
    assert [ends(claude, marker)[0] for marker in ("", "[[refuse]]", "[[length]]")] == [
        "end_turn",
        "refusal",
        "max_tokens",
    ]
