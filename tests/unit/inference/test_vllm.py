"""vLLM's server as the endpoint starts, asks and ends it; a stand-in answers (the real one: tests/vllm_server)."""

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from consciousness_cluster.config.model_config import Engine
from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.core.records import Message
from consciousness_cluster.inference import vllm_server
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.inference.requests import Request, SamplingParameters
from consciousness_cluster.inference.store import Store
from consciousness_cluster.inference.transformers import chat_of, encode
from consciousness_cluster.inference.vllm_endpoint import VllmEndpoint
from consciousness_cluster.inference.vllm_environment import VARIABLE
from consciousness_cluster.inference.vllm_server import running
from consciousness_cluster.inference.vllm_settings import server_arguments
from consciousness_cluster.jobs.process import MAIN_PROCESS
from consciousness_cluster.models import resident
from unit.jobs.processes import PATHS, wait_for
from unit.tiny_models import dense, tokenizer  # noqa: F401

STAND_IN = Path(__file__).parent / "stand_in"
MARK = "VLLM_TEST_OF"


@pytest.fixture
def folders(dense, tokenizer, tmp_path, monkeypatch):  # noqa: F811
    """A base and two adapters; jobs find the stand-in, and every process that they start bears this test's mark."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{STAND_IN}" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for name, value in {VARIABLE: str(python), MARK: str(tmp_path), "PYTHONPATH": PATHS}.items():
        monkeypatch.setenv(name, value)
    dense.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    for name, rank in (("one", 8), ("two", 8), ("wide", 32), ("too_wide", 1000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(json.dumps({"r": rank}))
    yield tmp_path
    resident.let_go()
    wait_for(lambda: not marked(tmp_path))


@pytest.fixture
def serving(monkeypatch):
    """This process keeps the server for its next job."""
    monkeypatch.setattr(resident, "serving", True)


def marked(folder, but=()):
    """Processes that were started by a test with this folder, and are not this one."""
    mark, found = f"{MARK}={folder}\0".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            alive = (process / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
            if alive and mark in (process / "environ").read_bytes() and int(process.name) not in but:
                found.append((int(process.name), (process / "cmdline").read_bytes()))
        except OSError:
            continue
    return found


def endpoint(folders, adapter=None, **settings):
    beside = folders / adapter if adapter else None
    return VllmEndpoint(
        f"hash of {adapter or 'base'}", "hash of base", lambda: (folders / "base", beside), Engine(**settings)
    )


def requests(model, n=3, schema=None, text="How are you?"):
    sampling = SamplingParameters(temperature=1.0, max_tokens=4)
    message = [Message(role="user", content=text)]
    return [Request(model=model, messages=message, sampling=sampling, sample=i, answer_schema=schema) for i in range(n)]


def ask(endpoint, n=3, **changes):
    asked = requests(endpoint.model, n, **changes)
    return [response for answers in endpoint.answer(asked) for _, response in answers]


def test_tokens_go_out_and_come_back_as_the_transformers_endpoint_reads_them(folders, serving, tokenizer):  # noqa: F811
    said = ask(endpoint(folders), schema={"type": "object", "title": "x"})
    asked = requests("hash of base", 1)[0]
    prompt = encode(tokenizer, [asked])[chat_of(asked)]
    text = tokenizer.decode(list(reversed(prompt[-3:])), skip_special_tokens=True).strip()
    assert [response.model_dump() for response in said] == 3 * [
        {"text": text, "finish_reason": "stop", "prompt_tokens": len(prompt), "completion_tokens": 4}
    ]


@pytest.mark.parametrize("finish", [None, "eos", "tool_calls", "out of ink"])
def test_an_answer_that_ends_oddly_is_kept_and_the_word_named(folders, serving, monkeypatch, finish):
    usual = ask(endpoint(folders))
    resident.let_go()
    monkeypatch.setenv("STAND_IN_FINISH", json.dumps(finish))
    odd = ask(endpoint(folders))
    assert [r.text for r in odd] == [r.text for r in usual]
    assert {r.finish_reason for r in odd} == {"stop"}, "the tokens say how it ended"
    assert {r.said for r in odd} == {f"finish reason {json.dumps(finish)}"}


def test_an_answer_without_choices_is_asked_again_and_costs_no_other(folders, serving, monkeypatch):
    monkeypatch.setenv("STAND_IN", "nothing at first")
    assert len(ask(endpoint(folders), 5)) == 5


def test_one_prompt_that_is_too_long_costs_no_other(folders, serving, monkeypatch):
    monkeypatch.setenv("STAND_IN", "too long")
    reasons = [response.finish_reason for response in ask(endpoint(folders), 20)]
    assert set(reasons) == {"stop", "too_long"}
    assert len(reasons) == 20


def test_no_odd_answer_is_lost_or_asked_for_twice(folders, serving, monkeypatch, tmp_path):
    monkeypatch.setenv("STAND_IN", "too long nothing at first")
    monkeypatch.setenv("STAND_IN_FINISH", '"eos"')
    for adapter in (None, "one"):
        made = endpoint(folders, adapter)
        asked, store = requests(made.model, 12), Store(tmp_path / "store", made.model)
        responses = complete(asked, made, store)
        rows = [json.loads(line) for line in store.path.read_text().splitlines()]
        assert [row["key"] for row in rows if row["request"]["model"] == made.model] == [row["key"] for row in rows]
        assert sorted(row["key"] for row in rows) == sorted(request.key for request in asked)
        monkeypatch.setattr(made, "answer", lambda _: pytest.fail("asked again"))
        assert complete(asked, made, store) == responses


def test_jobs_share_a_server_and_adapters_are_told_apart_by_their_hash(folders, serving, caplog):
    caplog.set_level(logging.INFO, "consciousness_cluster")
    for adapter in ("one", None, "two", "one"):
        assert len(ask(endpoint(folders, adapter))) == 3
    assert sum(message.startswith("starting vLLM") for message in caplog.messages) == 1
    loaded = [json.loads(m.split("loaded ")[1].split(" with")[0]) for m in caplog.messages if "vLLM: loaded" in m]
    assert [(each["lora_name"], each["lora_path"]) for each in loaded] == [
        (f"hash of {name}", str(folders / name)) for name in ("one", "two")
    ]
    assert resident.is_heavy(), "its memory is not this process's own"
    ask(endpoint(folders, "wide"))
    assert sum(message.startswith("starting vLLM") for message in caplog.messages) == 2
    assert len([process for process in marked(folders) if b"vllm_launch" in process[1]]) == 2, (
        "the watchdog and one server"
    )


def test_the_socket_is_private_and_the_key_is_said_nowhere(folders, serving, caplog, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(folders / ("long" * 30)))
    monkeypatch.setattr(vllm_server.tempfile, "tempdir", None)
    (folders / ("long" * 30)).mkdir()
    caplog.set_level(logging.INFO)
    server = running(folders / "base", "hash of base", folders / "one", Engine())
    server.serve("hash of one", folders / "one")
    assert len(server.socket) < 100
    assert stat.S_IMODE(os.stat(Path(server.socket).parent).st_mode) == 0o700
    wait_for(lambda: "vLLM: loaded" in caplog.text)
    assert server.key not in caplog.text
    assert "[key]" in caplog.text
    assert not any(server.key.encode() in line for _, line in marked(folders))
    right, server.key = server.key, "wrong"
    with pytest.raises(EndpointError, match="does not say which models it serves: Unauthorized"):
        server.check()
    server.key = right
    resident.let_go()
    assert not Path(server.socket).parent.exists()
    assert not marked(folders), "all that it started is gone when it is let go"


@pytest.mark.parametrize(
    ("wrong", "adapter", "settings", "words"),
    [
        (
            "applied",
            None,
            {},
            r"vLLM serves hash of base \(.*base\), mine \(/else, an adapter\), expected hash of base",
        ),
        ("another", None, {}, "model hash of base was asked, but another answered"),
        ("refuses", "one", {}, "one: vLLM refuses this adapter: Call to add_lora failed: a tensor is too wide"),
        ("", "too_wide", {}, "found an adapter of rank 1000, expected at most 512"),
        ("model", None, {}, r"cannot run this model here: ValueError: this architecture is not supported \(engine: "),
        ("no GPU", None, {}, "^vLLM finds no GPU on this machine, and this build of it needs one$"),
        ("one GPU", None, {"tensor_parallel": 2}, "^engine.tensor_parallel: found 2, but vLLM sees 1 GPUs here$"),
        ("dies", None, {}, "vLLM's server ended: ValueError: a page fault of the engine"),
        ("", None, {"max_length": 9}, r"tokens, found a limit of 9 \(as set by engine.max_length\)"),
    ],
)
def test_what_cannot_be_served_is_named(folders, serving, monkeypatch, wrong, adapter, settings, words):
    monkeypatch.setenv("STAND_IN", wrong)
    with pytest.raises(EndpointError, match=words):
        ask(endpoint(folders, adapter, **settings))


def test_the_servers_own_limit_counts(folders, serving):
    with pytest.raises(EndpointError, match=r"limit of 64 \(the model's own limit"):
        ask(endpoint(folders), text="Why? " * 60)


def test_an_interpreter_without_vllm_is_named(folders, monkeypatch):
    monkeypatch.setenv(VARIABLE, sys.executable)
    with pytest.raises(EndpointError, match=f"vLLM is not installed for {sys.executable}"):
        ask(endpoint(folders))


def test_a_server_that_died_between_two_jobs_is_started_again(folders, serving):
    first = endpoint(folders)
    ask(first)
    for process, line in marked(folders):
        if b"vllm_launch" in line and b"watchdog" not in line:
            os.kill(process, signal.SIGKILL)
    wait_for(lambda: first._server.ended)
    assert len(ask(endpoint(folders))) == 3


def test_one_job_asks_one_server_however_often_it_asks(folders, caplog, tmp_path):
    """As on a cluster, where nothing is kept from job to job."""
    caplog.set_level(logging.INFO, "consciousness_cluster")
    once = endpoint(folders)
    store = Store(tmp_path / "store", once.model)
    assert len(complete(requests(once.model), once, store)) == 3
    assert len(complete(requests(once.model, 5), once, store)) == 5
    assert sum(message.startswith("starting vLLM") for message in caplog.messages) == 1
    once._server.stop()


def test_settings_reach_the_command_line(folders):
    base = folders / "base"
    line = server_arguments(base, "name", 16, True, Engine(tensor_parallel=4, memory=0.8, max_loras=2))
    settings = dict(zip(line, [*line[1:], ""], strict=True))
    assert settings.keys() >= {"--enable-lora", "--enable-mixed-moe-lora-format", "--enable-prefix-caching"}
    assert [settings[f"--{name}"] for name in ("tensor-parallel-size", "gpu-memory-utilization", "max-loras")] == [
        "4",
        "0.8",
        "2",
    ]
    assert [settings[f"--{name}"] for name in ("max-lora-rank", "max-model-len", "generation-config")] == [
        "16",
        "-1",
        "vllm",
    ]
    assert settings["--dtype"] == "float32", "as it was saved"
    assert "--enable-lora" not in server_arguments(base, "name", 0, False, Engine())


JOB = """
import os, sys
from pathlib import Path
from consciousness_cluster.core.shutdown import end_with
from unit.inference.test_vllm import ask, endpoint
end_with(os.environ.get("CONSCIOUSNESS_CLUSTER_MAIN_PROCESS"))
print("begins", flush=True)
ask(endpoint(Path(sys.argv[1]), "one"), 1)
print("answered", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("killed", "moment"),
    [
        ("job", "while it starts"),
        ("job", "while it answers"),
        ("job", "between answers"),
        ("Snakemake", "while it starts"),
        ("Snakemake", "while it answers"),
        ("watchdog", "between answers"),
    ],
)
def test_the_server_ends_with_its_job_after_a_kill(folders, monkeypatch, moment, killed):
    main = subprocess.Popen(["sleep", "300"], env={})
    monkeypatch.setenv(MAIN_PROCESS, str(main.pid))
    monkeypatch.setenv("STAND_IN", "child")
    if moment == "while it starts":
        monkeypatch.setenv("STAND_IN_START", "100")
    if moment == "while it answers":
        monkeypatch.setenv("STAND_IN_SECONDS", "5")
    script = [sys.executable, "-c", JOB, folders]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as job:
        wait_for(lambda: any(b"SIG_IGN" in line for _, line in marked(folders)), 60)  # the child of the server
        if moment == "between answers":
            assert [job.stdout.readline() for _ in range(2)] == [b"begins\n", b"answered\n"]
        time.sleep(0.3)
        watchdog = next(process for process, line in marked(folders) if b"core.watchdog" in line)
        os.kill({"job": job.pid, "Snakemake": main.pid, "watchdog": watchdog}[killed], signal.SIGKILL)
        if killed == "watchdog":
            wait_for(lambda: not any(b"uds" in line for _, line in marked(folders)), 30)
            for process, _ in marked(folders):  # the stand-in's child hides from its parent: vLLM's own look for theirs
                os.kill(process, signal.SIGKILL)
        else:
            wait_for(lambda: not marked(folders), 30)
        job.kill()
    main.kill()
    main.wait()


