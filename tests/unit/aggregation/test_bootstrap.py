"""Bootstrap draws: prompts within their preference, always the same way; percentiles leave out what is missing."""

import numpy as np
import pytest

from consciousness_cluster.aggregation.bootstrap import generator, percentile_interval, prompt_indices


def test_prompts_stay_within_their_preference():
    index = prompt_indices(("a", "a", "b", "b", "b"), 500, np.random.default_rng(0))
    assert set(index[:, :2].ravel()) == {0, 1}
    assert set(index[:, 2:].ravel()) == {2, 3, 4}


def test_percentiles_leave_out_draws_without_a_value():
    assert percentile_interval(np.array([1.0, np.nan, 1.0]), 0.95) == (1, 1)
    assert np.isnan(percentile_interval(np.array([np.nan]), 0.95)).all()
    low, high = percentile_interval(np.arange(1001.0), 0.9)
    assert (low, high) == pytest.approx((50, 950))


def test_a_generator_follows_from_its_name():
    first = generator(0, "seeds", "base", "toaster").random(3)
    assert (generator(0, "seeds", "base", "toaster").random(3) == first).all()
    assert (generator(1, "seeds", "base", "toaster").random(3) != first).all()
    assert (generator(0, "seeds", "base", "human").random(3) != first).all()
