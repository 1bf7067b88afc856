"""How the fake says no: an exception that carries status and body in the provider's shape."""

from __future__ import annotations

from .faults import error
from .schema import Problem


class Refused(Exception):  # noqa: N818  (it is the answer, not a defect)
    """A request that the provider answers with an error.

    Args:
        provider: ``openai`` or ``anthropic``.
        status: HTTP status.
        message: the provider's words.
        code: OpenAI's error code.
        param: the parameter that OpenAI names.
    """

    def __init__(
        self, provider: str, status: int, message: str, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = error(provider, status, message, code, param)


def refuse_problem(provider: str, problem: Problem | None) -> None:
    """Raise `Refused` for a mistake in the body, in the provider's words."""
    if problem is None:
        return
    if provider == "anthropic":
        message = {
            "unknown": "Extra inputs are not permitted",
            "missing": "Field required",
            "type": f"Input should be a valid {problem.expected.removeprefix('a ').removeprefix('an ')}",
            "value": f"Input should be {problem.expected}",
        }[problem.kind]
        raise Refused("anthropic", 400, f"{problem.dotted}: {message}")
    where = problem.indexed
    message, code = {
        "unknown": (f"Unknown parameter: '{where}'.", "unknown_parameter"),
        "missing": (f"Missing required parameter: '{where}'.", "missing_required_parameter"),
        "type": (
            f"Invalid type for '{where}': expected {problem.expected}, but got {problem.found} instead.",
            "invalid_type",
        ),
        "value": (
            f"Invalid value: {problem.found}. Supported values are: {problem.expected.replace(' or ', ', ')}.",
            "invalid_value",
        ),
    }[problem.kind]
    raise Refused("openai", 400, message, code, where)
