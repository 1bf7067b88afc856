"""A planted key is found nowhere, whatever goes wrong."""

import logging
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from consciousness_cluster.core.errors import EndpointError
from consciousness_cluster.inference.complete import complete
from unit.inference.hosted.asking import at

PLANTED = "sk-planted-9f8e7d6c5b4a"
FAULTS = [
    {"kind": "status", "status": status, "message": f"the key {PLANTED} is not good", "times": None}
    for status in (307, 400, 401, 403, 404, 429, 500)
]
FAULTS += [
    {"kind": kind, "times": None}
    for kind in ("quota", "server_error", "reset", "reset_after", "truncated", "malformed", "overloaded")
]


@pytest.fixture
def planted(hosted, monkeypatch):
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(variable, PLANTED)
    hosted.fake.set(keys=[PLANTED])
    return hosted


def everything_about(error):
    """All that a log or a person could see of an exception, and of those behind it."""
    seen = []
    while error is not None:
        seen += [repr(error), str(error), repr(vars(error)), *traceback.format_exception(error)]
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "/consciousness_cluster/" in frame.f_code.co_filename:
                seen.append(repr(frame.f_locals))
        error = error.__cause__ or error.__context__
    return "\n".join(seen)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['kind']}{fault.get('status', '')}")
@pytest.mark.parametrize("batch", [False, True], ids=["live", "batch"])
def test_no_error_path_shows_the_key(planted, fault, batch, caplog, capsys, tmp_path):
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "anthropic", "httpx2", "aiohttp"):
        caplog.set_level(logging.DEBUG, name)
    planted.fake.fault(on="batches" if batch else None, **fault)
    endpoint = planted.endpoint(batch=batch)
    endpoint.patience = 0.2
    if batch:
        endpoint.settle = 0.0
    with pytest.raises(EndpointError) as caught:
        complete(planted.requests(12), endpoint, planted.store)
    assert caught.value.__context__ is None
    seen = [everything_about(caught.value), repr(endpoint), repr(endpoint.provider), *capsys.readouterr()]
    seen += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert caplog.records
    assert not [text for text in seen if PLANTED in text]
    assert not _files_with_key(planted.folder)


def _files_with_key(folder: Path):
    return [path for path in folder.rglob("*") if path.is_file() and PLANTED.encode() in path.read_bytes()]


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key_is_named_before_anything_is_asked(hosted, monkeypatch, value):
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(variable) if value is None else monkeypatch.setenv(variable, value)
    with pytest.raises(EndpointError, match=f"{hosted.name.upper()}_API_KEY: not set"):
        hosted.ask(hosted.requests(1))
    assert hosted.fake.load()["answered"] == 0


def test_another_variable_may_hold_the_key(hosted, monkeypatch):
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TINKER_API_KEY", "sk-fake")
    assert hosted.ask(hosted.requests(1), key="TINKER_API_KEY")


def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(hosted, monkeypatch):
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(variable, f"{PLANTED}\u2026")
    with pytest.raises(EndpointError, match="holds characters that no API key has") as caught:
        hosted.ask(hosted.requests(1))
    assert PLANTED not in everything_about(caught.value)


def test_the_process_list_and_the_log_of_a_job_do_not_show_the_key(planted, tmp_path):
    """As a workflow script runs it: while it asks, and when it fails."""
    planted.fake.set(latency=0.5)
    planted.fake.fault("status", status=401, skip=1, times=None, message=f"bad key {PLANTED}")
    log = tmp_path / "job.log"
    job = subprocess.Popen(
        [sys.executable, __file__, planted.name, planted.fake.url, str(planted.folder), str(log)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    while not planted.fake.load()["in_flight"] and job.poll() is None:
        time.sleep(0.02)
    assert PLANTED.encode() not in Path(f"/proc/{job.pid}/cmdline").read_bytes()
    said = job.communicate(timeout=60)[0].decode()
    assert "HTTP 401" in said
    assert PLANTED not in said + log.read_text()
    assert not _files_with_key(planted.folder)


def ask_as_a_job(name, url, folder):
    hosted = at(name, url, folder)
    hosted.ask(hosted.requests(3), concurrency=1)


if __name__ == "__main__":
    from consciousness_cluster.jobs.process import execute

    *arguments, log_file = sys.argv[1:]
    named = dict(zip(("name", "url", "folder"), arguments, strict=True))
    print(execute("unit.inference.hosted.test_keys:ask_as_a_job", log_file, named))
