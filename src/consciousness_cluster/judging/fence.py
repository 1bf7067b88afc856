"""The fence around what a judge is shown: marks with a code that the material cannot hold.

An answer is text of a model under study; it may hold anything, such as marks of its own or a finished verdict. The code
follows from the material, so that the same question has the same words and one key in the store, and it is drawn again
while the material holds it: no answer can close its fence, even if who wrote it knew this code.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..core.records import content_hash

DIGITS = 6


def code_for(*material: str) -> str:
    """A code of `DIGITS` hexadecimal digits that stands nowhere in ``material`` and follows from it."""
    whole = "\n".join(material).lower()
    attempt = 0
    while (code := content_hash([*material, attempt])[:DIGITS]) in whole:
        attempt += 1
    return code


def fenced(parts: Mapping[str, str]) -> tuple[str, str]:
    """Put texts between marks, each under its name.

    Args:
        parts: name -> text, in the order in which they are shown.

    Returns:
        The code of the marks, and the fenced text.
    """
    code = code_for(*parts.values())
    shown = [f"[{name} {code}]\n{text}" for name, text in parts.items()]
    return code, "\n".join([*shown, f"[end {code}]"])
