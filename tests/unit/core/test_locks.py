"""Both kinds of lease: held by one, over with its process; and how the kind is chosen."""

import fcntl
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from consciousness_cluster.budget.ledger import Ledger, Line
from consciousness_cluster.core import lock_probe, locks
from consciousness_cluster.core.errors import ClusterError
from consciousness_cluster.core.lock_probe import choose_locks, flock_problem
from consciousness_cluster.core.locks import LOCKS, Lease, is_held, locked
from consciousness_cluster.inference.leases import RequestLeases
from consciousness_cluster.jobs import run_lock
from unit.inference.fakes import request

LEASE = 1.0
FORK = multiprocessing.get_context("fork")


@pytest.fixture(params=locks.KINDS)
def kind(request, monkeypatch):
    monkeypatch.setenv(LOCKS, request.param)
    monkeypatch.setattr(locks, "LEASE_SECONDS", LEASE)


@pytest.fixture
def link(monkeypatch):
    monkeypatch.setenv(LOCKS, "link")
    monkeypatch.setattr(locks, "LEASE_SECONDS", LEASE)


@pytest.fixture
def start(tmp_path):
    """Starts this file as a process that holds something; returns when it does."""
    started = []

    def run(what):
        process = subprocess.Popen(
            [sys.executable, __file__, what, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n", process.stderr.read()
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def kill(process):
    process.kill()
    process.wait()


def count(path, times):
    for _ in range(times):
        with locked(path.with_name("lock")):
            path.write_text(str(int(path.read_text()) + 1))


@pytest.mark.usefixtures("kind")
def test_one_at_a_time(tmp_path):
    number = tmp_path / "number"
    number.write_text("0")
    processes = [FORK.Process(target=count, args=(number, 20)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert number.read_text() == "60"


@pytest.mark.usefixtures("kind")
def test_a_lease_is_over_when_its_process_is_killed(tmp_path, start):
    holder = start("lease")
    path = tmp_path / "lease"
    assert not Lease(path).take(0)
    assert is_held(path)
    kill(holder)
    assert not is_held(path)
    assert list(tmp_path.iterdir()) == []
    assert Lease(path).take(0)


@pytest.mark.usefixtures("kind")
def test_a_claim_of_a_killed_process_is_free_and_one_of_a_living_is_not(tmp_path, start):
    holder = start("claim")
    asked = [request("a"), request("b")]
    with RequestLeases(tmp_path).claimed(asked) as mine:
        assert mine == asked[1:]
    kill(holder)
    with RequestLeases(tmp_path).claimed(asked) as mine:
        assert mine == asked
    assert not list(tmp_path.glob("*.json*"))


@pytest.mark.usefixtures("kind")
def test_what_a_killed_job_reserved_is_found_and_what_a_living_one_did_is_left(tmp_path, start):
    holder, ledger = start("reservation"), Ledger(tmp_path, "e")
    ledger.catch_up()
    assert ledger.reserved == 5
    kill(holder)
    ledger.catch_up()
    assert ledger.reserved == 0


@pytest.mark.usefixtures("kind")
def test_one_run_at_a_time(tmp_path, start, monkeypatch):
    monkeypatch.setattr(run_lock, "LEASE_SECONDS", 0.1)
    monkeypatch.setattr(run_lock, "_held", [])
    holder = start("run")
    with pytest.raises(ClusterError, match="another run is working here"):
        run_lock.hold_run_lock(tmp_path)
    assert (tmp_path / ".lock").read_text() == "its name", "jobs on other machines read it"
    kill(holder)
    run_lock.hold_run_lock(tmp_path)
    run_lock._held.pop().release()


@pytest.mark.usefixtures("link")
def test_a_run_that_ends_leaves_no_lease_for_another_machine_to_wait_for(tmp_path):
    code = (
        "import sys, threading, time; from pathlib import Path; from consciousness_cluster.jobs import run_lock;"
        " threading.Thread(target=time.sleep, args=(60,), daemon=True).start();"
        " run_lock.hold_run_lock(Path(sys.argv[1])); sys.held = run_lock._held;"
        " assert Path(sys.argv[1], '.lock.lease').exists()"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
    assert not (tmp_path / ".lock.lease").exists()


@pytest.mark.usefixtures("kind")
def test_a_forked_child_does_not_keep_its_parents_lease(tmp_path, start):
    """A worker that is forked while a job holds something must not keep it when the job is gone."""
    kill(start("fork"))
    assert not is_held(tmp_path / "lease")


@pytest.mark.usefixtures("kind")
def test_a_lease_can_be_ended_by_another_thread_than_the_one_that_took_it(tmp_path):
    import threading

    lease = Lease(tmp_path / "lease")
    assert lease.take()
    thread = threading.Thread(target=lease.release)
    thread.start()
    thread.join()
    assert Lease(tmp_path / "lease").take(0)


@pytest.mark.usefixtures("link")
def test_a_lease_of_another_machine_holds_while_that_gives_a_sign_of_life(tmp_path, start):
    start("lease")
    marker, path = tmp_path / "lease.lease", tmp_path / "lease"
    elsewhere = marker.read_text().replace("host=", "host=elsewhere-")
    marker.unlink()
    marker.write_text(elsewhere)
    until = time.monotonic() + 2 * LEASE
    while time.monotonic() < until:
        os.utime(marker)
        assert is_held(path)
        time.sleep(0.05)
    time.sleep(LEASE + 0.1)
    assert not is_held(path)


@pytest.mark.usefixtures("link")
def test_a_process_whose_lease_is_lost_ends(tmp_path, start):
    holder = start("lease")
    (tmp_path / "lease.lease").unlink()
    assert holder.wait(20) == 1
    assert "lease: the lease was lost (marker-missing)" in holder.stderr.read()


@pytest.mark.parametrize("number", locks.NOT_THERE)
def test_a_file_system_without_flock_is_noticed(tmp_path, monkeypatch, capsys, number):
    def refused(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setenv(LOCKS, "")
    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(ClusterError, match=rf"file system does not lock files .*set {LOCKS}=link"):
        Lease(tmp_path / "lease").take()
    assert choose_locks(tmp_path / "results") == os.environ[LOCKS] == "link"
    assert "flock does not work here" in capsys.readouterr().err
    assert Lease(tmp_path / "lease").take(0)
    assert not [path for path in tmp_path.iterdir() if "probe" in path.name]


def test_a_file_system_that_lets_everybody_lock_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert flock_problem(tmp_path) == "two processes can hold the same lock"


@pytest.mark.parametrize(
    ("system", "options", "found"),
    [
        ("lustre", "rw,localflock", "lustre is mounted with localflock"),
        ("lustre", "rw,flock", ""),
        ("nfs4", "rw,vers=4.2,local_lock=none", ""),
        ("nfs", "rw,vers=3,local_lock=all", "nfs is mounted with local_lock=all"),
        ("beegfs_nodev", "rw", "BeeGFS"),
        ("ext4", "rw", ""),
    ],
)
def test_a_mount_whose_locks_hold_on_one_machine_is_noticed(tmp_path, monkeypatch, system, options, found):
    mounts = tmp_path / "mounts"
    escaped = str(tmp_path).replace(" ", "\\040")
    mounts.write_text(f"root / ext4 rw 0 0\nserver:/x {escaped} {system} {options} 0 0\nother /other nfs nolock 0 0\n")
    monkeypatch.setattr(lock_probe, "MOUNTS", mounts)
    assert flock_problem(tmp_path / "results").startswith(found)
    assert bool(flock_problem(tmp_path)) == bool(found)


def test_flock_is_used_where_it_works_and_a_choice_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(LOCKS, "")
    assert choose_locks(tmp_path) == "flock"
    monkeypatch.setenv(LOCKS, "link")
    assert choose_locks(tmp_path) == "link"
    assert capsys.readouterr().err == ""
    monkeypatch.setenv(LOCKS, "lnik")
    with pytest.raises(ClusterError, match=f"{LOCKS}: found 'lnik', expected flock or link; did you mean 'link'"):
        choose_locks(tmp_path)


def hold(what, folder):
    """Hold something until killed."""
    from pathlib import Path

    folder = Path(folder)
    held = []
    locks.LEASE_SECONDS = LEASE
    if what == "run":
        os.environ[run_lock.RUN] = "its name"
        run_lock.hold_run_lock(folder)
    elif what == "claim":
        held.append(RequestLeases(folder).claimed([request("a")]))
        held[0].__enter__()
    elif what == "reservation":
        ledger = Ledger(folder, "e")
        held.append(ledger.hold("job"))
        ledger.append(Line(job="job", kind="job"))
        ledger.append(Line(job="job", kind="reserve", requests=1, reserved=5))
    else:
        held.append(Lease(folder / "lease"))
        assert held[0].take(0)
    if what == "fork" and os.fork() == 0:
        print("held", flush=True)
        os.close(1)
        os.close(2)
        time.sleep(10)
        os._exit(0)
    if what != "fork":
        print("held", flush=True)
    time.sleep(60)


if __name__ == "__main__":
    hold(*sys.argv[1:])
