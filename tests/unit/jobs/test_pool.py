"""Jobs of one base share a load, and no process keeps what another job needs, or outlives its run."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consciousness_cluster.jobs import fork_server
from consciousness_cluster.jobs.process import MAIN_PROCESS
from unit.jobs.processes import PATHS, gone, wait_for


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a job of `jobs` in a worker of ``base``; the fork server ends with this test's stand-in for Snakemake."""
    main = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    monkeypatch.setenv(MAIN_PROCESS, str(main.pid))
    monkeypatch.setenv("PYTHONPATH", PATHS)
    monkeypatch.setattr(sys, "path", [*PATHS.split(os.pathsep), *sys.path])
    address = tmp_path / "worker" / str(main.pid)

    def run(function, base, output, interpreter="one", **arguments):
        log = str(tmp_path / f"{output}.log")
        arguments["output"] = str(tmp_path / output)
        return fork_server.ask(
            f"{address}.{interpreter}", [], f"unit.jobs.functions:{function}", log, arguments, loads=base
        )

    def start(function, base, output):
        """The same in a script that can be killed."""
        code = (
            "from consciousness_cluster.jobs.entry import run; "
            f"run('unit.jobs.functions:{function}', {str(tmp_path / 'log')!r}, imports=['fractions'],"
            f" loads={base!r}, output={str(tmp_path / output)!r})"
        )
        environment = os.environ | {"CONSCIOUSNESS_CLUSTER_FORK_SERVER": str(address)}
        return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)

    run.main, run.start, run.address = main, start, address
    yield run
    main.kill()
    main.wait()


def said(tmp_path, output):
    process, loads, alive = (tmp_path / output).read_text().split()
    return int(process), int(loads), alive == "True"


def test_jobs_that_follow_each_other_share_a_process_and_its_load(run, tmp_path):
    assert [run("load", "base", str(n), key="a") for n in range(3)] == ["", "", ""]
    assert len({said(tmp_path, str(n))[0] for n in range(3)}) == 1
    assert [said(tmp_path, str(n))[1] for n in range(3)] == [1, 1, 1]
    assert "found loaded by an earlier job" in (tmp_path / "2.log").read_text()
    assert run("load", "base", "other", key="b") == ""
    assert said(tmp_path, "other") == (said(tmp_path, "0")[0], 2, False)
    assert (tmp_path / "0.released").exists(), "what was held is released before something else is loaded"


def test_jobs_at_the_same_time_and_of_other_bases_have_processes_of_their_own(run, tmp_path):
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda n: run("load", "base", str(n), key="a", seconds=1.0), range(2)))
    run("load", "another base", "2", key="a")
    assert len({said(tmp_path, str(n))[0] for n in range(3)}) == 3
    run("load", "base", "3", key="a")
    assert said(tmp_path, "3")[0] in {said(tmp_path, str(n))[0] for n in range(2)}


def test_a_process_with_a_gpu_is_gone_before_a_job_of_another_base_starts(run, tmp_path):
    run("load", "base", "0", key="a", heavy=True)
    first = said(tmp_path, "0")[0]
    run("load", "base", "1", key="a", heavy=True)
    assert said(tmp_path, "1")[0] == first
    run("load", "another base", "2", key="a", before=first)
    second, _, first_alive = said(tmp_path, "2")
    assert not first_alive
    assert (tmp_path / "0.released").exists()
    run("load", "base", "3", key="a", before=second)
    assert said(tmp_path, "3")[2], "a light one may stay"


def test_a_process_with_a_gpu_is_gone_before_a_job_with_another_interpreter_starts(run, tmp_path):
    run("load", "base", "0", key="a", heavy=True)
    run("load", "base", "1", interpreter="two", key="a", before=said(tmp_path, "0")[0])
    process, _, first_alive = said(tmp_path, "1")
    assert process != said(tmp_path, "0")[0]
    assert not first_alive


def test_what_a_process_started_ends_with_it(run, tmp_path):
    run("leave_an_engine", "base", "0")
    processes = [int(word) for word in (tmp_path / "0").read_text().split()]
    assert not any(gone(process) for process in processes)
    run("load", "another base", "1", key="a")
    wait_for(lambda: all(gone(process) for process in processes))


def test_a_job_that_fails_takes_its_process_with_it(run, tmp_path):
    assert run("fail_with_something_held", "base", "0") == "no such row"
    run("load", "base", "1", key="a", before=said(tmp_path, "0")[0])
    assert said(tmp_path, "1")[1:] == (1, False)


@pytest.mark.parametrize("killed", ["script", "main", "fork server"])
def test_nothing_outlives_the_run(run, tmp_path, killed):
    script = run.start("start_an_engine", "base", "pids")
    wait_for((tmp_path / "pids").exists)
    processes = [int(word) for word in (tmp_path / "pids").read_text().split()]
    warm = int(Path(f"/proc/{processes[0]}/stat").read_text().rpartition(")")[2].split()[1])
    if killed == "fork server":
        os.kill(warm, signal.SIGKILL)
        assert not gone(processes[0]), "the job itself goes on"
        run.main.kill()
    else:
        (script if killed == "script" else run.main).kill()
    run.main.poll()
    wait_for(lambda: run.main.poll() is not None or killed == "script")
    assert script.wait(20) != 0
    wait_for(lambda: all(gone(process) for process in processes))


def test_an_idle_process_ends_with_the_warm_one_and_by_itself(run, tmp_path):
    code = (
        "import sys; from consciousness_cluster.jobs import fork_server, pool; pool.IDLE_SECONDS = 0.5;"
        "fork_server.serve(sys.argv[1])"
    )
    Path(f"{run.address}.one").parent.mkdir()
    warm = subprocess.Popen([sys.executable, "-c", code, f"{run.address}.one"])
    wait_for(Path(f"{run.address}.one").is_socket)
    run("load", "base", "0", key="a")
    idle = said(tmp_path, "0")[0]
    wait_for(lambda: gone(idle))
    assert (tmp_path / "0.released").exists()
    assert warm.poll() is None
    run("load", "base", "1", key="a")
    idle = said(tmp_path, "1")[0]
    warm.kill()
    warm.wait()
    wait_for(lambda: gone(idle))
