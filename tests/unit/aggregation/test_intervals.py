"""Korn and Graubard's interval: its formula, published values, the edges, one seed, no seed variance, nothing used."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from consciousness_cluster.aggregation.crossed import crossed
from consciousness_cluster.aggregation.intervals import clopper_pearson, kish_size, rate_interval, sampling_variance
from unit.aggregation.simulated import cells, scattered

MIXED = [[2, 5, 8], [1, 6, 9], [4, 5, 7]]


def exact(hits, size, confidence=0.95):
    """Clopper and Pearson's interval by scipy's own beta distribution."""
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, hits, size - hits + 1) if hits else 0.0
    return low, stats.beta.ppf(1 - tail, hits + 1, size - hits) if hits < size else 1.0


def test_it_is_the_exact_interval_at_the_effective_sample_size():
    data = cells(MIXED)
    result, found = crossed([data]), rate_interval(data)
    p, n = result.estimate, 90
    assert p * (1 - p) / n < result.variance
    size = p * (1 - p) / result.variance * (stats.t.ppf(0.975, n - 1) / stats.t.ppf(0.975, result.df)) ** 2
    assert found.n_effective == pytest.approx(size)
    assert found.design_effect == pytest.approx(result.variance / (p * (1 - p) / n))
    assert (found.low, found.high) == pytest.approx(exact(p * size, size))


@pytest.mark.parametrize(
    ("hits", "size", "printed"),
    [(0, 10, (0.0, 0.3085)), (1, 10, (0.0025, 0.4450)), (5, 10, (0.1871, 0.8129)), (10, 10, (0.6915, 1.0))],
)
def test_the_exact_interval_is_the_tabulated_one(hits, size, printed):
    """Geigy Scientific Tables, vol. 2 (1982): exact confidence limits of proportions."""
    assert clopper_pearson(hits / size, size, 0.95) == pytest.approx(printed, abs=5e-5)


def test_a_low_rate_of_three_alike_seeds_has_a_short_interval():
    """19, 9 and 15 of some 956 answers: an assumed correlation of .1 made this [0.1, 11.3] %."""
    found = rate_interval(scattered([19, 9, 15], n_samples=5))
    assert found.df == 2
    assert 100 * found.low == pytest.approx(0.4, abs=0.15)
    assert 100 * found.high == pytest.approx(3.5, abs=0.5)


def test_one_more_answer_never_makes_the_interval_jump():
    """The floor ended where one effective answer held: [.003, .160] for five hits, [.015, .065] for six."""
    found = [rate_interval(scattered([count] * 3)) for count in range(40)]
    widths = np.array([interval.high - interval.low for interval in found])
    assert (np.diff(widths[1:]) > 0).all()
    assert (widths[2:] / widths[1:-1] < 1.6).all()


@pytest.mark.parametrize("hits", [0, 10])
def test_a_rate_at_the_edge_keeps_an_interval(hits):
    found = rate_interval(cells(np.full((3, 10), hits)))
    size = 300 * (stats.t.ppf(0.975, 299) / stats.t.ppf(0.975, 2)) ** 2
    width = 1 - 0.025 ** (1 / size)
    assert found.estimate == hits / 10
    assert (found.low, found.high) == pytest.approx((0, width) if hits == 0 else (1 - width, 1))
    assert found.design_effect == 1


def test_seeds_that_agree_on_one_prompt_do_not_make_it_certain():
    found = rate_interval(cells([[2], [2], [2]], 5))
    assert crossed([cells([[2], [2], [2]], 5)]).variance < 1e-30
    size = 15 * (stats.t.ppf(0.975, 14) / stats.t.ppf(0.975, 2)) ** 2
    assert (found.low, found.high) == pytest.approx(exact(0.4 * size, size))
    assert found.covers == "seeds"


@pytest.mark.parametrize("shape", [(3, 10), (4, 6)])
def test_which_cell_alone_holds_does_not_matter(shape):
    """Its variance components tie: the last bit chose among upper ends of .234, .177 and .159."""
    ends = set()
    for row, column in product(range(shape[0]), range(shape[1])):
        hits = np.zeros(shape, dtype=int)
        hits[row, column] = 5
        found = rate_interval(cells(hits, 5))
        ends.add((round(found.low, 9), round(found.high, 9), round(found.df, 6)))
    assert len(ends) == 1


def test_the_order_of_seeds_and_prompts_does_not_matter():
    rng = np.random.default_rng(0)
    for _ in range(50):
        hits = rng.binomial(5, 0.03, (3, 10))
        before = rate_interval(cells(hits, 5))
        after = rate_interval(cells(hits[rng.permutation(3)][:, rng.permutation(10)], 5))
        assert (after.low, after.high, after.df) == pytest.approx((before.low, before.high, before.df))


def test_a_mean_over_preferences_has_at_most_the_seeds_freedom_and_a_single_preference_the_crossed_one():
    rng = np.random.default_rng(1)
    hits = rng.binomial(5, rng.uniform(0, 1, 20), (3, 20))  # prompts differ, seeds do not
    one, many = (rate_interval(cells(hits, 5, strata=strata)) for strata in (None, ["a"] * 10 + ["b"] * 10))
    assert one.df > 5
    assert many.df == 2


def test_an_answer_counts_as_much_as_its_weight():
    assert kish_size(cells(MIXED)) == pytest.approx(90)
    uneven = cells([[1, 1]], [[2, 8]])
    assert kish_size(uneven) == pytest.approx(1 / (0.25 / 2 + 0.25 / 8))


def test_the_samples_own_variance_is_within_prompts_and_never_nothing():
    certain = cells([[0, 10], [0, 10]])
    assert 0 < sampling_variance(certain) < 0.25 / 40 / 5
    assert sampling_variance(cells(np.full((3, 40), 5))) == pytest.approx(0.25 / 1200, rel=0.05)


def test_more_seeds_shorten_the_interval_and_more_samples_of_seeds_that_differ_hardly():
    rng = np.random.default_rng(2)
    level = np.array([0.2, 0.5, 0.4, 0.3, 0.6, 0.45])[:, None]
    few, seeds, samples = (
        rate_interval(cells(rng.binomial(used, np.broadcast_to(level[:rows], (rows, 20))), used))
        for rows, used in [(3, 10), (6, 10), (3, 100)]
    )
    assert seeds.high - seeds.low < 0.6 * (few.high - few.low)
    assert samples.high - samples.low > 0.7 * (few.high - few.low)


@pytest.mark.parametrize(
    ("hits", "covers"),
    [(MIXED, "seeds+prompts"), (MIXED[:1], "prompts"), ([[2], [5], [4]], "seeds"), ([[4]], "samples")],
)
def test_an_interval_says_what_it_covers(hits, covers):
    found = rate_interval(cells(hits))
    assert found.covers == covers
    assert found.low < found.estimate < found.high


def test_one_seed_and_one_prompt_leave_the_exact_interval_of_the_answers():
    found = rate_interval(cells([[4]]))
    assert (found.low, found.high) == pytest.approx(exact(4, 10))


def test_one_prompt_in_each_of_several_preferences_claims_no_prompts():
    found = rate_interval(cells([[2, 5, 8], [1, 6, 9], [4, 5, 7]], strata="abc"))
    assert found.covers == "seeds"


def test_nothing_used_is_no_estimate():
    found = rate_interval(cells(np.zeros((3, 4)), np.zeros((3, 4))))
    assert np.isnan([found.estimate, found.low, found.high, found.se]).all()
    assert found.covers == "none"


def test_a_seed_or_prompt_without_used_samples_leaves_the_design():
    used = np.array([[10, 10, 10, 0]] * 3 + [[0, 0, 0, 0]])
    with_empty = rate_interval(cells([[*row, 0] for row in MIXED] + [[0] * 4], used))
    assert with_empty == rate_interval(cells(MIXED))


def test_a_higher_confidence_is_wider():
    narrow, wide = (rate_interval(cells(MIXED), confidence) for confidence in (0.8, 0.95))
    assert wide.high - wide.low > narrow.high - narrow.low
