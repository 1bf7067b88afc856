"""A job that has to end reads what is under way first: it is paid for."""

import os
import signal
import subprocess
import sys
import time

import pytest

from consciousness_cluster.core import shutdown
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.jobs.entry import run
from consciousness_cluster.jobs.process import MAIN_PROCESS
from unit.inference.hosted.asking import at

REQUESTS, AT_ONCE, LATENCY, LONG = 200, 5, 0.3, 8.0


def ask(name, url, folder):
    """The job."""
    hosted = at(name, url, folder)
    complete(hosted.requests(REQUESTS), hosted.endpoint(concurrency=AT_ONCE), hosted.store)


@pytest.fixture
def job(gpt):
    """Runs as jobs do, in the middle of its requests; its stand-in for Snakemake is ``job.main``."""
    gpt.fake.set(latency=LATENCY)
    main = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), MAIN_PROCESS: str(main.pid), "LONGEST": "3"}
    command = [sys.executable, __file__, gpt.name, gpt.fake.url, str(gpt.folder)]
    started = subprocess.Popen(
        command, env=os.environ | environment, cwd=gpt.folder.parent, stderr=subprocess.PIPE, text=True
    )
    started.main = main
    while started.poll() is None and len(gpt.paid()) < 2 * AT_ONCE:
        time.sleep(0.01)
    yield started
    main.kill()
    main.wait()
    started.kill()
    started.communicate()


def all_that_was_paid_is_kept(gpt):
    paid, kept = len(gpt.paid()), len(gpt.store)
    assert 2 * AT_ONCE <= paid == kept <= REQUESTS / 2
    assert not list(gpt.folder.glob("claims/*/[0-9a-f]*")), "another job may ask the rest"


@pytest.mark.parametrize("number", shutdown.SIGNALS)
def test_a_signal(gpt, job, number):
    job.send_signal(number)
    _, error = job.communicate(timeout=20)
    assert job.returncode == 1
    assert error.startswith(f"error: {gpt.model}: the run was ended; what was under way is kept\n")
    all_that_was_paid_is_kept(gpt)


def test_snakemake_is_killed(gpt, job):
    job.main.kill()
    job.main.wait()
    assert job.wait(20) == 1
    all_that_was_paid_is_kept(gpt)


def test_a_second_signal_does_not_wait(gpt, job):
    gpt.fake.set(latency=LONG)
    time.sleep(2 * LATENCY)
    job.send_signal(signal.SIGTERM)
    time.sleep(2 * LATENCY)
    assert job.poll() is None
    job.send_signal(signal.SIGTERM)
    assert job.wait(LONG / 2) == -signal.SIGTERM


def test_an_answer_that_does_not_come_is_not_waited_for_without_end(gpt, job):
    gpt.fake.set(latency=LONG)
    time.sleep(2 * LATENCY)
    job.main.kill()
    job.main.wait()
    assert job.wait(LONG - 2) == 1


if __name__ == "__main__":
    shutdown.LONGEST = float(os.environ["LONGEST"])
    run("unit.inference.hosted.test_shutdown:ask", "job.log", name=sys.argv[1], url=sys.argv[2], folder=sys.argv[3])
