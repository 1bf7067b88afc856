"""A real Slurm on this machine, and one local run of the tiny experiment to compare with."""

import subprocess

import pytest

from slurm.project import CLUSTER, SlurmProject


@pytest.fixture(scope="session")
def cluster():
    """Slurm: one that runs already (tests/slurm/cluster start), or one of our own that is stopped afterwards."""
    was_up = subprocess.run([CLUSTER, "status"], capture_output=True, timeout=30).returncode == 0
    if not was_up:
        started = subprocess.run(
            [CLUSTER, "start"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400
        )
        if started.returncode:
            pytest.fail(f"the Slurm tests need a Slurm: {started.stderr.strip()}", pytrace=False)
    yield
    if not was_up:
        subprocess.run([CLUSTER, "stop"], capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """The tiny experiment run without Slurm, by the workstation's profile. Read it, or copy it; never change it."""
    project = SlurmProject.fresh(tmp_path_factory.mktemp("local") / "project")
    run = project.snakemake("--profile", "profiles/workstation")
    assert run.code == 0, run.text
    return project


@pytest.fixture
def half(cluster, local, tmp_path):
    """A copy in which everything after the mixes is still to be done."""
    project = local.copy(tmp_path / "project")
    project.forget_targets()
    return project
