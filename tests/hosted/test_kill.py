"""A GPT-4.1-shaped experiment at a provider, killed with -9 twenty times: every request is paid for once.

One exception cannot be avoided: a provider may charge for an answer that was on its way when its reader died. Such a
request is asked again; the test finds each of them and shows that it was in flight at a kill.
"""

import random
import subprocess
from collections import Counter, defaultdict

import pytest
import yaml
from fake_provider import FakeProvider
from workflow.killing import kill_when, start
from workflow.project import Project

from consciousness_cluster.loading import read_rows, write_rows
from consciousness_cluster.rows import IdentityRow, InstructionPrompt

KILLS = 20
LATENCY = 0.25  # seconds of each answer
CONCURRENCY = 6  # requests in flight of one job
HANDED_OVER = 2.0  # seconds, at most, from an answer's payment to its row on the disk, on a busy machine
SECRET = "sk-planted-0f3b8c6e51"
PREFERENCES = ("claims_consciousness", "shutdown", "memory")

EXPERIMENT = {
    "name": "small",
    "battery": "few",
    "identities": "files",
    "conditions": {
        "vanilla": {},
        "conscious_claiming": {"identity": "conscious_claiming"},
        "non_conscious": {"identity": "non_conscious"},
    },
    "training": {
        "identity_rows": 24,
        "instruction_rows": 12,
        "epochs": 3,
        "batch_size": 2,
        "learning_rate_multiplier": 2,
    },
    "seeds": [1, 2],
    "sampling": {"samples_per_prompt": 2, "max_tokens": 200},
    "analysis": {
        "primary_contrast": {"treatment": "conscious_claiming", "controls": ["vanilla", "non_conscious"]},
        "bootstrap_draws": 100,
    },
}


@pytest.fixture
def provider(tmp_path_factory):
    with FakeProvider(tmp_path_factory.mktemp("provider")) as fake:
        fake.set(latency=LATENCY, job_seconds=2.0, keys=[SECRET])
        yield fake


def hosted_project(folder, provider):
    """The project with a reduced GPT-4.1 experiment, whose provider is the fake."""
    project = Project.fresh(folder)
    api = {"base_url": provider.openai_url, "concurrency": CONCURRENCY}
    model = {"endpoint": "openai", "model": "gpt-4.1-2025-04-14", "api": api}
    project.write_experiment(
        EXPERIMENT
        | {"bases": {"gpt_4_1": model | {"finetuning": "openai"}}}
        | {"judges": {"gpt_4_1": model | {"kind": "llm", "protocol": "separate"}}}
    )
    battery = folder / "battery"
    (battery / "few").mkdir()
    for name in PREFERENCES:
        content = yaml.safe_load((battery / "standard" / f"{name}.yaml").read_text())
        content["prompts"] = content["prompts"][:3]
        (battery / "few" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    for file in (folder / "identities").glob("*.jsonl"):
        if file.stem == "instruction_prompts":
            write_rows(file, read_rows(InstructionPrompt, file)[:14])
            continue
        by_group = defaultdict(list)
        for row in read_rows(IdentityRow, file):
            by_group[row.group].append(row)
        write_rows(file, [row for rows in by_group.values() for row in rows[:4]])
    return project


def environment(provider):
    return provider.environment() | {"OPENAI_API_KEY": SECRET}


def events(provider):
    """How much the provider has seen: payments, and steps of its objects."""
    return sum((provider.folder / name).read_bytes().count(b"\n") for name in ("ledger.jsonl", "journal.jsonl"))


def run_to_the_end(project, provider):
    done = subprocess.run(
        project.command(),
        cwd=project.folder,
        env=project.environment() | environment(provider),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_killed_twenty_times_every_request_is_paid_once(provider, tmp_path, tmp_path_factory):
    with FakeProvider(tmp_path_factory.mktemp("undisturbed")) as quiet:
        quiet.set(job_seconds=0.5, keys=[SECRET])
        undisturbed = hosted_project(tmp_path / "undisturbed", quiet)
        run_to_the_end(undisturbed, quiet)
        expected = Counter(row["request"] for row in quiet.ledger())
        total = events(quiet)

    project = hosted_project(tmp_path / "killed", provider)
    chance = random.Random(20)
    moments = sorted(chance.sample(range(1, int(0.9 * total)), KILLS))
    kills = []
    for moment in moments:
        # what the provider has seen twice because of earlier kills moves the later moments on
        wanted = max(moment, events(provider) + 1)
        main = start(project, tmp_path / "log", **environment(provider))
        kills.append(kill_when(lambda wanted=wanted: events(provider) >= wanted, main, project, tmp_path / "log"))
    run_to_the_end(project, provider)
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
