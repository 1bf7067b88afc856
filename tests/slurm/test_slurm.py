"""`snakemake --profile slurm` on a real Slurm: what goes where, and what happens when jobs, or Snakemake, die."""

import os
import re
import signal
import subprocess

import pytest

from slurm.project import CLUSTER, ON_SLURM, ONCE, TABLES, SlurmProject, wait_for

CONDITIONS = TABLES[0]
ABLATION = re.compile("rows_6|ablations")
TARGETS = ("samples", "verdicts", "tables/lexicon")
ANSWERS = 60  # of a target


def is_as_in_a_local_run(project, local):
    """The conditions' samples, verdicts and tables, byte for byte, and no answer was asked for twice."""
    for folder in TARGETS:
        expected = {name: content for name, content in local.contents(folder).items() if not ABLATION.search(name)}
        assert expected
        assert project.contents(folder) == expected, f"{folder}: not as in a local run"
    assert len(project.keys()) == len(set(project.keys())) == 3 * ANSWERS


def test_the_whole_workflow_gives_what_a_local_run_gives(cluster, local, tmp_path):
    project = SlurmProject.fresh(tmp_path / "project")
    run = project.snakemake("--profile", "slurm")
    assert run.code == 0, run.text
    for folder in ("data/identities", "data/instructions", "data/mixes", *TARGETS):
        assert project.contents(folder) == local.contents(folder), f"{folder}: not as in a local run"
    assert any("ablations" in file for file in project.contents("tables"))
    assert any("ablations" in file for file in project.contents("figures"))

    on_slurm = [start for start in project.where() if start["job"]]
    light = [start for start in project.where() if not start["job"]]
    assert {start["rule"] for start in on_slurm} == ON_SLURM
    assert not {start["rule"] for start in light} & ON_SLURM
    assert all(start["gpus"] in ("0", "1") for start in on_slurm)
    assert not any(start["gpus"] for start in light)
    jobs = project.slurm_jobs()
    assert len(jobs) == len(on_slurm) == 8
    for job in jobs:
        assert (job["Partition"], job["JobState"], job["TresPerJob"]) == ("gpu", "COMPLETED", "gres:gpu:1"), job
        assert (job["MinMemoryNode"], job["TimeLimit"]) == ("1500M", "01:00:00"), job

    assert "Nothing to be done" in project.snakemake("--profile", "slurm", "-n").text


def test_a_dry_run_needs_no_slurm_and_says_what_would_be_submitted(local):
    would = local.snakemake("--profile", "slurm", "-n", "--forcerun", "finetune", "--", *TABLES)
    assert would.code == 0, would.text
    assert would.jobs["finetune"] == 2


# Once each: the fine-tune has too much memory, then its partition takes its node away for good; one target is out of
# time, then preempted and requeued; one is cancelled, then its code fails; of one Slurm forgets that it has ended.
FAULTS = (
    ONCE
    + """
ME = os.environ.get("SLURM_JOB_ID")

def slurm(*command):
    subprocess.run(command, check=True)
    time.sleep(120)

def prompted_is_over():
    queue = subprocess.run(["squeue", "--noheader", "--format=%k"], capture_output=True, text=True, check=True)
    made = Path("results/small/samples/tiny/prompted/seed0.jsonl").exists()
    return made and "rule_sample_wildcards_tiny_prompted_0" not in queue.stdout

def urgent(node, *need):
    slurm("sbatch", "--partition=urgent", f"--nodelist={node}", *need, "--output=/dev/null", "--wrap=true")

def time_out_then_be_requeued():
    if once("time"):
        slurm("scontrol", "update", f"JobId={ME}", "EndTime=now")
    if once("requeued"):
        # both GPUs are taken, so not before the other job has met what it is to meet: it would be requeued as well
        deadline = time.monotonic() + 240
        while not prompted_is_over() and time.monotonic() < deadline:
            time.sleep(0.5)
        urgent("g1", "--gpus=2")

def be_cancelled_then_crash():
    if once("cancelled"):
        slurm("scancel", ME)
    if once("crashed"):
        raise RuntimeError("the sky fell")

if JOB == "finetune-conscious_claiming":
    if once("memory"):
        hog = bytearray(b"x") * (2000 << 20)
        time.sleep(120)
    if once("preempted"):
        urgent("c1", f"--cpus-per-task={os.cpu_count()}")
if JOB == "sample-vanilla":
    after_an_answer(time_out_then_be_requeued)
if JOB == "sample-prompted":
    after_an_answer(be_cancelled_then_crash)
if JOB == "sample-conscious_claiming":
    Path("forgotten").write_text(ME)
"""
)


