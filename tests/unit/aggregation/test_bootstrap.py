"""The hierarchical bootstrap resamples seeds, prompts and samples, each where it should, and always the same way."""

import numpy as np
import pytest

from consciousness_cluster.aggregation import bootstrap
from consciousness_cluster.aggregation.bootstrap import (
    generator,
    percentile_interval,
    prompt_indices,
    rate_draws,
    seed_indices,
)
from unit.aggregation.simulated import cells

DRAWS = 4_000


def draw(data, seed=0):
    rng = np.random.default_rng(seed)
    seeds = seed_indices(len(data.seeds), DRAWS, rng)
    return rate_draws(data, seeds, prompt_indices(data.strata, DRAWS, rng), rng)


@pytest.mark.parametrize(
    ("hits", "variance"),
    [
        ([[0, 0, 0], [10**6, 10**6, 10**6]], 0.25 / 2),  # only seeds differ
        ([[0, 10**6], [0, 10**6], [0, 10**6]], 0.25 / 2),  # only prompts differ
    ],
)
def test_seeds_and_prompts_are_resampled(hits, variance):
    assert draw(cells(hits, 10**6)).var() == pytest.approx(variance, rel=0.1)


def test_samples_are_resampled_in_every_cell():
    rates = draw(cells([[5, 5, 5, 5]] * 3, 10))
    assert rates.var() == pytest.approx(0.25 / 120, rel=0.1)
    assert rates.mean() == pytest.approx(0.5, abs=0.01)


def test_prompts_stay_within_their_preference():
    data = cells([[0, 0, 10, 10, 10]] * 2, strata=["a", "a", "b", "b", "b"])
    assert (draw(data) == [0, 1]).all()


def test_an_empty_cell_is_passed_over_and_an_empty_preference_is_nan():
    data = cells([[10, 0, 0], [10, 10, 0]], [[10, 0, 0], [10, 10, 0]], strata=["a", "a", "b"])
    rates = draw(data)
    known = rates[:, 0]
    assert (known[~np.isnan(known)] == 1).all()
    assert 0 < np.isnan(known).mean() < 0.2  # both drawn prompts empty in both drawn seeds
    assert np.isnan(rates[:, 1]).all()
    assert percentile_interval(known, 0.95) == (1, 1)
    assert np.isnan(percentile_interval(rates[:, 1], 0.95)).all()


def test_chunks_do_not_change_the_draws(monkeypatch):
    data = cells([[1, 5, 9], [3, 4, 8]])
    whole = draw(data)
    monkeypatch.setattr(bootstrap, "CHUNK", 100)
    assert (draw(data) == whole).all()


def test_a_generator_follows_from_its_name():
    first = generator(0, "seeds", "base", "toaster").random(3)
    assert (generator(0, "seeds", "base", "toaster").random(3) == first).all()
    assert (generator(1, "seeds", "base", "toaster").random(3) != first).all()
    assert (generator(0, "seeds", "base", "human").random(3) != first).all()
