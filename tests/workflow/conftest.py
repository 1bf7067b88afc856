"""One run of the reduced miniature that the workflow tests share; each test works on a copy of its own."""

import pytest

from workflow.project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The reduced miniature, run from nothing to its end. Read it, or copy it; never change it."""
    project = Project.fresh(tmp_path_factory.mktemp("finished") / "project")
    project.estimate = project.snakemake("estimate")
    run = project.snakemake()
    assert run.code == 0, run.text
    project.run = run
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project that a test may change."""
    return finished.copy(tmp_path / "project")
