"""The logistic mixed model against a published fit, and what it says of simulated arms."""

import numpy as np
import pytest
from scipy.special import expit

from consciousness_cluster.aggregation.laplace import Effects, fit
from consciousness_cluster.aggregation.mixed_model import compare
from unit.aggregation.simulated import arms_at, cells, level_of

CBPP = """
2/14 3/12 4/9 0/5 | 3/22 1/18 1/21 - | 8/22 2/16 0/16 2/20 | 2/10 0/10 2/9 0/6 | 5/18 0/25 0/24 1/4 
3/17 0/17 0/18 1/20 | 8/16 1/10 3/9 0/5 | 12/34 - - - | 2/9 0/6 0/8 0/6 | 1/22 1/22 0/18 2/22 
0/25 5/27 3/22 1/22 | 2/10 1/8 0/6 0/5
1/21 2/24 0/19 0/23 | 11/19 0/2 0/3 0/2 | 1/19 1/15 1/15 0/15
"""
"""Sick of size by herd and period: bovine pleuropneumonia (Lesnoff et al. 2004), as in the R package lme4."""


def test_it_gives_what_lme4_gives_of_a_published_example():
    """`glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), binomial, cbpp)`, in lme4's own help page."""
    herds = [line.split() for part in CBPP.strip().splitlines() for line in part.split("|")]
    rows = [(h, p, *cell.split("/")) for h, herd in enumerate(herds) for p, cell in enumerate(herd) if cell != "-"]
    herd, period, hits, used = np.array(rows, dtype=int).T
    assert (len(rows), hits.sum(), used.sum()) == (56, 99, 842)
    design = np.column_stack([np.ones(56), *(period == p for p in (1, 2, 3))])
    found = fit(hits, used, design, Effects(herd, np.ones((56, 1)), np.array([0]), np.zeros((56, 0)), 0, 1))
    assert found.converged
    assert found.beta == pytest.approx([-1.3983, -0.9919, -1.1282, -1.5797], abs=1e-3)
    assert found.sd == pytest.approx([0.6421], abs=3e-4)
    assert found.se == pytest.approx([0.2312, 0.3032, 0.3228, 0.4220], rel=0.02)


def test_effects_that_cross_the_blocks_are_integrated_like_the_others():
    """The same model with the roles changed: a herd is once a block, once an effect that crosses the only block."""
    rng = np.random.default_rng(0)
    herd, used = np.repeat(np.arange(4), 6), np.full(24, 20)
    hits = rng.binomial(used, expit(-1 + np.array([-1.0, 0.0, 0.5, 1.5])[herd]))
    design = np.ones((24, 1))
    blocks = fit(hits, used, design, Effects(herd, np.ones((24, 1)), np.array([0]), np.zeros((24, 0)), 0, 1))
    crossing = (herd[:, None] == np.arange(4)).astype(float)
    one_block = Effects(np.zeros(24, dtype=int), np.zeros((24, 1)), np.array([0]), crossing, 0, 1)
    crossed = fit(hits, used, design, one_block)
    assert crossed.beta == pytest.approx(blocks.beta, abs=1e-4)
    assert crossed.sd == pytest.approx(blocks.sd, abs=1e-4)
    assert crossed.se == pytest.approx(blocks.se, rel=1e-3)
    assert crossed.deviance == pytest.approx(blocks.deviance, abs=1e-6)


def test_it_finds_the_odds_ratio_that_was_put_in():
    """On the logit the levels of .3 and .1 lie about 1.7 apart when prompts and fine-tunes vary as simulated."""
    rng = np.random.default_rng(1)
    fits = [compare(*arms_at(rng, (0.3, 0.1), 0.3, n_preferences=4))[0] for _ in range(12)]
    logs = np.array([one.beta[1] for one in fits])
    assert all(one.converged for one in fits)
    spread = (0.3**2 + 1 + 0.25 + 0.09) ** 0.5
    truth = level_of(0.3, spread) - level_of(0.1, spread)
    assert logs.mean() == pytest.approx(truth, abs=3 * logs.std() / 12**0.5 + 0.05)
    assert np.mean([one.se[1] for one in fits]) == pytest.approx(logs.std(), rel=0.6)


def test_an_arm_without_a_hit_has_no_ratio():
    found, df = compare(cells([[0, 0], [0, 0]]), cells([[1, 2], [3, 4]]))
    assert found is None
    assert np.isnan(df)


def test_where_nothing_is_trained_there_is_no_effect_of_fine_tunes():
    found, df = compare(*(cells([hits], trained=False) for hits in ([6, 8, 7, 9], [1, 3, 2, 5])))
    assert len(found.sd) == 2
    assert found.beta[1] > 1
    assert np.isinf(df)
