"""The provider's limits: found, honoured, and used up."""

import pytest

from consciousness_cluster.config.model_config import Served
from consciousness_cluster.core.retry_after import retry_after
from consciousness_cluster.inference.hosted.openai import OpenAI, seconds
from consciousness_cluster.inference.hosted.provider_errors import from_status
from consciousness_cluster.inference.hosted.rate_limiter import START, Allowance, RateLimiter


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_concurrency_doubles_every_round_trip_up_to_what_is_allowed(clock):
    limits = RateLimiter(100, clock)
    for expected in (START, 2 * START, 4 * START, 100, 100):
        started = 0
        while limits.wait() == 0:
            limits.start()
            started += 1
        assert (started, limits.wait()) == (expected, None)
        for _ in range(started):
            limits.end()
            limits.answered(10, [])


def test_a_burst_of_refusals_halves_it_once_and_it_grows_slowly_after(clock):
    limits = RateLimiter(16, clock)
    begun = [limits.start() for _ in range(16)]
    clock.now += 1
    for started in begun:
        limits.limited(started, 2.0)
        limits.end()
    assert int(limits.allowed) == 8
    for _ in range(8):
        limits.answered(10, [])
    assert 8 < limits.allowed < 9.1


def test_nothing_starts_before_the_time_that_the_provider_named(clock):
    limits = RateLimiter(10, clock)
    limits.limited(limits.start(), 30.0)
    limits.end()
    assert limits.wait() == pytest.approx(30.0)
    clock.now += 29
    assert limits.wait() == pytest.approx(1.0)
    clock.now += 1
    assert limits.wait() == 0


def test_without_a_named_time_the_pauses_grow(clock):
    limits, pauses = RateLimiter(10, clock), []
    for _ in range(4):
        pauses.append(limits.limited(limits.start(), None))
        limits.end()
        clock.now += pauses[-1]
    assert pauses[-1] > 2 * pauses[0]
    assert pauses[-1] < 10


def test_a_nearly_used_allowance_sets_the_pace_at_which_it_is_refilled(clock):
    limits = RateLimiter(10, clock)
    low = Allowance(tokens=False, limit=100, remaining=1, reset=50.0)
    limits.answered(10, [low])
    limits.start()
    assert limits.wait() == pytest.approx(50 / 99)
    limits.answered(10, [Allowance(tokens=False, limit=100, remaining=90, reset=5.0)])
    assert limits.wait() == 0


@pytest.mark.parametrize(
    "said",
    [
        [],
        [Allowance(tokens=False, limit=None, remaining=0, reset=0.0)],  # what Anthropic says without a reset
        [Allowance(tokens=True, limit=60_000, remaining=59_000, reset=0.1)],
        [Allowance(tokens=False, limit=None, remaining=0, reset=2.0)],
    ],
)
def test_a_refusal_does_not_make_the_learnt_pace_forgotten(clock, said):
    limits = RateLimiter(10, clock)
    limits.answered(10, [Allowance(tokens=False, limit=100, remaining=1, reset=62.37)])
    limits.limited(limits.start(), 2.0, said)
    limits.end()
    clock.now += 2
    assert limits.wait() == 0
    limits.start()
    limits.end()
    assert limits.wait() == pytest.approx(0.63)
    limits.answered(10, said[:1] if said and said[0].tokens else [])
    assert limits.wait() == pytest.approx(0.63), "an answer that says nothing of it neither"
    limits.answered(10, [Allowance(tokens=False, limit=100, remaining=90, reset=5.0)])
    assert limits.wait() == 0


def test_a_refusal_teaches_the_pace(clock):
    limits = RateLimiter(10, clock)
    limits.limited(limits.start(), 2.0, [Allowance(tokens=False, limit=100, remaining=0, reset=60.0)])
    limits.end()
    clock.now += 2
    limits.start()
    limits.end()
    assert limits.wait() == pytest.approx(0.6)


def test_tokens_count_as_much_as_a_call_takes(clock):
    limits = RateLimiter(10, clock)
    limits.answered(1000, [Allowance(tokens=True, limit=60_000, remaining=500, reset=59.5)])
    limits.start()
    assert limits.wait() == pytest.approx(1000 * 59.5 / 59_500)


def test_the_words_of_the_headers():
    assert seconds("6m0s") == 360
    assert seconds("1h2m3.5s") == pytest.approx(3723.5)
    assert seconds("20ms") == pytest.approx(0.02)
    assert retry_after({"retry-after": "7", "retry-after-ms": "150"}) == pytest.approx(0.15)
    dates = {"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT", "date": "Mon, 23 Nov 2026 12:00:00 GMT"}
    assert retry_after(dates) == 30
    assert retry_after({"retry-after": "soon"}) is None
    headers = {"x-ratelimit-remaining-tokens": "7", "x-ratelimit-limit-tokens": "90", "x-ratelimit-reset-tokens": "1s"}
    read = list(OpenAI(Served(endpoint="openai", model="m")).allowances(headers))
    assert read == [Allowance(tokens=True, limit=90, remaining=7, reset=1.0)]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, '{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}', "limited"),
        (429, '{"error": {"message": "pay", "code": "insufficient_quota"}}', "fatal"),
        (429, '{"error": {"message": "no", "details": {"error_code": "enforced_spend_limit_reached"}}}', "fatal"),
        (529, "overloaded", "limited"),
        (502, "<html>bad gateway</html>", "passing"),
        (413, "{}", "refused"),
        (307, "", "fatal"),
        (401, '{"detail": "who are you"}', "fatal"),
    ],
)
def test_what_may_be_done_about_an_error(status, body, kind):
    failure = from_status(status, body, {}, "key")
    assert failure.kind == kind
    assert failure.maybe_paid == (status == 502)
