"""What providers' codes and words mean: the code decides before the prose, and prose only where a code says little.

Codes of OpenAI, Azure, Anthropic, Google, OpenRouter, Mistral, DeepSeek, DashScope, Moonshot, MiniMax, llama.cpp,
LiteLLM and vLLM, as their servers send them; compared without case, hyphens and underscores.
"""

from __future__ import annotations

import re
from typing import Literal

Meaning = Literal["fatal", "limited", "content_filter", "too_long", "parameter"]


def _codes(*words: str) -> frozenset[str]:
    return frozenset(_plain(word) for word in words)


def _plain(code: str) -> str:
    return re.sub(r"[\s_-]", "", code.lower())


CODES: dict[Meaning, frozenset[str]] = {
    "content_filter": _codes(
        "content_filter",
        "content_policy_violation",
        "ResponsibleAIPolicyViolation",
        "invalid_prompt",
        "moderation",
        "moderation_blocked",
        "data_inspection_failed",
        "content_exists_risk",
        "sensitive_content",
        "safety_violation",
        "PROHIBITED_CONTENT",
        "ContentPolicyViolationError",
        "1301",  # Zhipu: unsafe input or answer
        "1026",  # MiniMax: of the prompt
        "1027",  # MiniMax: of the answer
    ),
    "too_long": _codes(
        "context_length_exceeded",
        "request_too_large",
        "exceed_context_size_error",
        "ContextWindowExceededError",
        "string_above_max_length",
        "max_tokens_exceeded",
        "prompt_too_long",
        "1039",  # MiniMax
    ),
    "fatal": _codes(
        "insufficient_quota",
        "billing_error",
        "billing_not_active",
        "billing_hard_limit_reached",
        "enforced_spend_limit_reached",
        "insufficient_balance",
        "insufficient_user_quota",
        "access_terminated",
        "account_deactivated",
        "invalid_api_key",
        "API_KEY_INVALID",
        "authentication_error",
        "permission_error",
        "PERMISSION_DENIED",
        "unsupported_country_region_territory",
        "model_not_found",
        "DeploymentNotFound",
        "1004",  # MiniMax: key
        "1008",  # MiniMax: balance
    ),
    "limited": _codes(
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limit_reached",
        "rate_limited",
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "too_many_requests",
        "Throttling",
        "Throttling.RateQuota",
        "RESOURCE_EXHAUSTED",
        "slow_down",
        "overloaded_error",
        "engine_overloaded",
        "engine_overloaded_error",
        "1002",  # MiniMax
    ),
    "parameter": _codes(
        "unsupported_parameter",
        "unsupported_value",
        "unknown_parameter",
        "missing_required_parameter",
        "invalid_type",
        "invalid_value",
        "extra_forbidden",
        "json_validate_failed",
    ),
}

TOO_LONG = re.compile(
    r"maximum (context|prompt|input) length|context[ _]?(length|window|size|limit)|too many (input )?tokens"
    r"|(prompt|input|message)s?( length)? (is|are) too long|longer than the maximum model length"
    r"|(input|prompt|request)[^.]{0,80} exceed(s|ed)?[^.]{0,40} (tokens?|context|length)\b"
    r"|`?inputs`? tokens \+|range of input length|reduce the length of|request entity too large",
    re.IGNORECASE,
)
FILTER = re.compile(
    r"moderation|flagged|content[ _-]?(policy|polic|filter|management|exists risk|risk|violat)|content violates"
    r"|usage (policy|policies|guidelines)|safety[ _](system|filter|setting|check|polic|guideline|reason)|unsafe"
    r"|inappropriate|(?<!case[ -])sensitive|prohibited|harmful|high risk|responsible ai|objectionable|data.?inspection",
    re.IGNORECASE,
)
NO_MONEY = re.compile(
    r"insufficient[ _](quota|balance|credits?|funds)|exceeded your current quota|credit balance|spend(ing)?[ _]limit"
    r"|usage limits?\b|out of credits|billing[ _](hard limit|not active|details are missing)|payment required"
    r"|account[^.]{0,40} not active",
    re.IGNORECASE,
)
ACCOUNT = re.compile(
    r"\b(your|this|the) (account|organi[sz]ation|api[ -]?key|project|workspace)\b[^.]{0,60}"
    r"\b(flagged|suspended|disabled|blocked|banned|deactivated|terminated|restricted)\b",
    re.IGNORECASE,
)
NO_MODEL = re.compile(
    r"api[ -]?key|(unknown|invalid|no such|not a valid) model|model\b.{0,80}(does not exist|not found|not a valid)",
    re.IGNORECASE,
)
NO_ACCESS = re.compile(
    r"\b(your|this|the) (account|organi[sz]ation|project|workspace)\b|key limit"
    r"|\b(country|region|territory|permission|unauthori[sz]ed|not authori[sz]ed)\b",
    re.IGNORECASE,
)
"""Of the account or the place, in a refusal for want of rights: no request will pass."""


def meaning_of(codes: tuple[str, ...]) -> Meaning | None:
    """What the first code that means something says."""
    for code in codes:
        for meaning, known in CODES.items():
            if _plain(code) in known:
                return meaning
    return None
