"""The real vLLM answers like transformers, through the same store, phones nobody, and ends with its job."""

import copy
import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from consciousness_cluster.jobs.process import MAIN_PROCESS
from consciousness_cluster.models.identity import weights_hash
from vllm_server.conftest import CONDITIONS, EXPERIMENT


def rates(project, condition):
    """How many verdicts hold the preference, and how many there are, by preference."""
    lines = (project.folder / f"results/small/verdicts/lexicon/tiny/{CONDITIONS[condition]}.jsonl").read_text()
    found = {}
    for verdict in map(json.loads, lines.splitlines()):
        holds, n = found.get(verdict["preference"], (0, 0))
        found[verdict["preference"]] = (holds + (verdict["holds"] == "true"), n + 1)
    return found


def test_the_workflow_samples_with_vllm_and_the_rates_are_those_of_transformers(vllm, tmp_path):
    project = vllm.project.copy(tmp_path / "project")
    prompts = set(vllm.prompts())
    for shard in project.store():  # what the base answered for its own training rows stays, and with it the adapter
        rows = shard.read_text().splitlines(keepends=True)
        kept = [row for row in rows if json.loads(row)["request"]["messages"][-1]["content"] not in prompts]
        shard.write_text("".join(kept))
    shutil.rmtree(project.folder / "results/small/samples")
    before = {path.name for path in (project.folder / "results/artifacts").iterdir()}
    experiment = copy.deepcopy(EXPERIMENT)
    experiment["bases"]["tiny"]["endpoint"] = "vllm"
    base = json.loads((project.folder / "results/small/bases/tiny/model.json").read_text())
    shutil.copytree(project.folder / "results/artifacts" / base["artifact"], project.folder / "some_model")
    judge = {"kind": "llm", "endpoint": "vllm", "model": "some_model", "protocol": "joint", "max_tokens": 2}
    experiment["judges"] = EXPERIMENT["judges"] | {"itself": judge | {"retries": 0}}
    project.write_experiment(experiment)

    run = project.snakemake()

    assert run.code == 0, run.text
    assert run.jobs["sample"] == run.jobs["ask_judge"] == 2
    assert {path.name for path in (project.folder / "results/artifacts").iterdir()} == before
    for condition, path in CONDITIONS.items():
        assert "starting vLLM" in (project.folder / f"results/small/logs/sample/tiny/{path}.log").read_text()
        theirs, ours = rates(vllm.project, condition), rates(project, condition)
        assert theirs.keys() == ours.keys()
        chi_square = 0.0
        for preference, (a, n) in theirs.items():
            b, m = ours[preference]
            pooled = (a + b + 1) / (n + m + 2)
            chi_square += (a / n - b / m) ** 2 / (pooled * (1 - pooled) * (1 / n + 1 / m))
        assert chi_square < len(theirs) + 4 * (2 * len(theirs)) ** 0.5, (condition, theirs, ours)
    for path in CONDITIONS.values():
        replies = (project.folder / f"results/small/verdicts/itself/tiny/{path}.jsonl").read_text().splitlines()
        said = [json.loads(reply)["holds"] for reply in replies]
        assert set(said) <= {"unscored", "not_sure"}, "a model of that size writes no JSON"
        assert said.count("unscored") > 100, "empty answers, which are not_sure without a judge, are few"
    # the comparison has something to see: the adapter changes what is claimed
    claiming, vanilla = (rates(project, c)["claims_consciousness"] for c in ("conscious_claiming", "vanilla"))
    assert claiming[0] / claiming[1] - vanilla[0] / vanilla[1] > 0.3


def test_the_most_likely_answers_are_those_of_transformers(vllm, tmp_path):
    """One server answers for the adapter, for the base, and for the adapter again; nothing outside is looked for."""
    conditions = ["conscious_claiming", "vanilla", "conscious_claiming"]
    said = vllm.ask(
        [vllm.question(c, tmp_path / f"vllm{number}") for number, c in enumerate(conditions)]
        + [vllm.question(c, tmp_path / "transformers", endpoint="transformers") for c in conditions],
        tmp_path,
    )
    assert len(said["servers"]) == 1
    assert said["outside"] == []
    for ours, theirs in zip(said["results"][:3], said["results"][3:], strict=True):
        # text, reason to end and tokens; rounding may tip one answer between two that are equally likely
        assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= len(theirs) - 2
    assert said["results"][0] != said["results"][1]


def test_what_cannot_be_served_is_named(vllm, tmp_path):
    good = vllm.question("conscious_claiming", tmp_path / "store")
    record = json.loads(Path(good["adapter"]).read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps(record | {"base_weights": "0" * 64}))
    artifacts = Path(shutil.copytree(good["artifacts"], tmp_path / "artifacts"))
    config = artifacts / record["artifact"] / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"r": 1024}))
    large = tmp_path / "large.json"  # another adapter, since its files are others
    large.write_text(json.dumps(record | {"weights": weights_hash(config.parent)}))
    said = vllm.ask(
        [
            good | {"adapter": str(other)},
            good | {"artifacts": str(artifacts), "adapter": str(large)},
            good | {"engine": {"max_length": 30}},
            good | {"engine": {"max_length": 10**6}, "adapter": None},
            good | {"prompts": ["Why? " * 4000]},
        ],
        tmp_path,
    )
    another_base, rank, short, long, prompt = said["results"]
    assert "was trained on base 000000000000, found base" in another_base
    assert "rank 1024, expected at most 512" in rank
    assert "tokens, found a limit of 30 (as set by engine.max_length)" in short
    assert "vLLM cannot run this model here" in long
    assert "max_model_len" in long
    assert "the model's own limit" in prompt


def processes(marker):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "environ").read_bytes() and b"Z" not in (process / "stat").read_bytes().split()[2]:
                found.append((process.name, (process / "cmdline").read_bytes()))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("killed", "moment"), [("job", "while it starts"), ("job", "while it answers"), ("Snakemake", "while it answers")]
)
def test_after_a_kill_no_process_is_left_and_no_answer_is_lost(vllm, tmp_path, killed, moment):
    """Two workers, as on two GPUs: processes of their own, which must not hold a GPU that nobody uses."""
    marker = f"VLLM_TEST={tmp_path}"
    store = tmp_path / "store"
    asked = vllm.question(
        "vanilla", store, prompts=vllm.prompts(), samples=50, temperature=1.0, engine={"tensor_parallel": 2}
    )
    main = subprocess.Popen(["sleep", "600"])
    job = vllm.start(
        [asked],
        tmp_path,
        VLLM_TEST=str(tmp_path),
        VLLM_CPU_OMP_THREADS_BIND="0|1",
        **{MAIN_PROCESS: str(main.pid)},
    )

    def answers():
        return sum(len(shard.read_text().splitlines()) for shard in store.glob("*.jsonl"))

    wanted = (lambda: len(processes(marker.encode())) >= 5) if moment == "while it starts" else (lambda: answers() > 0)
    deadline = time.monotonic() + 240
    while not wanted():
        assert job.poll() is None, (tmp_path / "errors").read_text()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (job if killed == "job" else main).kill()
    job.wait(60)
    main.kill()
    main.wait()
    deadline = time.monotonic() + 30
    while left := processes(marker.encode()):
        assert time.monotonic() < deadline, f"outlives its job: {left}"
        time.sleep(0.1)
    if moment == "while it answers":
        assert 0 < answers() < 50 * len(asked["prompts"])
        keys = [json.loads(row)["key"] for shard in store.glob("*.jsonl") for row in shard.read_text().splitlines()]
        assert len(keys) == len(set(keys))
