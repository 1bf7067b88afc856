"""The tests of this folder read the same tables."""

from unit.chat_templates import with_template  # noqa: F401
from unit.reporting.tables import files  # noqa: F401
from unit.tiny_models import tokenizer  # noqa: F401
