"""A job's log, its errors and its end, alone and in the fork server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from consciousness_cluster.jobs.entry import FORK_SERVER, run
from consciousness_cluster.jobs.process import MAIN_PROCESS
from unit.jobs import functions
from unit.jobs.processes import PATHS, gone, wait_for


@pytest.fixture(params=["alone", "warm"])
def job(request, tmp_path):
    """Start a script that runs one job of `jobs`; the fork server ends with this test's stand-in for Snakemake."""
    main = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    environment = os.environ | {"PYTHONPATH": PATHS, MAIN_PROCESS: str(main.pid)}
    if request.param == "warm":
        environment[FORK_SERVER] = str(tmp_path / "worker" / str(main.pid))

    def start(function, **arguments):
        code = (
            f"from unit.jobs import functions; from consciousness_cluster.jobs.entry import run;"
            f"run(functions.{function}, {str(tmp_path / 'job.log')!r}, imports=['fractions'], **{arguments!r})"
        )
        return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)

    start.main, start.mode, start.log = main, request.param, tmp_path / "job.log"
    yield start
    main.kill()
    main.wait()


def test_a_job_runs_and_the_warm_process_is_shared(job, tmp_path):
    started = [job("report", output=str(tmp_path / f"{n}"), value=n) for n in range(3)]
    assert [script.wait(30) for script in started] == [0, 0, 0]
    seen = [(tmp_path / f"{n}").read_text().split() for n in range(3)]
    assert [value for value, _, _ in seen] == ["0", "1", "2"]
    if job.mode == "warm":
        assert [imported for _, imported, _ in seen] == ["True"] * 3
        assert len({parent for _, _, parent in seen}) == 1
    assert "done in" in job.log.read_text()


def test_a_users_mistake_is_one_line_and_not_a_traceback(job):
    script = job("refuse", message="data/x.jsonl: line 3: no answer")
    assert script.wait(30) == 1
    error = script.stderr.read()
    assert error.splitlines() == ["error: data/x.jsonl: line 3: no answer", f"(log: {job.log})"]
    assert "Traceback" not in job.log.read_text()


def test_a_defect_leaves_its_traceback_in_the_log(job):
    script = job("crash")
    assert script.wait(30) == 1
    assert "error: unexpected RuntimeError: a defect" in script.stderr.read()
    assert "Traceback" in job.log.read_text()


def test_a_job_that_vanishes_fails(job):
    script = job("vanish")
    assert script.wait(30) != 0


def test_a_job_ends_when_its_script_is_killed(job, tmp_path):
    script = job("linger", output=str(tmp_path / "pid"))
    wait_for((tmp_path / "pid").exists)
    wait_for(lambda: (tmp_path / "pid").read_text())
    script.send_signal(signal.SIGKILL)
    script.wait()
    wait_for(lambda: gone(int((tmp_path / "pid").read_text())))


def test_an_interrupted_job_says_so_in_a_line(job, tmp_path):
    script = job("linger", output=str(tmp_path / "pid"))
    wait_for((tmp_path / "pid").exists)
    wait_for(lambda: (tmp_path / "pid").read_text())
    script.send_signal(signal.SIGINT)
    assert script.wait(20) == 1
    error = script.stderr.read()
    assert error.startswith("error: interrupted; what was answered")
    assert "Traceback" not in error
    wait_for(lambda: gone(int((tmp_path / "pid").read_text())))


def test_everything_ends_when_snakemake_is_killed(job, tmp_path):
    script = job("linger", output=str(tmp_path / "pid"))
    wait_for((tmp_path / "pid").exists)
    wait_for(lambda: (tmp_path / "pid").read_text())
    warm = [int(p.name) for p in Path("/proc").glob("[0-9]*") if str(tmp_path / "worker") in _command(p)]
    assert bool(warm) == (job.mode == "warm")
    job.main.kill()
    job.main.wait()
    assert script.wait(20) != 0
    wait_for(lambda: gone(int((tmp_path / "pid").read_text())))
    wait_for(lambda: all(gone(process) for process in warm))


def _command(process):
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""


def test_without_slow_imports_a_job_runs_in_its_script(tmp_path, monkeypatch):
    monkeypatch.setenv(FORK_SERVER, str(tmp_path / "worker"))
    monkeypatch.delenv(MAIN_PROCESS, raising=False)
    run(functions.report, str(tmp_path / "log"), output=str(tmp_path / "out"), value=1)
    assert not list(tmp_path.glob("worker*"))
    assert (tmp_path / "out").read_text().startswith("1 ")


def test_an_import_that_fails_in_the_warm_process_is_named_by_every_job(tmp_path):
    """Jobs used to report that they were killed, or out of memory."""
    (tmp_path / "broken_package.py").write_text("import no_such_package\n")
    main = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([PATHS, str(tmp_path)]),
        MAIN_PROCESS: str(main.pid),
        FORK_SERVER: str(tmp_path / "worker" / str(main.pid)),
    }
    code = (
        "import sys; from consciousness_cluster.jobs.entry import run;"
        f"run('unit.jobs.functions:report', {str(tmp_path)!r} + '/' + sys.argv[1] + '.log', imports=sys.argv[2:],"
        f" output={str(tmp_path)!r} + '/' + sys.argv[1], value=1)"
    )

    def job(name, *imports):
        return subprocess.run(
            [sys.executable, "-c", code, name, *imports], env=environment, capture_output=True, text=True, timeout=60
        )

    try:
        for name in ("first", "second"):
            failed = job(name, "broken_package")
            assert failed.returncode == 1
            assert failed.stderr.splitlines() == [
                "error: cannot import broken_package: ModuleNotFoundError: No module named 'no_such_package'",
                f"(log: {tmp_path / name}.log)",
            ]
            assert "Traceback" in (tmp_path / f"{name}.log").read_text()
        assert job("third", "fractions").returncode == 0, "the fork server lives on"
    finally:
        main.kill()
        main.wait()
