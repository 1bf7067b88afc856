"""The layers, the types and the names of the library hold, and the checks that say so see a violation."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "src" / "consciousness_cluster"
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def copy(tmp_path):
    """The library and its configuration, to plant something in."""
    shutil.copytree(LIBRARY, tmp_path / "src" / LIBRARY.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder):
    command = [PROGRAMS / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": "src"}, capture_output=True, text=True)


def append(folder, module, line):
    with open(folder / "src" / LIBRARY.name / module, "a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")


def test_the_layers_hold(copy):
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("config/battery.py", "from ..sampling import sample", "layers"),
        ("models/identity.py", "import consciousness_cluster.inference.store", "layers"),
        ("inference/store.py", "def f():\n    from .complete import complete", "no circles"),
        ("synthesis/mix.py", "import snakemake", "the library works without Snakemake"),
        ("core/io.py", "import pandas", "config and core import nothing slow"),
    ],
)
def test_a_planted_import_breaks_its_contract(copy, module, line, contract):
    append(copy, module, line)
    done = lint_imports(copy)
    assert done.returncode != 0
    assert f"{contract}" in done.stdout.split("Broken contracts")[1]


def test_a_planted_type_error_is_seen(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src").mkdir()
    command = [PROGRAMS / "pyright", "--pythonpath", sys.executable]
    (tmp_path / "src" / "planted.py").write_text("number: int = 1\n")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / "src" / "planted.py").write_text('number: int = "one"\n')
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "reportAssignmentType" in done.stdout


def test_a_name_means_one_module():
    names = Counter(path.stem for path in LIBRARY.rglob("*.py") if path.stem != "__init__")
    packages = Counter(path.parent.name for path in LIBRARY.rglob("__init__.py"))
    twice = {name for name, count in (names + packages).items() if count > 1}
    assert twice == set()


def test_no_module_lies_loose_or_grows_too_long():
    assert [path.name for path in LIBRARY.glob("*.py")] == ["__init__.py"]
    long = {
        str(p.relative_to(LIBRARY)): n for p in LIBRARY.rglob("*.py") if (n := len(p.read_text().splitlines())) > 400
    }
    assert long == {}


def test_no_test_module_is_imported_by_another():
    """What two of them need is a module beside them: a test that is imported runs, or fails, where nobody looks."""
    importing = re.compile(r"^\s*(?:from \S*\b(test_\w+) import|from \S+ import .*\b(test_\w+))", re.MULTILINE)
    for file in (ROOT / "tests").rglob("*.py"):
        others = {one or other for one, other in importing.findall(file.read_text())} - {file.stem}
        assert not others, f"{file} imports {others}"
