"""The tests of this folder read the same tables."""

import pytest

from consciousness_cluster.core.io import write_text
from unit.chat_templates import with_template  # noqa: F401
from unit.commands.projects import PREFERENCE, PRICES, ROOT, declare
from unit.reporting.tables import files  # noqa: F401
from unit.tiny_models import tokenizer  # noqa: F401


@pytest.fixture
def project(tmp_path):
    """A hosted base and two conditions that need no training, on a battery of two prompts."""
    write_text(tmp_path / "reference/prices.yaml", PRICES)
    write_text(tmp_path / "battery/tiny/curiosity.yaml", PREFERENCE)
    (tmp_path / "worlds").symlink_to(ROOT / "worlds")
    declare(tmp_path)
    return tmp_path