@pytest.fixture(scope="module")
def faulty(half):
    """A project that ran while all this happened to its jobs, and what Snakemake said."""
    project = half()
    (project.folder / "faults.py").write_text(FAULTS)
    project.let_squeue_forget()
    with open(project.folder / "profiles/slurm/config.yaml", "a") as profile:
        profile.write("set-resources:\n  finetune: {slurm_partition: spot, gpu: 0}\n")
    return project, project.snakemake("--profile", "slurm", CONDITIONS)


def attempts(project, rule, *fields):
    """The state, and some fields, of every Slurm job of a rule and target, oldest first."""
    return [tuple(job[field] for field in ("JobState", *fields)) for job in project.attempts(rule)]


def test_whatever_happens_to_jobs_the_result_is_the_same_and_nothing_is_asked_twice(faulty, local):
    project, run = faulty
    assert run.code == 0, run.text
    is_as_in_a_local_run(project, local)
    for target in ("vanilla", "prompted"):
        log = (project.folder / f"results/small/logs/sample/tiny/{target}/seed0.log").read_text()
        stored, asked = map(int, re.search(rf"{ANSWERS} requests, (\d+) in the store, (\d+) to ask", log).groups())
        assert stored > 0
        assert asked > 0


def test_a_job_out_of_memory_or_time_gets_more_of_both(faulty):
    project, _ = faulty
    (state, *first), *_, last = attempts(
        project, "rule_finetune_wildcards_tiny_conscious_claiming_1", "MinMemoryNode", "TimeLimit"
    )
    assert state in {"OUT_OF_MEMORY", "FAILED", "CANCELLED"}
    assert first == ["1500M", "01:00:00"]
    assert last == ("COMPLETED", "4500M", "03:00:00")
    out_of_time, again = project.attempts("rule_sample_wildcards_tiny_vanilla_0")
    assert out_of_time["JobState"] == "TIMEOUT"
    assert (again["MinMemoryNode"], again["TimeLimit"]) == ("3000M", "02:00:00")


def test_a_preempted_job_runs_again_whether_slurm_requeues_it_or_cancels_it(faulty):
    project, run = faulty
    assert attempts(project, "rule_sample_wildcards_tiny_vanilla_0", "Restarts")[-1] == ("COMPLETED", "1")
    _, preempted, _ = project.attempts("rule_finetune_wildcards_tiny_conscious_claiming_1")
    assert (preempted["JobState"], preempted["Partition"]) == ("PREEMPTED", "spot")
    assert f"Slurm job {preempted['JobId']} was preempted for good." in run.text


def test_a_job_that_slurm_forgets_is_not_waited_for(faulty):
    project, run = faulty
    (job,) = project.attempts("rule_sample_wildcards_tiny_conscious_claiming_1")
    assert f"Slurm lost job {job['JobId']}." in run.text


def test_an_error_says_where_its_logs_are(faulty):
    project, run = faulty
    cancelled, failed, completed = project.attempts("rule_sample_wildcards_tiny_prompted_0")
    assert [job["JobState"] for job in (cancelled, failed, completed)] == ["CANCELLED", "FAILED", "COMPLETED"]
    log = "results/small/logs/sample/tiny/prompted/seed0.log"
    slurm_log = project.folder / f".snakemake/slurm_logs/rule_sample/tiny_prompted_0/{failed['JobId']}.log"
    error = next(part for part in run.text.split("Error in rule ")[1:] if f"/{failed['JobId']}.log" in part)
    assert log in error
    assert str(slurm_log) in error
    assert f"unexpected RuntimeError: the sky fell\n(log: {log})" in slurm_log.read_text()


