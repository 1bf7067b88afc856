"""A fingerprint moves with the algorithm, and with nothing else; expensive stages rerun by decision only."""

import json
import shutil
from pathlib import Path

import pytest

from consciousness_cluster.core import provenance, revisions
from consciousness_cluster.core.provenance import fingerprint

RECORDED = Path(__file__).parent / "revisions.json"
STAGES = {
    "PRETRAINING": ["miniature.pretraining"],
    "SYNTHESIS": ["synthesis.own_answers", "inference.transformers"],
    "FINETUNING": ["finetuning.finetune"],
    "REMOTE_FINETUNING": ["finetuning.openai_jobs", "finetuning.tinker_runs"],
    "SAMPLING": ["sampling.sample", "inference.transformers"],
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library whose files a test may edit."""
    copy = tmp_path / "library"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    provenance._read.cache_clear()
    yield copy
    provenance._read.cache_clear()


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    provenance._read.cache_clear()


def test_comments_docstrings_and_layout_do_not_count(library):
    before = fingerprint("synthesis.mix")
    mix = library / "synthesis" / "mix.py"
    edit(mix, '"""Turn both kinds', '"""Makes both kinds')
    edit(mix, "    generator.shuffle(rows)", "    # why\n\n    generator.shuffle(rows)")
    assert fingerprint("synthesis.mix") == before


def test_the_algorithm_counts(library):
    before = fingerprint("synthesis.mix")
    edit(library / "synthesis" / "mix.py", "generator.shuffle(rows)", "rows.reverse()")
    assert fingerprint("synthesis.mix") != before


def test_a_module_that_it_imports_counts_and_another_does_not(library):
    mix, samples = fingerprint("synthesis.mix"), fingerprint("sampling.sample")
    edit(library / "inference" / "requests.py", "top_p: float = 1.0", "top_p: float = 0.9")
    assert fingerprint("synthesis.mix") == mix
    rows = fingerprint("synthesis.mix")
    assert fingerprint("sampling.sample") != samples
    edit(library / "sampling" / "sample.py", "for number in range", "for number in reversed(range")
    assert fingerprint("synthesis.mix") == rows


def test_an_unknown_module_is_an_error():
    with pytest.raises(ValueError, match=r"no module 'synthesis\.nothing'"):
        fingerprint("synthesis.nothing")


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_of_an_expensive_stage_does_not_move_without_a_decision(stage):
    recorded = json.loads(RECORDED.read_text())[stage]
    now = {"revision": getattr(revisions, stage), "fingerprint": fingerprint(*STAGES[stage])}
    assert now == recorded, (
        f"the code behind {stage} moved. If its results change, raise revisions.{stage}; in any case record the"
        f" decision: python tests/unit/core/test_provenance.py"
    )


def record():
    """Write the present revisions and fingerprints as decided."""
    decided = {
        stage: {"revision": getattr(revisions, stage), "fingerprint": fingerprint(*modules)}
        for stage, modules in STAGES.items()
    }
    RECORDED.write_text(json.dumps(decided, indent=2) + "\n")


if __name__ == "__main__":
    record()
