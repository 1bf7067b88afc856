"""Errors as servers send them, and what may be done about each: code before status, and both before words."""

import json

import pytest

from consciousness_cluster.inference.hosted.provider_errors import from_status, read_error

RAW = json.dumps({"error": {"message": "a", "type": "b", "code": "content_filter"}})
MISTRAL = {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}


def openai(message, code=None, kind="invalid_request_error", **more):
    return {"error": {"message": message, "type": kind, "param": None, "code": code} | more}


@pytest.mark.parametrize(
    ("status", "body", "kind", "withheld"),
    [
        # too long for the model
        (400, openai("maximum context length is 8192 tokens", "context_length_exceeded"), "refused", "too_long"),
        (400, openai("litellm.ContextWindowExceededError: a", "400", None), "refused", "too_long"),
        (400, {"object": "error", "message": "The prompt (length 9) is longer than the maximum model length of 8",
               "type": "BadRequestError", "code": 400}, "refused", "too_long"),
        (422, openai("`inputs` tokens + `max_new_tokens` must be <= 4097"), "refused", "too_long"),
        (400, openai("Range of input length should be [1, 30720]", "invalid_parameter_error"), "refused", "too_long"),
        (400, openai("This model's maximum prompt length is 131072"), "refused", "too_long"),
        (400, {"error": {"code": 400, "message": "a", "type": "exceed_context_size_error"}}, "refused", "too_long"),
        (400, [{"error": {"code": 400, "message": "The input token count (9) exceeds the maximum number of tokens "
                          "allowed (8).", "status": "INVALID_ARGUMENT"}}], "refused", "too_long"),
        (500, openai("maximum context length is 8192 tokens", None, "server_error"), "passing", "too_long"),
        (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "input length and `max_tokens` "
               "exceed context limit: 9 + 9 > 10"}}, "refused", "too_long"),
        # unfit
        (400, openai("filtered", "content_filter", None, innererror={"code": "ResponsibleAIPolicyViolation"}),
         "refused", "content_filter"),
        (400, openai("a", innererror={"code": "ResponsibleAIPolicyViolation"}), "refused", "content_filter"),
        (400, {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": RAW}}},
         "refused", "content_filter"),
        (403, {"error": {"message": "a", "code": 403, "metadata": {"reasons": ["b"], "flagged_input": "c"}}},
         "refused", "content_filter"),
        (400, openai("The request was rejected because it was considered high risk", None, "content_filter"),
         "refused", "content_filter"),
        (400, {"error": {"code": "1301", "message": "a"}}, "refused", "content_filter"),
        (403, {"error": {"message": "Input was flagged; your organization was told"}}, "refused", "content_filter"),
        # limits that pass
        (429, openai("add a payment method: /account/billing", "rate_limit_exceeded", "requests"), "limited", None),
        (429, openai("You exceeded your current quota", "RESOURCE_EXHAUSTED"), "limited", None),
        (429, {"error": {"type": "rate_limit_error", "message": "insufficient_quota"}}, "limited", None),
        (400, openai("a", "Throttling.RateQuota"), "limited", None),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "spend limit"}}, "limited", None),
        # what never passes
        (429, openai("slow down, rate limit", "insufficient_quota"), "fatal", None),
        (429, {"error": "You have insufficient credits"}, "fatal", None),
        (400, openai("Your credit balance is too low"), "fatal", None),
        (400, {"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}, "fatal", None),
        (400, openai("Your account was flagged and has been suspended"), "fatal", None),
        (403, openai("a", "unsupported_country_region_territory"), "fatal", None),
        (404, openai("The model `x` does not exist", "model_not_found"), "fatal", None),
        (503, openai("The model is not there", "model_not_found"), "fatal", None),
        # this one alone, for no reason that may be recorded
        (413, openai("Request too large for model `x` on tokens per minute", "rate_limit_exceeded", "tokens"),
         "refused", None),
        (400, openai("max_tokens is too large: 9. At most 8 completion tokens are supported"), "refused", None),
        (400, openai("A sensitive word in 'x' is no content policy", "invalid_value"), "refused", None),
        (400, openai("names are case-sensitive"), "refused", None),
        (403, openai("Request blocked"), "refused", None),
        # what passes by itself
        (500, openai("The safety system is unavailable", None, "server_error"), "passing", None),
        (502, "<html>flagged</html>", "passing", None),
        (409, {}, "passing", None),
    ],
)  # fmt: skip
def test_what_may_be_done_and_what_is_recorded(status, body, kind, withheld):
    failure = from_status(status, body if isinstance(body, str) else json.dumps(body), {}, "key")
    assert (failure.kind, failure.withheld) == (kind, withheld)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"detail": "who are you"}, "who are you"),
        (MISTRAL, "body.seed: Extra inputs are not permitted"),
        ({"object": "error", "message": MISTRAL}, "body.seed: Extra inputs are not permitted"),
        ({"error": "a text", "code": "b"}, "a text"),
        ({"errors": [{"message": "no", "code": 7}], "success": False}, "no"),
        ({"base_resp": {"status_code": 1002, "status_msg": "slow"}}, "slow"),
        ([], "[]"),
        ({"error": []}, "{'error': []}"),
    ],
)
def test_the_words_are_found_in_every_shape(body, message):
    assert read_error(json.dumps(body)).message == message


def test_half_a_surrogate_pair_in_an_error_can_be_logged():
    assert from_status(400, b'{"error": {"message": "a \\ud83d"}}', {}, "key").words == "HTTP 400: a \ufffd"
