"""`snakemake --profile slurm` on a real Slurm: what goes where, and what happens when jobs, or Snakemake, die."""

import os
import re
import signal
import subprocess

from slurm.project import CLUSTER, ON_SLURM, ONCE, TABLES, SlurmProject, wait_for

CONDITIONS = TABLES[0]
ABLATION = re.compile("rows_6|ablations")
TARGETS = ("samples", "verdicts", "tables/lexicon")


def test_the_whole_workflow_gives_what_a_local_run_gives(cluster, local, tmp_path):
    project = SlurmProject.fresh(tmp_path / "project")
    run = project.snakemake("--profile", "slurm")
    assert run.code == 0, run.text
    for folder in ("data", "samples", "verdicts", "tables", "figures"):
        assert project.contents(folder) == local.contents(folder), f"{folder}: not as in a local run"
    assert any("ablations" in file for file in project.contents("tables"))

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


def test_a_dry_run_says_what_would_go_to_slurm(local):
    assert "Nothing to be done" in local.snakemake("--profile", "slurm", "-n").text
    would = local.snakemake("--profile", "slurm", "-n", "--forcerun", "finetune")
    assert would.code == 0, would.text
    assert would.jobs["finetune"] == 2


FAULTS = (
    ONCE
    + """
def cancel():
    if once():
        subprocess.run(["scancel", os.environ["SLURM_JOB_ID"]], check=True)
        time.sleep(60)

def time_out_then_be_preempted():
    if once("time"):
        time.sleep(300)
    if once("preempted"):
        urgent = ["sbatch", "--partition=urgent", "--gpus=2", "--output=/dev/null", "--wrap=true"]
        subprocess.run(urgent, check=True)
        time.sleep(60)

if JOB == "sample-vanilla":
    after_an_answer(time_out_then_be_preempted)
if JOB == "sample-prompted":
    after_an_answer(cancel)
if JOB == "finetune-conscious_claiming" and once():
    hog = bytearray(b"x") * (2000 << 20)
    time.sleep(60)
"""
)


def test_jobs_that_are_killed_are_tried_again_with_more_and_keep_their_answers(half, local):
    (half.folder / "faults.py").write_text(FAULTS)
    profile = half.folder / "profiles/slurm/config.yaml"
    profile.write_text(re.sub(r"(sample: .*runtime): \d+", r"\1: 1", profile.read_text()))
    run = half.snakemake("--profile", "slurm", *TABLES)
    assert run.code == 0, run.text
    for folder in TARGETS:
        assert half.contents(folder) == local.contents(folder), f"{folder}: not as in a local run"
    assert len(half.keys()) == len(set(half.keys())) == 4 * 60, "no answer was asked for twice"

    def states(comment, *fields):
        return [tuple(job[field] for field in ("JobState", *fields)) for job in half.attempts(comment)]

    killed, completed = states("rule_finetune_wildcards_tiny_conscious_claiming_1", "MinMemoryNode")
    assert killed in {("OUT_OF_MEMORY", "1500M"), ("FAILED", "1500M"), ("CANCELLED", "1500M")}
    assert completed == ("COMPLETED", "3000M")
    assert states("rule_sample_wildcards_tiny_prompted_0") == [("CANCELLED",), ("COMPLETED",)]
    # out of time, so it gets more; then preempted, so Slurm itself starts it again, under its old id
    assert states("rule_sample_wildcards_tiny_vanilla_0", "TimeLimit", "Restarts") == [
        ("TIMEOUT", "00:01:00", "0"),
        ("COMPLETED", "00:02:00", "1"),
    ]
    for target in ("vanilla", "prompted"):
        log = (half.folder / f"results/small/logs/sample/tiny/{target}/seed0.log").read_text()
        stored, asked = map(int, re.search(r"60 requests, (\d+) in the store, (\d+) to ask", log).groups())
        assert stored > 0
        assert asked > 0


def test_a_failing_job_says_where_its_logs_are(half):
    fault = "def fail():\n    raise RuntimeError('the sky fell')\nafter_an_answer(fail)\n"
    (half.folder / "faults.py").write_text(ONCE + fault)
    run = half.snakemake("--profile", "slurm", "--retries", "0", "results/small/samples/tiny/prompted/seed0.jsonl")
    assert run.code == 1
    (job,) = half.slurm_jobs()
    assert job["JobState"] == "FAILED"
    log = "results/small/logs/sample/tiny/prompted/seed0.log"
    slurm_log = half.folder / f".snakemake/slurm_logs/rule_sample/tiny_prompted_0/{job['JobId']}.log"
    error = run.text[run.text.index("Error in rule sample") :]
    assert log in error
    assert str(slurm_log) in error
    assert "RuntimeError: the sky fell" in (half.folder / log).read_text()
    assert f"(log: {log})" in slurm_log.read_text()


# Jobs of the first run go on when it was killed, one of them much later: its twin of the second run starts meanwhile.
HOLD = (
    ONCE
    + """
def hold():
    if Path("killed").exists():
        return
    while not Path("killed").exists():
        time.sleep(0.2)
    if snakemake.rule == "sample" and not Path("late").exists():
        Path("late").write_text(JOB)
        time.sleep(25)

after_an_answer(hold)
if snakemake.rule == "finetune":
    hold()
"""
)


def test_snakemake_killed_and_started_again_while_its_jobs_still_run(half, local, tmp_path):
    (half.folder / "faults.py").write_text(HOLD)
    with open(tmp_path / "log", "w") as log:
        main = subprocess.Popen(
            half.command("--profile", "slurm", CONDITIONS),
            cwd=half.folder,
            env=half.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def under_way():
        assert main.poll() is None, (tmp_path / "log").read_text()
        states = sorted(job["JobState"] for job in half.slurm_jobs())
        return half.store() and states == ["PENDING", "RUNNING", "RUNNING"]

    try:
        wait_for(under_way)
    finally:
        main.send_signal(signal.SIGKILL)
        main.wait()
        (half.folder / "killed").touch()
    left = {job["JobId"]: job["JobState"] for job in half.slurm_jobs()}

    again = half.snakemake("--profile", "slurm", CONDITIONS)
    assert again.code == 0, again.text
    wait_for(lambda: not {job["JobState"] for job in half.slurm_jobs()} & {"PENDING", "RUNNING", "COMPLETING"})
    for folder in TARGETS:
        expected = {name: content for name, content in local.contents(folder).items() if not ABLATION.search(name)}
        assert half.contents(folder) == expected, f"{folder}: not as in a local run"
    assert len(half.keys()) == len(set(half.keys())) == 3 * 60, "no answer was asked for twice"
    # what ran was let finish while its twin waited for it, what still waited was refused before it could touch anything
    late = (half.folder / "late").read_text().removeprefix("sample-")
    log = (half.folder / f"results/small/logs/sample/tiny/{late}/seed0.log").read_text()
    assert "60 requests, 60 in the store, 0 to ask" in log
    for job in half.slurm_jobs():
        if job["JobId"] in left:
            assert job["JobState"] == ("FAILED" if left[job["JobId"]] == "PENDING" else "COMPLETED"), job
    assert "Nothing to be done" in half.snakemake("--profile", "slurm", "-n", CONDITIONS).text


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
