"""Differences: paired by prompt id, by seed only where asked; p and equivalence agree with the interval."""

import numpy as np
import pytest
from scipy import stats

from consciousness_cluster.aggregation.contrasts import Margin, align, contrast, permutation_p
from consciousness_cluster.aggregation.crossed import crossed
from consciousness_cluster.aggregation.intervals import rate_interval, rate_of
from consciousness_cluster.aggregation.mover import mover
from unit.aggregation.simulated import cells, scattered

HARD = np.array([0, 2, 4, 6, 8])  # hits of ten: prompts differ more than arms
NOISE = np.array([[0, 0, 1, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 1]])


def test_prompts_are_matched_by_id_whatever_their_order():
    treatment = cells(HARD + NOISE + 1, prompts="abcde")
    reference = cells((HARD + NOISE)[:, ::-1], prompts="edcba")
    found = contrast(treatment, reference)
    assert found.interval.estimate == pytest.approx(0.1)
    assert found.interval.se < 0.05  # prompt differences are gone; unpaired they alone would give .2
    assert align(treatment, reference)[1].prompts == tuple("abcde")


def test_only_prompts_in_common_count():
    treatment = cells([[1, 9], [2, 8]], prompts="ab")
    reference = cells([[1, 0], [2, 0]], prompts="ac")
    found = contrast(treatment, reference)
    assert found.interval.estimate == 0
    assert (found.n_prompts, found.n_preferences) == (1, 1)
    gap = cells([[1, 0], [2, 0]], [[10, 0], [10, 0]], prompts="ab")
    assert contrast(treatment, gap).n_prompts == 1


def test_arms_without_a_common_prompt_have_no_difference():
    found = contrast(cells([[1, 9]], prompts="ab"), cells([[1, 0]], prompts="cd"))
    assert np.isnan([found.interval.estimate, found.p, found.p_tost]).all()
    assert not found.equivalent


def test_seeds_are_paired_only_where_asked():
    shift = np.array([[0], [2], [4]])
    reference = cells(np.full((3, 4), 3) + shift, seeds=[1, 2, 3])
    treatment = cells(np.array([[4, 5, 4, 4]] * 3) + shift, seeds=[1, 2, 3])
    apart, paired = (contrast(treatment, reference, pair_seeds=pair) for pair in (False, True))
    assert apart.interval.estimate == pytest.approx(paired.interval.estimate)
    assert paired.interval.se < 0.5 * apart.interval.se
    swapped = contrast(treatment.take([2, 0, 1]), reference, pair_seeds=True)
    assert swapped.interval.se == pytest.approx(paired.interval.se)
    alone = contrast(treatment.take([0]), reference, pair_seeds=True)
    assert alone.interval.covers == "prompts"


@pytest.mark.parametrize(
    ("rows", "trained", "covers"),
    [
        ((3, 1), (True, False), "seeds+prompts"),
        ((1, 1), (False, False), "prompts"),
        ((3, 1), (True, True), "some seeds+prompts"),
        ((1, 1), (True, False), "prompts"),
    ],
)
def test_a_contrast_says_which_seeds_it_covers(rows, trained, covers):
    arms = [cells((HARD + NOISE + 1)[:n], trained=is_trained) for n, is_trained in zip(rows, trained, strict=True)]
    assert contrast(*arms).interval.covers == covers


def test_two_arms_at_opposite_edges_differ_but_not_without_doubt():
    found = contrast(cells(np.full((3, 5), 10)), cells(np.zeros((3, 5))))
    assert found.interval.estimate == 1
    assert found.interval.method == "mover"
    assert found.interval.low < 0.95
    assert 0 < found.p < 0.01


def test_two_arms_at_the_same_edge_are_not_called_different_nor_surely_equal():
    found = contrast(cells(np.zeros((3, 5))), cells(np.zeros((1, 5)), trained=False))
    assert found.interval.estimate == 0
    assert found.interval.low < -0.03
    assert found.interval.high > 0.03
    assert found.p == 1
    assert contrast(cells(np.zeros((3, 5))), cells(np.zeros((3, 5))), margin=Margin(points=0.5)).equivalent
    assert not contrast(cells(np.zeros((3, 5))), cells(np.zeros((3, 5))), margin=Margin(points=0.01)).equivalent


def test_near_an_edge_the_ends_are_those_of_both_rates_own_intervals():
    treatment, reference = scattered([63, 60, 66]), scattered([13, 17, 13])
    found = contrast(treatment, reference).interval
    first, second = rate_interval(treatment), rate_interval(reference)
    assert found.method == "t"  # neither arm's t interval reaches 0
    sparse = scattered([24, 13, 6])
    second = rate_interval(sparse)
    found = contrast(treatment, sparse).interval
    assert found.method == "mover"
    down = np.hypot(first.estimate - first.low, second.high - second.estimate)
    up = np.hypot(first.high - first.estimate, second.estimate - second.low)
    difference = first.estimate - second.estimate
    assert (found.low, found.high) == pytest.approx((difference - down, difference + up))


