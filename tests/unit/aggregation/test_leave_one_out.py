"""The range of an estimate when each seed in turn is left out."""

import numpy as np
import pytest

from consciousness_cluster.aggregation.leave_one_out import difference_without_a_seed, rate_without_a_seed
from unit.aggregation.simulated import cells


def test_a_rate_without_each_seed_is_what_a_hand_counts():
    assert rate_without_a_seed(cells([[1, 1], [2, 2], [6, 6]])) == pytest.approx((0.15, 0.4))


def test_a_difference_loses_a_seed_of_either_arm():
    treatment = cells([[8, 8], [6, 6], [7, 7]])
    assert difference_without_a_seed(treatment, cells([[1, 1]], trained=False)) == pytest.approx((0.55, 0.65))
    both = difference_without_a_seed(treatment, cells([[1, 1], [1, 1], [4, 4]]))
    assert both == pytest.approx((0.7 - 0.25, 0.7 - 0.1))


def test_prompts_that_only_the_left_out_seed_answered_leave_the_difference():
    treatment = cells([[8, 8], [6, 0]], [[10, 10], [10, 0]])
    found = difference_without_a_seed(treatment, cells([[2, 6]], trained=False))
    assert found == pytest.approx((0.4, 0.8 - 0.4))


def test_a_single_seed_cannot_be_left_out():
    assert np.isnan(rate_without_a_seed(cells([[1, 2]]))).all()
    assert np.isnan(difference_without_a_seed(cells([[1, 2]]), cells([[1, 2]]))).all()
