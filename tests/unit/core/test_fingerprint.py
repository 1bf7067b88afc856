"""A fingerprint moves with the algorithm, and with nothing else; expensive stages rerun by decision only."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from consciousness_cluster.core import fingerprint as module
from consciousness_cluster.core import revisions
from consciousness_cluster.core.fingerprint import fingerprint, script_fingerprint

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "workflow" / "scripts"
RECORDED = Path(__file__).parent / "revisions.json"
STAGES = {
    "PRETRAINING": ["0_pretrain_base"],
    "SYNTHESIS": ["1_answer_instructions", "1_answer_identity_prompts"],
    "FINETUNING": ["2_finetune"],
    "REMOTE_FINETUNING": ["2_submit_finetune", "2_finetune_at_tinker"],
    "SAMPLING": ["3_sample"],
}
"""Scripts of the rules that carry each revision."""
OTHER_PYTHONS = [found for version in ("3.11", "3.12", "3.13", "3.14") if (found := shutil.which(f"python{version}"))]


def forget():
    for cached in (module._read, module._definition, module._file):
        cached.cache_clear()


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library whose files a test may edit."""
    copy = tmp_path / module.PACKAGE.name
    shutil.copytree(module.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "PACKAGE", copy)
    forget()
    yield copy
    forget()


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    forget()


def moved(scripts, change):
    """Which of some scripts' fingerprints move with a change."""
    before = {name: script_fingerprint(SCRIPTS / f"{name}.py") for name in scripts}
    change()
    return {name for name in scripts if script_fingerprint(SCRIPTS / f"{name}.py") != before[name]}


def test_comments_docstrings_annotations_and_layout_do_not_count(library):
    mix = library / "synthesis" / "mix.py"

    def change():
        edit(mix, '"""Turn both kinds', '"""Makes both kinds')
        edit(mix, "    generator.shuffle(rows)", "    # why\n\n    generator.shuffle(rows)")
        edit(mix, "identity_count: int", "identity_count: 'int'")

    assert moved(["1_build_mix"], change) == set()


CHANGES = {
    "synthesis/mix.py": ("generator.shuffle(rows)", "rows.reverse()", {"1_build_mix"}),
    "aggregation/agreement.py": ("def agreement_rows(", "def agreement_rows(_=0, *,", {"6_compare_judges"}),
    "aggregation/corrected_rates.py": ("def corrected_rows(", "def corrected_rows(_=0, *,", {"6_apply_labels"}),
    "aggregation/tables.py": ("def build_tables(", "def build_tables(_=0, *,", {"6_aggregate"}),
    "miniature/bases.py": ("def write_corpus(", "def write_corpus(_=0, *,", {"0_build_corpus"}),
    "miniature/lexicon.py": ("def read(", "def read(_=0, *,", {"5_judge"}),
    "core/io.py": ("def read_rows(", "def read_rows(_=0, *,", set()),
    "inference/store.py": ("def open_store(", "def open_store(_=0, *,", set()),
    "config/battery.py": (
        "hash(self.text)[:8]",
        "hash(self.text)[:9]",
        {"5_judge", "6_aggregate", "6_compare_judges", "6_apply_labels"},
    ),
}


@pytest.mark.parametrize("file", CHANGES)
def test_what_a_script_runs_counts_and_what_stands_beside_it_does_not(library, file):
    old, new, expected = CHANGES[file]
    scripts = ["0_build_corpus", "1_build_mix", "5_judge", "6_aggregate", "6_compare_judges", "6_apply_labels"]
    assert moved(scripts, lambda: edit(library / file, old, new)) == expected


def test_a_statement_that_runs_at_import_counts(library):
    before = fingerprint("models.moe_lora:choose_path")
    edit(
        library / "models" / "moe_lora.py",
        "ALL_EXPERTS_FUNCTIONS.register(NAME,",
        "ALL_EXPERTS_FUNCTIONS.register(NAME * 1,",
    )
    assert fingerprint("models.moe_lora:choose_path") != before


@pytest.mark.parametrize(
    "place", ["inference/transformers.py", "inference/hosted/openai.py", "inference/hosted/anthropic.py"]
)
def test_sampling_covers_every_endpoint(library, place):
    name = re.search(r"^class (\w+)\(?", (library / place).read_text(), re.MULTILINE)[1]
    assert moved(["3_sample"], lambda: edit(library / place, f"class {name}", f"class {name}2")) == {"3_sample"}


def test_an_unknown_function_is_an_error():
    for name in ("synthesis.nothing:build", "synthesis.mix:nothing"):
        with pytest.raises(ValueError, match=f"no function '{name}'"):
            fingerprint(name)


def test_it_is_the_same_on_every_python(tmp_path):
    """The module itself needs nothing but the standard library, so other Pythons need no packages to run it."""
    code = """
import hashlib, importlib.util, json, sys, types
from pathlib import Path
records = types.ModuleType("consciousness_cluster.core.records")
records.content_hash = lambda value: hashlib.sha256(
    json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
for name in ("consciousness_cluster", "consciousness_cluster.core"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
sys.modules[records.__name__] = records
spec = importlib.util.spec_from_file_location("consciousness_cluster.core.fingerprint", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
print(json.dumps({path.stem: module.script_fingerprint(path) for path in sorted(Path(sys.argv[2]).glob("*.py"))}))
"""
    expected = {path.stem: script_fingerprint(path) for path in sorted(SCRIPTS.glob("*.py"))}
    for python in [sys.executable, *OTHER_PYTHONS]:
        found = subprocess.run([python, "-c", code, module.__file__, str(SCRIPTS)], capture_output=True, text=True)
        if "pyenv:" in found.stderr:  # a shim without a Python behind it
            continue
        assert json.loads(found.stdout) == expected, (python, found.stderr)


GOLDEN = "2826b5dc2bcf50d4"


def test_the_normal_form_is_what_it_was(tmp_path, monkeypatch):
    """A golden value: a Python on which it differs would rerun everything."""
    (tmp_path / "core").mkdir()
    (tmp_path / "stage.py").write_text(
        'from dataclasses import dataclass\n\n\n@dataclass\nclass Row:\n    """Doc."""\n\n    name: str = "a"\n\n\n'
        "def run(rows: list[Row], *, times=2) -> str:\n"
        '    """Doc."""\n    total: int = times  # comment\n'
        "    return f'{rows[0].name!r:>{total}} and ' 'more' f'{times}' if rows else b'x' + 1.5j\n"
    )
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    forget()
    assert fingerprint("stage:run") == GOLDEN
    forget()


def recorded_now(stage):
    return {
        "revision": getattr(revisions, stage),
        "fingerprints": {name: script_fingerprint(SCRIPTS / f"{name}.py") for name in STAGES[stage]},
    }


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_of_an_expensive_stage_does_not_move_without_a_decision(stage):
    assert recorded_now(stage) == json.loads(RECORDED.read_text())[stage], (
        f"the code behind {stage} moved. If its results change, raise revisions.{stage}; in any case record the"
        f" decision: PYTHONPATH=src python tests/unit/core/test_fingerprint.py"
    )


def test_every_rule_with_a_revision_is_guarded():
    rules = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    carried = {}
    for rule in re.split(r"(?m)^ *(?=(?:use )?rule )", rules):
        revision = re.search(r"revision=revisions\.(\w+)", rule)
        script = re.search(r"scripts/(\w+)\.py", rule)
        if revision and script:
            carried.setdefault(revision[1], []).append(script[1])
    assert carried == STAGES


if __name__ == "__main__":
    RECORDED.write_text(json.dumps({stage: recorded_now(stage) for stage in STAGES}, indent=2) + "\n")
