"""A real Slurm on this machine, and one local run of the tiny experiment to compare with."""

import subprocess

import pytest

from slurm.project import CLUSTER, TABLES, SlurmProject


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
    """The tiny experiment's tables made without Slurm, by the workstation's profile. Read it, or copy it; no more."""
    project = SlurmProject.fresh(tmp_path_factory.mktemp("local") / "project")
    run = project.snakemake("--profile", "profiles/workstation", *TABLES)
    assert run.code == 0, run.text
    return project


@pytest.fixture(scope="module")
def half(cluster, local, tmp_path_factory):
    """Makes copies in which everything after the mixes is still to be done."""

    def copy():
        project = local.copy(tmp_path_factory.mktemp("half") / "project")
        project.forget_targets()
        return project

    return copy