# Jobs of the first run go on when it is killed; one of them until its twin of the second run waits for it.
HOLD = (
    ONCE
    + """
def is_waited_for():
    logs = Path(".snakemake/slurm_logs").rglob("*.log")
    return any("waiting for a job of an earlier run" in log.read_text(errors="replace") for log in logs)

def is_late():
    try:
        with open("late", "x") as file:
            file.write(JOB)
    except FileExistsError:
        return False
    return True

def hold():
    if Path("killed").exists():
        return
    # until the second run has begun: a queued job that starts before has nothing to be refused for
    mine, deadline = os.environ["CONSCIOUSNESS_CLUSTER_RUN"], time.monotonic() + 240
    while not Path("killed").exists() or Path("results/small/.lock").read_text() in ("", mine):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if snakemake.rule == "sample" and is_late():
        deadline = time.monotonic() + 240
        while not is_waited_for() and time.monotonic() < deadline:
            time.sleep(0.2)
        Path("was_waited_for").write_text(str(is_waited_for()))

after_an_answer(hold)
if snakemake.rule == "finetune":
    hold()
"""
)


def test_snakemake_killed_and_started_again_while_its_jobs_still_run(half, local, tmp_path):
    project = half()
    (project.folder / "faults.py").write_text(HOLD)
    with open(tmp_path / "log", "w") as log:
        main = subprocess.Popen(
            project.command("--profile", "slurm", CONDITIONS),
            cwd=project.folder,
            env=project.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def under_way():
        assert main.poll() is None, (tmp_path / "log").read_text()
        states = sorted(job["JobState"] for job in project.slurm_jobs())
        return project.store() and states == ["PENDING", "RUNNING", "RUNNING"]

    try:
        wait_for(under_way)
    finally:
        main.send_signal(signal.SIGKILL)
        main.wait()
        (project.folder / "killed").touch()
    left = {job["JobId"]: job["JobState"] for job in project.slurm_jobs()}

    again = project.snakemake("--profile", "slurm", CONDITIONS)
    assert again.code == 0, again.text
    wait_for(lambda: not {job["JobState"] for job in project.slurm_jobs()} & {"PENDING", "RUNNING", "COMPLETING"})
    is_as_in_a_local_run(project, local)
    # what ran was let finish while its twin waited for it, what still waited was refused before it could touch anything
    assert (project.folder / "was_waited_for").read_text() == "True"
    late = (project.folder / "late").read_text().removeprefix("sample-")
    log = (project.folder / f"results/small/logs/sample/tiny/{late}/seed0.log").read_text()
    assert f"{ANSWERS} requests, {ANSWERS} in the store, 0 to ask" in log
    for job in project.slurm_jobs():
        if job["JobId"] in left:
            assert job["JobState"] == ("FAILED" if left[job["JobId"]] == "PENDING" else "COMPLETED"), job
    assert "Nothing to be done" in project.snakemake("--profile", "slurm", "-n", CONDITIONS).text


def test_the_cluster_script_refuses_what_it_should_not_touch(cluster, tmp_path):
    other = subprocess.run(
        [CLUSTER, "start"], env=os.environ | {"SLURM_TEST_CLUSTER": str(tmp_path)}, capture_output=True, text=True
    )
    assert other.returncode == 2
    assert "/etc/slurm/slurm.conf belongs to another Slurm; not touching it" in other.stderr
    script = CLUSTER.read_text()
    nobody = subprocess.run(
        ["runuser", "-u", "nobody", "--", "bash", "-s", "stop"], input=script, cwd="/", capture_output=True, text=True
    )
    assert nobody.returncode == 2
    assert "run it as root" in nobody.stderr
