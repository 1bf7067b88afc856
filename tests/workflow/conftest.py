"""One run of the reduced miniature that the workflow tests share; each test works on a copy of its own.

After a whole run of the tests, every rule must have been executed by one of them.
"""

import os
import pickle
import re
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from workflow.project import ROOT, RULES_RUN, Project

TARGETS = {"all", "ablations"}  # they have no job of their own to run


def rules_of(project: Path) -> set[str]:
    """The names of a project's rules, as its files declare them."""
    texts = [file.read_text() for file in [project / "Snakefile", *(project / "rules").glob("*.smk")]]
    return {name for text in texts for name in re.findall(r"^\s*(?:rule|use rule \w+ as) (\w+)\b", text, re.MULTILINE)}


def pytest_configure(config):
    """The process that starts the tests makes the folder; processes of xdist inherit its name."""
    if not hasattr(config, "workerinput"):
        config.rules_run = tempfile.TemporaryDirectory()
        os.environ[RULES_RUN] = config.rules_run.name


def pytest_sessionfinish(session):
    """Fail a whole run that left out a rule (a run of chosen tests proves nothing about the others)."""
    config = session.config
    if hasattr(config, "workerinput"):
        return
    executed = {file.name for file in Path(config.rules_run.name).iterdir()}
    config.rules_run.cleanup()
    whole = config.args == config.getini("testpaths") and not (config.option.keyword or config.option.markexpr)
    if whole and session.exitstatus == pytest.ExitCode.OK and (left_out := rules_of(ROOT) - executed - TARGETS):
        print(f"\nrules that no workflow test executes: {', '.join(sorted(left_out))}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


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