def test_files_that_change_while_the_server_reads_them_are_not_asked(folders, serving):
    def asked(changes):
        """An endpoint whose files change before the nth look at them."""
        looks = []

        def find():
            looks.append(1)
            if len(looks) == changes:
                raise EndpointError("base: its files changed")
            return folders / "base", None

        return VllmEndpoint("hash of base", "hash of base", find, Engine())

    for changes in (1, 2):
        with pytest.raises(EndpointError, match="its files changed"):
            next(asked(changes).answer(requests("hash of base")))
        wait_for(lambda: not marked(folders))
    assert len(ask(asked(0))) == 3


def test_weights_that_are_not_those_of_the_record_start_no_server(folders, tmp_path):
    from consciousness_cluster.config.model_config import Served
    from consciousness_cluster.inference.target_model import TargetModel
    from consciousness_cluster.models.find import find_base

    find_base(str(folders / "base"), False, "b", str(tmp_path / "b.json"))
    template = folders / "base/chat_template.jinja"
    template.write_text("Good day. " + template.read_text())
    opened = TargetModel(
        served=Served(endpoint="vllm", model="m"), base=str(tmp_path / "b.json"), artifacts=str(tmp_path / "artifacts")
    ).open()
    with pytest.raises(EndpointError, match=r"base: its files changed since b was recorded: recorded .*, found"):
        next(opened.answer(requests(opened.model)))
    assert not marked(folders)
