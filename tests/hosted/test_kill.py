"""A GPT-4.1-shaped experiment at a provider, killed with -9 twenty times: every request is paid for once.

Snakemake is killed; its jobs see that, read what is under way, and end. (A job that is itself killed with -9 loses what
was under way, for which a provider may charge: nothing can be done about that.)
"""

import random
from collections import Counter

import pytest
from fake_provider import FakeProvider
from workflow.hosted import hosted_project
from workflow.killing import kill_when, start

KILLS = 20
CONCURRENCY = 3  # of a job
# enough answers that what is read after each kill leaves some for the last
SAMPLING = {"samples_per_prompt": 6, "max_tokens": 200}
LATENCY = 0.25  # seconds of each answer
SECRET = "sk-planted-0f3b8c6e51"


@pytest.fixture
def provider(tmp_path_factory):
    with FakeProvider(tmp_path_factory.mktemp("provider")) as fake:
        fake.set(latency=LATENCY, job_seconds=2.0, keys=[SECRET])
        yield fake


def events(provider):
    """How much the provider has seen: payments, and steps of its objects."""
    return sum((provider.folder / name).read_bytes().count(b"\n") for name in ("ledger.jsonl", "journal.jsonl"))


def run_to_the_end(project):
    run = project.snakemake()
    assert run.code == 0, run.text


def test_killed_twenty_times_every_request_is_paid_once(provider, tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with FakeProvider(tmp_path_factory.mktemp("undisturbed")) as quiet:
        quiet.set(job_seconds=0.5, keys=[SECRET])
        undisturbed = hosted_project(tmp_path / "undisturbed", quiet, CONCURRENCY, sampling=SAMPLING)
        run_to_the_end(undisturbed)
        expected = Counter(row["request"] for row in quiet.ledger())
        total = events(quiet)

    project = hosted_project(tmp_path / "killed", provider, CONCURRENCY, sampling=SAMPLING)
    chance = random.Random(20)
    moments = sorted(chance.sample(range(1, int(0.85 * total)), KILLS))
    in_flight = 0
    for moment in moments:
        # what still came in after the last kill moves the moment on
        wanted = max(moment, events(provider) + 1)
        main = start(project, tmp_path / "log")
        kill_when(lambda wanted=wanted: events(provider) >= wanted, main, project, tmp_path / "log")
        in_flight += events(provider) - wanted
    assert in_flight > KILLS, "answers were under way"
    run_to_the_end(project)
    assert "Nothing to be done" in project.snakemake("-n").text

    assert Counter(row["request"] for row in provider.ledger()) == expected

    for folder in ("samples", "verdicts", "tables", "data"):
        assert project.contents(folder) == undisturbed.contents(folder), f"{folder}: not as in an undisturbed run"
    for file in project.folder.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), f"{file} holds the key"
