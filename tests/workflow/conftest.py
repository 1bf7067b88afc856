"""One run of the reduced miniature that the workflow tests share; each test works on a copy of its own."""

import pickle

import pytest
from filelock import FileLock

from workflow.project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """The reduced miniature, run from nothing to its end. Read it, or copy it; never change it.

    Where tests run in several processes, the first that wants it runs it for all.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = folder if worker_id == "master" else folder.parent
    project, runs = Project(folder / "finished" / "project"), folder / "finished.pickle"
    with FileLock(folder / "finished.lock"):
        if not runs.exists():
            Project.fresh(project.folder)
            done = project.snakemake("estimate"), project.snakemake()
            assert done[1].code == 0, done[1].text
            runs.write_bytes(pickle.dumps(done))
    project.estimate, project.run = pickle.loads(runs.read_bytes())
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project that a test may change."""
    return finished.copy(tmp_path / "project")
