"""A GPT-4.1-shaped experiment at a provider, killed with -9 twenty times: every request is paid for once.

One exception cannot be avoided: a provider may charge for an answer that was on its way when its reader died. Such a
request is asked again; the test finds each of them and shows that it was in flight at a kill.
"""

import random
from collections import Counter, defaultdict

import pytest
from fake_provider import FakeProvider
from workflow.hosted import hosted_project
from workflow.killing import kill_when, start

KILLS = 20
LATENCY = 0.25  # seconds of each answer
HANDED_OVER = 2.0  # seconds, at most, from an answer's payment to its row on the disk, on a busy machine
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
        undisturbed = hosted_project(tmp_path / "undisturbed", quiet)
        run_to_the_end(undisturbed)
        expected = Counter(row["request"] for row in quiet.ledger())
        total = events(quiet)

    project = hosted_project(tmp_path / "killed", provider)
    chance = random.Random(20)
    moments = sorted(chance.sample(range(1, int(0.9 * total)), KILLS))
    kills = []
    for moment in moments:
        # what the provider has seen twice because of earlier kills moves the later moments on
        wanted = max(moment, events(provider) + 1)
        main = start(project, tmp_path / "log")
        kills.append(kill_when(lambda wanted=wanted: events(provider) >= wanted, main, project, tmp_path / "log"))
    run_to_the_end(project)
    assert "Nothing to be done" in project.snakemake("-n").text

    ledger = provider.ledger()
    assert {row["request"] for row in ledger} == expected.keys()
    paid = defaultdict(list)
    for row in ledger:
        paid[row["request"]].append(row)
    again = {request: rows for request, rows in paid.items() if len(rows) > expected[request]}
    for request, rows in again.items():
        assert rows[0]["kind"] == "chat", f"a fine-tuning job was paid for twice: {rows}"
        lost = [row for row in rows if any(-HANDED_OVER < kill - row["time"] < HANDED_OVER for kill in kills)]
        assert len(rows) - len(lost) <= expected[request], f"paid again though no kill lost its answer: {request}"
    surplus = sum(len(rows) - expected[request] for request, rows in again.items())
    print(f"{len(ledger)} payments, {surplus} of them for answers that were in flight at one of {KILLS} kills")

    for folder in ("samples", "verdicts", "tables", "data"):
        assert project.contents(folder) == undisturbed.contents(folder), f"{folder}: not as in an undisturbed run"
    for file in project.folder.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), f"{file} holds the key"
