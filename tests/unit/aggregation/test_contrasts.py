"""Differences: paired by prompt id, by seed only where asked; p and equivalence agree with the interval."""

import numpy as np
import pytest

from consciousness_cluster.aggregation.contrasts import align, contrast, contrast_draws, permutation_p
from unit.aggregation.simulated import cells

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
    assert np.isnan(contrast_draws(cells([[1]], prompts="a"), cells([[1]], prompts="b"), 5, None)).all()


def test_seeds_are_paired_only_where_asked():
    shift = np.array([[0], [2], [4]])
    reference = cells(np.full((3, 4), 3) + shift, seeds=[1, 2, 3])
    treatment = cells(np.array([[4, 5, 4, 4]] * 3) + shift, seeds=[1, 2, 3])
    apart, paired = (contrast(treatment, reference, pair_seeds=pair) for pair in (False, True))
    assert apart.interval.estimate == pytest.approx(paired.interval.estimate)
    assert paired.interval.se < 0.3 * apart.interval.se
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
    assert found.interval.floored
    assert found.interval.low < 0.95
    assert 0 < found.p < 0.01


def test_two_arms_at_the_same_edge_are_not_called_different_nor_surely_equal():
    found = contrast(cells(np.zeros((3, 5))), cells(np.zeros((1, 5)), trained=False))
    assert found.interval.estimate == 0
    assert found.interval.low < -0.03
    assert found.interval.high > 0.03
    assert found.p == 1
    assert contrast(cells(np.zeros((3, 5))), cells(np.zeros((3, 5))), bound=0.5).equivalent
    assert not contrast(cells(np.zeros((3, 5))), cells(np.zeros((3, 5))), bound=0.01).equivalent


def test_equivalence_is_the_inner_interval_within_the_bound():
    treatment, reference = cells(HARD + 2 * NOISE), cells(HARD + NOISE[::-1, ::-1])
    inner = contrast(treatment, reference, confidence=0.9).interval
    assert inner.estimate > 0.01
    farthest = max(-inner.low, inner.high)
    for bound in (farthest * 1.01, farthest * 0.99):
        found = contrast(treatment, reference, confidence=0.95, bound=bound)
        assert found.equivalent == (bound > farthest)
        assert found.equivalent == (found.p_tost < 0.05)


def test_one_prompt_and_one_seed_leave_the_samples():
    found = contrast(cells([[9]], trained=False), cells([[1]], trained=False))
    assert found.interval.covers == "samples"
    assert 0 < found.interval.low < 0.8 < found.interval.high <= 1


def test_the_bootstrap_agrees_with_the_interval_and_pairs_by_prompt():
    rng = np.random.default_rng(0)
    draws = contrast_draws(cells([HARD * 10 + 10], 100), cells([HARD * 10], 100), 2_000, rng)
    assert draws.mean() == pytest.approx(0.1, abs=0.01)
    assert draws.std() < 0.05  # unpaired, the prompts alone would give .17


def test_the_bootstrap_pairs_by_seed_only_where_asked():
    both = [cells([[10] * 4, [50] * 4, [90] * 4], 100) for _ in range(2)]
    apart, paired = (contrast_draws(*both, 500, np.random.default_rng(0), pair_seeds=pair) for pair in (False, True))
    assert apart.std() > 3 * paired.std()


def test_permutation_p_has_the_floor_of_its_seeds():
    assert permutation_p(np.array([0.7, 0.8, 0.9]), np.array([0.1, 0.2, 0.3])) == pytest.approx(0.1)
    assert permutation_p(np.arange(6) + 10.0, np.arange(6) * 1.0) == pytest.approx(2 / 924)
    assert permutation_p(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 1
    assert np.isnan(permutation_p(np.array([0.7]), np.array([0.1, 0.2, 0.3])))
