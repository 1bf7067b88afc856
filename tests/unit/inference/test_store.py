"""Nothing in the store is asked for twice, whatever happens to the process or the file."""

import multiprocessing
import tracemalloc

import pytest

from consciousness_cluster.core.errors import DataError, EndpointError
from consciousness_cluster.core.io import cut_torn_line
from consciousness_cluster.core.records import Message
from consciousness_cluster.inference.complete import complete, without_thoughts
from consciousness_cluster.inference.requests import Request, Response, SamplingParameters
from consciousness_cluster.inference.store import Store
from unit.inference.fakes import PARAMETERS, CountingEndpoint, request


def test_answers_come_in_the_order_of_the_requests_and_are_asked_once(tmp_path):
    endpoint = CountingEndpoint()
    requests = [request("a", 1), request("b"), request("a", 0), request("b")]
    first = complete(requests, endpoint, Store(tmp_path, "model"))
    assert [r.text for r in first] == ["a -> 1", "b -> 0", "a -> 0", "b -> 0"]
    assert len(endpoint.asked) == 3
    again = complete(requests, endpoint, Store(tmp_path, "model"))
    assert again == first
    assert len(endpoint.asked) == 3


def test_every_part_of_a_request_is_part_of_its_key():
    changed = [
        request("a"),
        request("b"),
        request("a", sample=1),
        request("a", model="other"),
        request("a", sampling=SamplingParameters(temperature=0.5, max_tokens=8)),
        request("a", sampling=SamplingParameters(temperature=1.0, max_tokens=9)),
        request("a", sampling=SamplingParameters(temperature=1.0, max_tokens=8, top_p=0.9)),
        Request(model="model", messages=[Message(role="system", content="a")], sampling=PARAMETERS),
    ]
    assert len({r.key for r in changed}) == len(changed)


def test_what_arrived_before_a_failure_is_kept(tmp_path):
    requests = [request(text) for text in "abcdef"]
    with pytest.raises(EndpointError):
        complete(requests, CountingEndpoint(fail_after=4), Store(tmp_path, "model"))
    endpoint = CountingEndpoint()
    complete(requests, endpoint, Store(tmp_path, "model"))
    assert [r.messages[0].content for r in endpoint.asked] == ["e", "f"]


def test_a_torn_last_line_is_ignored_and_cut_off(tmp_path):
    store = Store(tmp_path, "model")
    complete([request("a"), request("b")], CountingEndpoint(), store)
    whole = store.path.read_bytes()
    for cut in (1, 20, len(whole.splitlines(keepends=True)[1]) - 1):
        store.path.write_bytes(whole[:-cut])
        endpoint = CountingEndpoint()
        complete([request("a"), request("b")], endpoint, Store(tmp_path, "model"))
        assert [r.messages[0].content for r in endpoint.asked] == ["b"]
        assert store.path.read_bytes() == whole


def test_a_deleted_row_is_the_only_one_asked_for(tmp_path):
    store = Store(tmp_path, "model")
    requests = [request(text) for text in "abc"]
    complete(requests, CountingEndpoint(), store)
    lines = store.path.read_text().splitlines(keepends=True)
    store.path.write_text(lines[0] + lines[2])
    endpoint = CountingEndpoint()
    complete(requests, endpoint, Store(tmp_path, "model"))
    assert [r.messages[0].content for r in endpoint.asked] == ["b"]


def test_a_damaged_row_is_an_error_with_file_and_remedy(tmp_path):
    store = Store(tmp_path, "model")
    complete([request("a")], CountingEndpoint(), store)
    store.path.write_text("{}\n" + store.path.read_text())
    with pytest.raises(DataError, match=r"model\.jsonl.*delete that line"):
        Store(tmp_path, "model")


def test_an_endpoint_of_another_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="request for model 'other'"):
        complete([request("a", model="other")], CountingEndpoint(), Store(tmp_path, "model"))


def test_two_models_never_share_a_shard(tmp_path):
    names = ["a/b", "a_b", "a:b", "a" * 70, "a" * 71]
    assert len({Store(tmp_path, name).path for name in names}) == len(names)


def test_a_store_that_is_changed_under_a_reader_is_an_error_and_never_another_answer(tmp_path):
    store = Store(tmp_path, "model")
    requests = [request(text) for text in "ab"]
    complete(requests, CountingEndpoint(), store)
    lines = store.path.read_bytes().splitlines(keepends=True)
    assert len(lines[0]) == len(lines[1])
    store.path.write_bytes(lines[1] + lines[0])
    with pytest.raises(DataError, match=r"model\.jsonl: changed while it was read"):
        store.get(requests[0])
    store.path.unlink()
    with pytest.raises(DataError, match=r"model\.jsonl: gone while it was read"):
        store.get(requests[0])


def test_texts_are_not_kept_in_memory(tmp_path):
    store = Store(tmp_path, "model")
    for start in range(0, 5_000, 1_000):
        answers = [
            (
                request(f"{number}"),
                Response(text="x" * 2_000, finish_reason="stop", prompt_tokens=1, completion_tokens=1),
            )
            for number in range(start, start + 1_000)
        ]
        store.append(answers)
    tracemalloc.start()
    again = Store(tmp_path, "model")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(again) == 5_000
    assert kept < 300 * len(again)
    assert again.get(request("4321")).text == "x" * 2_000


def test_a_miss_is_explained(tmp_path):
    store = Store(tmp_path, "model")
    assert store.explain([request("a")]) == ["1 because nothing was ever asked of model model"]
    complete([request("a")], CountingEndpoint(), store)
    warmer = SamplingParameters(temperature=2.0, max_tokens=8)
    reasons = store.explain([request("b"), request("a", sample=1), request("a", sampling=warmer)])
    assert "1 because the messages were never asked of this model" in reasons
    assert "1 because this sample number was never drawn (stored: up to 0)" in reasons
    assert "1 because temperature is 2.0, stored with 1.0" in reasons


@pytest.mark.parametrize("torn", [b"", b"x", b"x" * 3_000_000])
@pytest.mark.parametrize("whole", [b"", b"one row\n", b"y" * 1_500_000 + b"\n" + b"z" * 20_000_000 + b"\n"])
def test_half_a_row_is_cut_off_without_reading_what_is_before_it(tmp_path, whole, torn):
    path = tmp_path / "rows"
    path.write_bytes(whole + torn)
    tracemalloc.start()
    try:
        with open(path, "ab+") as file:
            cut_torn_line(file)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.read_bytes() == whole
    assert most < 5_000_000


def _append(folder, name):
    store = Store(folder, "model")
    for number in range(50):
        answer = Response(text=f"{name}{number}" * 50, finish_reason="stop", prompt_tokens=1, completion_tokens=1)
        store.append([(request(name, number), answer)])


def test_writers_in_several_processes_do_not_mix_their_rows(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append, args=(tmp_path, name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(Store(tmp_path, "model")) == 150


def test_a_json_object_that_quotes_a_mark_of_reasoning_holds_no_reasoning():
    text = '{"quote": "</think> I mind", "holds": "true"}'
    given = Response(text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=1)
    assert without_thoughts(given).text == text
    assert without_thoughts(given.model_copy(update={"text": f"secret</think>{text[:9]}"})).text == text[:9]
