"""The two-way variance against its textbook mean squares, with gaps, single seeds and several preferences."""

import numpy as np
import pytest

from consciousness_cluster.aggregation.crossed import crossed, crossed_rates, interaction_squares
from unit.aggregation.simulated import cells


def mean_squares(y):
    """Balanced two-way layout without replication: mean squares of rows, columns and residual."""
    rows, columns = y.shape
    row = columns * y.mean(1).var(ddof=1)
    column = rows * y.mean(0).var(ddof=1)
    residual = y - y.mean(1, keepdims=True) - y.mean(0) + y.mean()
    return row, column, (residual**2).sum() / ((rows - 1) * (columns - 1))


def test_balanced_cells_give_the_textbook_variance_and_freedom():
    rng = np.random.default_rng(0)
    y = rng.random((4, 7)) + rng.normal(0, 0.5, (4, 1)) + rng.normal(0, 0.5, 7)
    row, column, residual = mean_squares(y)
    terms = np.array([row, column, residual]) / y.size
    found = crossed_rates([y], np.zeros(7, dtype=int))
    assert found.estimate == pytest.approx(y.mean())
    assert (found.seed, found.prompt, found.cell) == pytest.approx(terms)
    expected = terms[0] + terms[1] - terms[2]
    assert expected > terms[:2].max()
    assert found.variance == pytest.approx(expected)
    assert found.df == pytest.approx(expected**2 / (terms**2 / [3, 6, 18]).sum())


PENICILLIN = [
    "27 27 25 26 25 24 24 26 24 24 26 25 26 26 26 25 25 25 24 26 25 25 24 24",
    "23 23 21 23 22 22 20 22 21 21 23 22 24 23 23 22 21 22 21 23 21 22 21 21",
    "26 26 25 25 26 25 23 26 24 24 26 26 26 26 25 25 24 24 23 26 24 25 24 24",
    "23 23 24 23 22 23 21 24 22 23 24 24 24 23 24 23 23 23 21 24 22 22 22 22",
    "23 23 24 23 23 22 22 24 22 22 24 24 25 23 24 23 23 23 21 24 22 22 24 21",
    "21 21 20 20 20 19 19 21 20 19 21 20 22 20 22 20 20 19 19 21 18 20 19 18",
]
"""Inhibition zones in mm of 6 samples (rows) on 24 plates: Davies and Goldsmith, Statistical Methods in Research and
Production (1972), as the dataset ``Penicillin`` of the R package lme4 has it."""


def test_a_published_crossed_design_gives_what_a_mixed_model_gives():
    """lme4 1.1.31 on ``diameter ~ 1 + (1|plate) + (1|sample)``; in a balanced design REML agrees with mean squares."""
    y = np.array([row.split() for row in PENICILLIN], dtype=float)
    found = crossed_rates([y], np.zeros(24, dtype=int))
    assert found.estimate == pytest.approx(22.97222, abs=1e-5)
    assert found.variance**0.5 == pytest.approx(0.8086, abs=5e-5)
    plate, sample, residual = 0.71691, 3.73109, 0.30242
    assert found.seed == pytest.approx(sample / 6 + residual / 144, rel=1e-4)
    assert found.prompt == pytest.approx(plate / 24 + residual / 144, rel=1e-4)
    assert found.cell == pytest.approx(residual / 144, rel=1e-4)


def test_a_negative_component_does_not_shorten_the_interval():
    y = np.array([[0.0, 1.0], [1.0, 0.0]])  # pure interaction: both main effects are 0
    found = crossed_rates([y], np.zeros(2, dtype=int))
    assert found.variance == max(found.seed, found.prompt)
    assert found.variance >= 0


def test_freedom_is_at_least_one():
    found = crossed_rates([np.array([[0.0, 0.0], [0.0, 1.0]])], np.zeros(2, dtype=int))
    assert found.seed == found.prompt == found.cell > 0  # by Satterthwaite's formula this is a third
    assert found.df == 1


def test_what_prompts_share_in_both_arms_leaves_the_paired_difference():
    rng = np.random.default_rng(1)
    prompts = rng.normal(0, 5, 8)
    arms = [rng.normal(0, 0.1, (3, 8)) for _ in range(2)]
    alone = crossed_rates(arms, np.zeros(8, dtype=int))
    shifted = crossed_rates([arm + prompts for arm in arms], np.zeros(8, dtype=int))
    assert shifted.estimate == pytest.approx(alone.estimate)
    assert shifted.variance == pytest.approx(alone.variance)
    assert crossed_rates([arms[0] + prompts], np.zeros(8, dtype=int)).variance > 10 * alone.variance


def test_a_seed_that_moves_all_preferences_moves_their_mean_as_much():
    codes = np.repeat(np.arange(5), 4)
    y = np.tile(np.array([[0.3], [0.5], [0.7]]), (1, 20))
    together = crossed_rates([y], codes)
    single = crossed_rates([y[:, :4]], codes[:4])
    assert together.seed == pytest.approx(single.seed) == pytest.approx(0.04 / 3)
    assert together.prompt == pytest.approx(0)


def test_prompts_are_compared_within_their_preference_and_preferences_weigh_equally():
    y = np.array([[0.1, 0.1, 0.9, 0.9, 0.9, 0.9]] * 3)
    found = crossed_rates([y], np.array([0, 0, 1, 1, 1, 1]))
    assert found.estimate == pytest.approx(0.5)
    assert found.variance == pytest.approx(0)


def test_one_seed_leaves_prompts_and_one_seed_with_one_prompt_leaves_nothing():
    y = np.random.default_rng(2).random((1, 5))
    found = crossed_rates([y], np.zeros(5, dtype=int))
    assert found.variance == pytest.approx(y.var(ddof=1) / 5)
    assert found.df == 4
    assert found.seed == 0
    assert np.isnan(crossed_rates([y[:, :1]], np.zeros(1, dtype=int)).variance)


def test_a_gap_is_neither_zero_nor_an_error():
    hits = [[2, 4, 6], [3, 5, 7], [4, 6, 0]]
    used = [[10, 10, 10], [10, 10, 10], [10, 10, 0]]
    found = crossed([cells(hits, used)])
    assert found.estimate == pytest.approx(np.mean([0.3, 0.5, 0.65]))
    # seeds and prompts are exactly additive here, so the residual stays 0 whatever is missing
    assert found.cell == pytest.approx(0)
    squares, freedom = interaction_squares(cells(hits, used).rates, np.zeros(3, dtype=int))
    assert squares == pytest.approx(np.zeros((3, 3)))
    assert freedom == [3]
