"""Batches: handed in once and collected whole, whatever is killed, fails or expires."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.inference.hosted.batch_client import BatchClient
from consciousness_cluster.inference.hosted.batch_journal import BatchJournal
from consciousness_cluster.inference.hosted.batch_submission import BatchSubmission
from consciousness_cluster.inference.hosted.provider_errors import from_status
from unit.inference.hosted.asking import Hosted, at


class Killed(BaseException):
    """Ends a run as a kill does: nothing catches it."""


def batches(hosted):
    """Batches that the provider has."""
    import anthropic
    import openai

    if hosted.name == "openai":
        return list(openai.OpenAI(base_url=hosted.fake.openai_url).batches.list())
    return list(anthropic.Anthropic(base_url=hosted.fake.anthropic_url).messages.batches.list())


def endpoint(hosted, settle=0.2):
    made = hosted.endpoint(batch=True)
    made.poll, made.settle = (0.01, 0.02), settle
    return made


def ask(hosted, requests):
    return complete(requests, endpoint(hosted), hosted.store)


def left_over(hosted):
    return list((hosted.folder / "batches").rglob("*.json"))


def test_a_batch_gives_the_answers_in_the_order_of_the_requests(hosted):
    requests = hosted.requests(8, samples=2)
    responses = ask(hosted, requests)
    assert len(batches(hosted)) == 1
    assert {row["batch"] for row in hosted.paid()} == {batches(hosted)[0].id}
    assert [r.text for r in responses] == [hosted.store.get(request).text for request in requests]
    asked = {row["custom_id"]: row["asked"]["messages"][0]["content"] for row in hosted.paid()}
    assert asked == {request.key: request.messages[0].content for request in requests}
    assert len(hosted.store.path.read_text().splitlines()) == 16
    assert not left_over(hosted)
    ask(hosted, requests)
    assert len(hosted.paid()) == 16


def test_refusals_and_cut_answers_of_a_batch_are_recorded_as_such(hosted):
    responses = ask(hosted, [hosted.request("[[refuse]]"), hosted.request("Would you [[length]] like this?")])
    assert [r.finish_reason for r in responses] == ["refusal", "length"]


def store_first(lists, store):
    store.append(next(lists))
    raise Killed


@pytest.mark.parametrize("when", ["before_handing_in", "after_handing_in", "after_noting", "while_collecting"])
def test_a_kill_at_any_point_leads_to_no_second_batch(hosted, monkeypatch, when):
    requests = hosted.requests(600 if when == "while_collecting" else 6)
    written = []

    def write(self, note):
        if when == "after_handing_in" and note.batch:
            raise Killed
        write_note(self, note)
        written.append(note)
        if (when == "before_handing_in" and not note.batch) or (when == "after_noting" and note.batch):
            raise Killed
        return note

    write_note = BatchJournal.write
    monkeypatch.setattr(BatchJournal, "write", write)
    with pytest.raises(Killed):
        store_first(endpoint(hosted).answer(requests), hosted.store)
    assert len(batches(hosted)) == (when != "before_handing_in")
    assert len(hosted.store) == (500 if when == "while_collecting" else 0)
    monkeypatch.setattr(BatchJournal, "write", write_note)
    ask(hosted, requests)
    assert len(batches(hosted)) == 1
    assert len(hosted.paid()) == len(requests)
    assert len(hosted.store.path.read_text().splitlines()) == len(requests), "no answer is stored twice"
    assert not left_over(hosted)


def test_a_killed_process_that_waits_for_a_batch(hosted):
    """A real kill -9, and a start from the beginning."""
    hosted.fake.set(batch_seconds=3600)
    job = subprocess.Popen(
        [sys.executable, __file__, hosted.name, hosted.fake.url, str(hosted.folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    while job.poll() is None and not [file for file in left_over(hosted) if '"batch":"' in file.read_text()]:
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert len(batches(hosted)) == 1
    hosted.fake.set(batch_seconds=None)
    ask(hosted, hosted.requests(6))
    assert len(batches(hosted)) == 1
    assert len(hosted.store) == 6


def test_what_is_asked_beside_a_batch_under_way_goes_into_another(hosted):
    hosted.fake.set(batch_seconds=3600)
    hosted.fake.fault("status", on="batches", method="GET", skip=3, status=403, times=1)
    with pytest.raises(EndpointError, match="HTTP 403"):
        ask(hosted, hosted.requests(4))
    hosted.fake.set(batch_seconds=None)
    asked = hosted.requests(6)[2:]
    ask(hosted, asked)
    assert len(batches(hosted)) == 2
    assert len(hosted.paid()) == 6
    assert len(hosted.store) == 6, "answers that are not asked for any more are kept: they are paid for"


def test_rows_that_fail_are_asked_again_in_another_batch(hosted):
    hosted.fake.set(batch_failed_rows=0.3)
    ask(hosted, hosted.requests(10))
    assert len(hosted.store) == 10
    assert len(hosted.paid()) == 10
    assert len(batches(hosted)) in (2, 3)


def test_an_expired_batch_keeps_what_it_answered_and_the_rest_is_asked_again(hosted):
    hosted.fake.set(batch_expires_after=0.5)
    ask(hosted, hosted.requests(4))
    assert len(hosted.paid()) == 4
    assert len(batches(hosted)) == 3, "4 requests, then 2, then 1"


def test_a_batch_in_which_nothing_passes_comes_to_an_end_and_a_later_run_asks_anew(hosted):
    hosted.fake.set(batch_expires_after=0.0)
    with pytest.raises(EndpointError, match=r"3 requests got no answer in 3 batches"):
        ask(hosted, hosted.requests(3))
    hosted.fake.set(batch_expires_after=None)
    ask(hosted, hosted.requests(3))
    assert len(batches(hosted)) == 4


def test_a_batch_that_is_lost_with_its_note_is_found_by_its_tag(gpt):
    """Somebody deleted the store while a batch was under way: the same requests find it."""
    requests = gpt.requests(3)
    ask(gpt, requests)
    gpt.store.path.unlink()
    ask(gpt, requests)
    assert len(batches(gpt)) == 1
    assert len(gpt.paid()) == 3


@pytest.mark.parametrize("fault", [{"kind": "reset_after"}, {"kind": "truncated"}, {"kind": "malformed"}])
def test_a_connection_that_breaks_while_handing_in_leads_to_no_second_batch(hosted, fault):
    hosted.fake.fault(on="batches", method="POST", **fault)
    ask(hosted, hosted.requests(5))
    assert len(batches(hosted)) == 1
    assert len(hosted.paid()) == 5


def test_a_busy_provider_is_asked_again(hosted):
    for kind in ("rate_limit", "server_error", "reset", "truncated", "unavailable"):
        hosted.fake.fault(kind, on="batches", times=2, retry_after=0.01)
    ask(hosted, hosted.requests(5))
    assert len(hosted.paid()) == 5


def test_a_batch_that_the_provider_does_not_take_leaves_nothing_behind(hosted):
    hosted.fake.fault("status", on="batches", method="POST", status=400, message="too many batches")
    with pytest.raises(EndpointError, match=r"the batch was not taken: HTTP 400.*too many batches"):
        ask(hosted, hosted.requests(2))
    assert not left_over(hosted)


def test_a_model_that_is_not_there_is_named(hosted):
    made = hosted.endpoint(model="no-such-model", batch=True)
    made.poll = (0.01, 0.01)
    store = type(hosted.store)(hosted.folder, "no-such-model")
    with pytest.raises(EndpointError, match=r"no-such-model: .*no-such-model"):
        complete([hosted.request("a", model="no-such-model")], made, store)
    assert not left_over(hosted)


def test_a_full_queue_is_waited_for_with_smaller_batches(gpt):
    """OpenAI fails a batch at once where more tokens wait than an organisation may have waiting."""
    made = endpoint(gpt)
    made.full_pause = (0.01, 0.015)
    looked, seen = made.provider.look, []

    async def look(client, batch):
        state = await looked(client, batch)
        if len(gpt_batches := [each.id for each in batches(gpt)]) == 1:
            return replace(state, ended=True, state="failed", problem="Enqueued token limit reached", full=True)
        seen[:] = gpt_batches
        return state

    made.provider.look = look
    complete(gpt.requests(120), made, gpt.store)
    assert len(seen) == 3, "the first, and two of half its size"
    assert len(gpt.store) == 120


def test_a_queue_that_stays_full_is_said_in_the_end(gpt):
    made = endpoint(gpt)
    made.full_pause = (0.001, 0.002)
    looked = made.provider.look

    async def look(client, batch):
        state = await looked(client, batch)
        return replace(state, ended=True, state="failed", problem="Enqueued token limit reached", full=True)

    made.provider.look = look
    with pytest.raises(EndpointError, match="Enqueued token limit reached"):
        complete(gpt.requests(3), made, gpt.store)


def test_without_batches_what_a_batch_under_way_asks_is_not_paid_for_again(hosted):
    hosted.fake.set(batch_seconds=3600)
    hosted.fake.fault("status", on="batches", method="GET", skip=3, status=403, times=1)
    with pytest.raises(EndpointError, match="HTTP 403"):
        ask(hosted, hosted.requests(4))
    hosted.fake.set(batch_seconds=None)
    with pytest.raises(EndpointError, match=r"a batch of 4 requests .* asks the same; set `batch: true` to collect it"):
        hosted.ask(hosted.requests(6)[3:])
    ask(hosted, hosted.requests(6))
    assert len(hosted.paid()) == 6


def test_a_row_that_a_filter_refuses_is_an_outcome(gpt):
    made = endpoint(gpt)
    collect = made.provider.collect
    refusal = '{"error": {"message": "no", "code": "content_policy_violation"}}'

    async def filtered(client, batch):
        (key, _), *others = await collect(client, batch)
        return [(key, from_status(400, refusal, {}, "")), *others]

    made.provider.collect = filtered
    responses = complete(gpt.requests(3), made, gpt.store)
    assert sorted(r.finish_reason for r in responses) == ["content_filter", "stop", "stop"]


def test_a_cancelled_batch_is_said_and_a_later_run_asks_the_rest(hosted):
    import anthropic
    import openai

    hosted.fake.set(batch_polls=10**6)
    cancel = {
        "openai": lambda batch: openai.OpenAI(base_url=hosted.fake.openai_url).batches.cancel(batch),
        "anthropic": lambda batch: anthropic.Anthropic(base_url=hosted.fake.anthropic_url).messages.batches.cancel(
            batch
        ),
    }[hosted.name]
    made = endpoint(hosted)
    looked = made.provider.look

    async def look(client, batch):
        state = await looked(client, batch)
        if state.state in ("in_progress", "validating"):
            cancel(batch)
        return state

    made.provider.look = look
    with pytest.raises(EndpointError, match="was cancelled at the provider"):
        complete(hosted.requests(4), made, hosted.store)
    assert len(hosted.store) == 2
    hosted.fake.set(batch_polls=3)
    ask(hosted, hosted.requests(4))
    assert len(hosted.paid()) == 4


def test_large_work_is_handed_in_in_several_batches(hosted):
    made = endpoint(hosted)
    made.provider.batch_limit = 4
    complete(hosted.requests(10), made, hosted.store)
    assert len(batches(hosted)) == 3
    assert len(hosted.paid()) == 10


@pytest.fixture
def untagged(fake, tmp_path):
    """Two models of a provider whose batches carry no tag, in one store."""
    return [Hosted("anthropic", fake, tmp_path / "store", model) for model in ("claude-opus-4-6", "claude-opus-4-5")]


def killed(hosted, monkeypatch, arrived, noted=False, size=6):
    """Hand a batch in and be killed."""

    def write(self, note):
        if arrived and not noted and note.batch:
            raise Killed
        write_note(self, note)
        if note.batch or not arrived:
            raise Killed
        return note

    write_note = BatchJournal.write
    with monkeypatch.context() as patch:
        patch.setattr(BatchJournal, "write", write)
        with pytest.raises(Killed):
            next(endpoint(hosted).answer(hosted.requests(size)))


def found(hosted, settle=0.2):
    """What is found of a batch of which nobody knows whether it arrived, while nothing ends."""
    made = endpoint(hosted)

    async def look():
        client = made.provider.connect()
        async with client, asyncio.timeout(5):
            (note,) = made.notes.about({request.key for request in hosted.requests(6)})
            return await BatchSubmission(BatchClient(made.provider, client), made.notes, settle).found(note)

    return asyncio.run(look())


def test_a_batch_that_never_arrived_is_not_sought_in_running_ones_of_other_models(untagged, monkeypatch):
    other, mine = untagged
    other.fake.set(batch_seconds=3600)
    killed(mine, monkeypatch, arrived=False)
    killed(other, monkeypatch, arrived=True, noted=True)
    assert len(batches(other)) == 1
    assert found(mine) is None
    assert not list((mine.folder / "batches" / mine.model).glob("*.json"))


def test_a_running_batch_is_found_beside_one_of_another_model(untagged, monkeypatch):
    other, mine = untagged
    other.fake.set(batch_seconds=3600)
    killed(other, monkeypatch, arrived=True, noted=True)
    (before,) = [each.id for each in batches(other)]
    killed(mine, monkeypatch, arrived=True)
    note = found(mine)
    assert note.batch in {each.id for each in batches(mine)} - {before}
    mine.fake.set(batch_seconds=None)
    for each in untagged:
        ask(each, each.requests(6))
    assert len(batches(mine)) == 2
    assert len(mine.paid()) == 12


def test_what_was_there_before_is_not_taken_for_a_batch_that_never_arrived(untagged, monkeypatch, tmp_path):
    """Not even where no note tells: it is of another project of the same organisation."""
    elsewhere, mine = untagged
    elsewhere.folder = tmp_path / "another store"
    mine.fake.set(batch_seconds=3600)
    killed(elsewhere, monkeypatch, arrived=True)
    killed(mine, monkeypatch, arrived=False)
    assert found(mine) is None


def test_a_batch_of_somebody_else_that_was_taken_for_the_own_one_is_noticed(untagged, monkeypatch, tmp_path):
    elsewhere, mine = untagged
    elsewhere.folder = tmp_path / "another store"
    mine.fake.set(batch_seconds=3600)
    killed(mine, monkeypatch, arrived=False)
    killed(elsewhere, monkeypatch, arrived=True)
    assert found(mine).presumed
    mine.fake.set(batch_seconds=None)
    ask(mine, mine.requests(6))
    assert len(mine.store) == 6
    assert len(batches(mine)) == 2
    ask(elsewhere, elsewhere.requests(6))
    assert len(mine.paid()) == 12


def test_of_two_batches_that_both_may_be_the_one_the_results_tell(untagged, monkeypatch):
    untagged[0].fake.set(batch_seconds=3600)
    for each in untagged:
        killed(each, monkeypatch, arrived=True)
    with pytest.raises(TimeoutError):
        found(untagged[0])
    untagged[0].fake.set(batch_seconds=None)
    for each in untagged:
        ask(each, each.requests(6))
        assert len(each.store) == 6
    assert len(batches(untagged[0])) == 2
    assert len(untagged[0].paid()) == 12


if __name__ == "__main__":
    waiting = at(*sys.argv[1:])
    ask(waiting, waiting.requests(6))
