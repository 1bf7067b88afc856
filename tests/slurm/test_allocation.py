"""One Slurm allocation can be one run of the workstation's profile: its jobs share a load."""

import subprocess
import sys


def test_one_allocation_is_one_workstation(half, local):
    project = half()
    command = f"{sys.executable} -m snakemake --profile profiles/workstation --until sample"
    done = subprocess.run(
        ["sbatch", "--wait", "--partition=gpu", "--gpus=1", "--mem=2000", "--output=allocation.log", "--wrap", command],
        cwd=project.folder,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr + (project.folder / "allocation.log").read_text()
    started = [start for start in project.where() if start["rule"] in ("finetune", "sample")]
    assert len(started) == 2 + 4
    allocation = {(start["job"], start["gpus"]) for start in started}
    assert len(allocation) == 1
    assert all(job and gpus for job, gpus in allocation)
    assert len(project.slurm_jobs()) == 1
    logs = [log.read_text() for rule in ("finetune", "sample") for log in project.logs(rule)]
    assert sum("loaded in" in log for log in logs) == 1
    assert sum("found loaded by an earlier job" in log for log in logs) == 5
    assert project.contents("samples") == local.contents("samples")
    # the rest needs no GPU and no Slurm
    assert "finetune" not in project.snakemake("--cores", "2", "-n").jobs