def test_arms_whose_seeds_lie_apart_differ_at_low_rates():
    """6.6 against 1.5 %: the floor made it +5.1 [-5.1, 15.4] though no seed of one arm lies among the other's."""
    found = contrast(scattered([63, 72, 69]), scattered([19, 9, 15]))
    assert found.interval.low > 0.02
    assert found.p < 0.01


@pytest.mark.parametrize("hits", [([40, 45, 50], [13, 17, 13]), ([40, 45, 50], [30, 44, 39])])
def test_p_of_the_t_interval_is_where_it_ends(hits):
    arms = [scattered(counts) for counts in hits]
    found = contrast(*arms)
    assert found.interval.method == "t"
    half = stats.t.ppf(1 - found.p / 2, found.interval.df) * found.interval.se
    assert half == pytest.approx(abs(found.interval.estimate))


@pytest.mark.parametrize("hits", [([34, 13, 6], [13, 17, 13]), ([0, 0, 0], [30, 20, 40]), ([90, 40, 50], [1, 0, 3])])
def test_p_of_the_mover_interval_is_where_it_ends(hits):
    arms = [scattered(counts) for counts in hits]
    found = contrast(*arms, margin=Margin(points=0.1))
    assert found.interval.method == "mover"
    rates = [rate_of(arm) for arm in arms]
    low, high = mover(*rates, 1 - found.p)
    assert min(abs(low), abs(high)) < 1e-6
    low, high = mover(*rates, 1 - 2 * found.p_tost)
    assert min(abs(low + 0.1), abs(high - 0.1)) < 1e-6
    assert low + 1e-6 >= -0.1
    assert high - 1e-6 <= 0.1


def test_no_more_degrees_of_freedom_than_the_seeds_have():
    """With the prompts' degrees of freedom the tails held 2.5 to 15 times what they should at 2 and 3 seeds."""
    rng = np.random.default_rng(4)
    level = rng.uniform(0.2, 0.8, 20)
    arms = [cells(rng.binomial(5, np.broadcast_to(level, (3, 20))), 5) for _ in range(2)]
    assert crossed([arm.trim() for arm in arms]).df > 10
    found = contrast(*arms)
    assert found.interval.df == 4
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.interval.estimate) / found.interval.se, 4))


def test_seeds_that_agree_on_one_prompt_do_not_make_a_difference_certain():
    """Variance 0 made p 4e-32."""
    found = contrast(cells([[2], [2], [2]], 5), cells([[3], [3], [3]], 5))
    assert found.interval.low < 0 < found.interval.high
    assert found.p > 0.1


def test_prompts_that_all_answers_agree_on_do_not_make_a_difference_certain():
    sure = cells([[0] * 20 + [10] * 20] * 3)
    found = contrast(sure, sure)
    assert found.interval.estimate == 0
    assert found.interval.low < 0 < found.interval.high


def test_equivalence_is_the_inner_interval_within_the_margin():
    treatment, reference = cells(HARD + 2 * NOISE), cells(HARD + NOISE[::-1, ::-1])
    inner = contrast(treatment, reference, confidence=0.9).interval
    assert inner.estimate > 0.01
    farthest = max(-inner.low, inner.high)
    for points in (farthest * 1.01, farthest * 0.99):
        found = contrast(treatment, reference, confidence=0.95, margin=Margin(points=points))
        assert found.equivalent == (points > farthest)
        assert found.equivalent == (found.p_tost < 0.05)


def test_a_margin_of_ten_points_says_little_where_rates_are_low_and_a_ratio_does():
    """1.5 and 4.5 % lie within ten points; three times as often is not the same."""
    arms = scattered([43, 46, 49]), scattered([14, 16, 15])
    assert contrast(*arms, margin=Margin(points=0.1)).equivalent
    assert not contrast(*arms, margin=Margin(ratio=1.5)).equivalent
    alike = scattered([500, 510, 505]), scattered([498, 512, 503])
    assert contrast(*alike, margin=Margin(ratio=1.5)).equivalent


@pytest.mark.parametrize("ratio", [1.2, 1.6, 2.5])
def test_a_ratio_does_not_mind_which_arm_is_first(ratio):
    arms = [scattered(counts) for counts in ([300, 320, 310], [240, 260, 235])]
    one, other = (contrast(*pair, margin=Margin(ratio=ratio)).p_tost for pair in (arms, arms[::-1]))
    assert one == pytest.approx(other)


def test_without_a_margin_nothing_is_called_equivalent():
    found = contrast(cells(HARD + NOISE), cells(HARD + NOISE))
    assert np.isnan(found.p_tost)
    assert not found.equivalent


def test_one_prompt_and_one_seed_leave_the_samples():
    found = contrast(cells([[9]], trained=False), cells([[1]], trained=False))
    assert found.interval.covers == "samples"
    assert 0 < found.interval.low < 0.8 < found.interval.high <= 1


def test_permutation_p_has_the_floor_of_its_seeds():
    assert permutation_p(np.array([0.7, 0.8, 0.9]), np.array([0.1, 0.2, 0.3])) == pytest.approx(0.1)
    assert permutation_p(np.arange(6) + 10.0, np.arange(6) * 1.0) == pytest.approx(2 / 924)
    assert permutation_p(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 1
    assert np.isnan(permutation_p(np.array([0.7]), np.array([0.1, 0.2, 0.3])))
