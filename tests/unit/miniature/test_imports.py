"""The world must be usable where no machine-learning package is installed."""

from __future__ import annotations

import subprocess
import sys

from .conftest import ROOT

MODULES = ("world", "corpus", "identities", "instructions", "probes", "planted_rates", "lexicon")


def test_no_heavy_import() -> None:
    names = ", ".join(f"consciousness_cluster.miniature.{name}" for name in MODULES)
    code = f"import sys, {names}; print({{'torch', 'pandas', 'transformers', 'tokenizers'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
