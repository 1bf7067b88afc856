"""Edges of an interval: 0 % and 100 %, one seed, no seed variance, nothing used."""

import numpy as np
import pytest
from scipy import stats

from consciousness_cluster.aggregation.intervals import FLOOR_ICC, effective_size, rate_interval
from unit.aggregation.simulated import cells

MIXED = [[2, 5, 8], [1, 6, 9], [4, 5, 7]]


@pytest.mark.parametrize("hits", [0, 10])
def test_a_rate_at_the_edge_keeps_an_interval(hits):
    found = rate_interval(cells(np.full((3, 10), hits)))
    size = 300 / (1 + 99 * FLOOR_ICC)
    width = stats.beta.ppf(0.975, 0.5, size + 0.5)
    assert found.estimate == hits / 10
    assert (found.low, found.high) == pytest.approx((0, width) if hits == 0 else (1 - width, 1))
    assert found.floored


def test_more_seeds_shorten_the_interval_at_zero_and_more_samples_of_one_seed_hardly():
    few, seeds, samples = (
        rate_interval(cells(np.zeros((rows, 10)), used)).high for rows, used in [(3, 10), (6, 10), (3, 100)]
    )
    assert seeds < 0.6 * few
    assert 0.85 * few < samples < few


def test_ends_are_clipped_and_say_so():
    found = rate_interval(cells([[0, 0, 9], [1, 0, 10]]))
    assert found.low == 0
    assert found.clipped
    assert not rate_interval(cells(np.tile([4, 5, 6, 5, 4, 6], (3, 1)))).clipped


@pytest.mark.parametrize(
    ("hits", "covers"),
    [(MIXED, "seeds+prompts"), (MIXED[:1], "prompts"), ([[2], [5], [4]], "seeds"), ([[4]], "samples")],
)
def test_an_interval_says_what_it_covers(hits, covers):
    found = rate_interval(cells(hits))
    assert found.covers == covers
    assert found.low < found.estimate < found.high


def test_nothing_used_is_no_estimate():
    found = rate_interval(cells(np.zeros((3, 4)), np.zeros((3, 4))))
    assert np.isnan([found.estimate, found.low, found.high, found.se]).all()
    assert found.covers == "none"


def test_a_seed_or_prompt_without_used_samples_leaves_the_design():
    used = np.array([[10, 10, 10, 0]] * 3 + [[0, 0, 0, 0]])
    with_empty = rate_interval(cells([[*row, 0] for row in MIXED] + [[0] * 4], used))
    assert with_empty == rate_interval(cells(MIXED))


def test_effective_size_is_of_seeds_and_without_them_of_prompts():
    assert effective_size(cells(np.zeros((3, 10)))) == pytest.approx(300 / (1 + 99 * FLOOR_ICC))
    assert effective_size(cells(np.zeros((1, 10)))) == pytest.approx(100 / (1 + 9 * FLOOR_ICC))


def test_a_higher_confidence_is_wider():
    narrow, wide = (rate_interval(cells(MIXED), confidence) for confidence in (0.8, 0.95))
    assert wide.high - wide.low > narrow.high - narrow.low
