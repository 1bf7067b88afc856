"""Jobs side by side never ask the same; what a dead one had claimed is free again."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.inference.leases import RequestLeases
from consciousness_cluster.inference.store import Store
from unit.inference.fakes import CountingEndpoint, request


class SlowEndpoint(CountingEndpoint):
    """Waits until it is told to answer."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.asking, self.go = threading.Event(), threading.Event()

    def answer(self, requests):
        self.asking.set()
        assert self.go.wait(30)
        yield from super().answer(requests)


def test_two_jobs_ask_what_both_need_once(tmp_path):
    slow, quick = SlowEndpoint(), CountingEndpoint()
    first = threading.Thread(
        target=complete, args=([request(t) for t in "abcd"], slow, Store(tmp_path, "model")), daemon=True
    )
    first.start()
    assert slow.asking.wait(30)
    answers = []
    second = threading.Thread(
        target=lambda: answers.extend(complete([request(t) for t in "cdef"], quick, Store(tmp_path, "model"))),
        daemon=True,
    )
    second.start()
    while len(quick.asked) < 2:
        time.sleep(0.01)
    slow.go.set()
    first.join(30)
    second.join(30)
    assert [r.text for r in answers] == ["c -> 0", "d -> 0", "e -> 0", "f -> 0"]
    assert [r.messages[0].content for r in quick.asked] == ["e", "f"]
    assert len(Store(tmp_path, "model").path.read_text().splitlines()) == 6


def test_what_a_job_could_not_ask_another_asks(tmp_path):
    slow = SlowEndpoint(fail_after=1, batch=1)
    failed = []

    def run():
        with pytest.raises(EndpointError) as caught:
            complete([request(t) for t in "ab"], slow, Store(tmp_path, "model"))
        failed.append(caught)

    first = threading.Thread(target=run, daemon=True)
    first.start()
    assert slow.asking.wait(30)
    threading.Timer(0.2, slow.go.set).start()
    second = CountingEndpoint()
    complete([request(t) for t in "ab"], second, Store(tmp_path, "model"))
    first.join(30)
    assert failed
    assert [r.messages[0].content for r in second.asked] == ["b"]


def test_a_killed_process_claims_nothing(tmp_path):
    job = subprocess.Popen(
        [sys.executable, __file__, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    job.stdout.readline()
    with RequestLeases(tmp_path).claimed([request("a"), request("b")]) as mine:
        assert [r.messages[0].content for r in mine] == ["b"]
    job.send_signal(signal.SIGKILL)
    job.wait()
    with RequestLeases(tmp_path).claimed([request("a")]) as mine:
        assert len(mine) == 1
    assert not list(tmp_path.glob("*.json*"))


def test_an_endpoint_that_forgets_a_request_is_not_asked_for_ever(tmp_path):
    forgetful = CountingEndpoint()
    forgetful.answer = lambda requests: iter([])
    with pytest.raises(AssertionError, match="did not answer"):
        complete([request("a")], forgetful, Store(tmp_path, "model"))


if __name__ == "__main__":
    from pathlib import Path

    with RequestLeases(Path(sys.argv[1])).claimed([request("a")]):
        print("claimed", flush=True)
        time.sleep(60)
