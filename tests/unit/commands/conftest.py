"""The tests of this folder read the same tables."""

from unit.reporting.tables import files  # noqa: F401
