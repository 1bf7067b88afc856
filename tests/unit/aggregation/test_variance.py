"""The variance split finds the components that a simulation put in."""

import numpy as np
import pandas as pd
import pytest

from consciousness_cluster.aggregation.tidy import tidy
from consciousness_cluster.aggregation.variance import COMPONENTS, components, judge_variance, shares
from unit.aggregation.simulated import cells, verdict


def additive(rng, rows, columns, seed_sd, prompt_sd, both_sd, samples=20):
    chance = 0.5 + rng.normal(0, seed_sd, (rows, 1)) + rng.normal(0, prompt_sd, columns)
    chance = np.clip(chance + rng.normal(0, both_sd, (rows, columns)), 0, 1)
    return cells(rng.binomial(samples, chance), samples)


def test_components_are_recovered_on_average():
    rng = np.random.default_rng(0)
    found = [components(additive(rng, 6, 10, 0.08, 0.12, 0.06)) for _ in range(200)]
    mean = {name: np.mean([one[name] for one in found]) for name in COMPONENTS[:-1]}
    assert mean["seed"] == pytest.approx(0.08**2, rel=0.15)
    assert mean["prompt"] == pytest.approx(0.12**2, rel=0.15)
    assert mean["seed_x_prompt"] == pytest.approx(0.06**2, rel=0.15)
    assert mean["sample"] == pytest.approx(0.25 - 0.08**2 - 0.12**2 - 0.06**2, rel=0.05)


def test_noise_alone_is_no_component():
    rng = np.random.default_rng(1)
    found = [components(additive(rng, 4, 6, 0, 0, 0, samples=5)) for _ in range(300)]
    for name in ("seed", "prompt", "seed_x_prompt"):
        values = np.array([one[name] for one in found])
        assert abs(values.mean()) < 4 * values.std() / len(values) ** 0.5
        assert (values < 0).any()  # unbiased, so not cut at zero


def test_one_seed_has_no_seed_component_and_one_prompt_no_prompt_component():
    one = components(cells([[2, 5, 8]]))
    assert np.isnan([one["seed"], one["seed_x_prompt"], one["judge"]]).all()
    assert one["prompt"] > 0
    assert np.isnan(components(cells([[2], [5]]))["prompt"])
    assert np.isnan(list(components(cells([[0, 0]], 0)).values())).all()


def test_shares_add_up_and_count_a_negative_component_as_none():
    found = shares({"seed": 0.3, "prompt": -0.1, "seed_x_prompt": float("nan"), "sample": 0.1, "judge": 0.5})
    assert found["seed"] == pytest.approx(0.75)
    assert found["prompt"] == 0
    assert np.isnan([found["seed_x_prompt"], found["judge"]]).all()


def test_judges_are_compared_on_the_same_sample():
    rows = [verdict("power", "p", 0, "true", judge="a"), verdict("power", "p", 0, "false", judge="b")]
    rows += [verdict("power", "p", 1, "true", judge=judge) for judge in "ab"]
    rows += [verdict("power", "p", 2, "true", judge="a"), verdict("power", "p", 2, "unscored", None, judge="b")]
    found = judge_variance(tidy(rows), 20, "excluded")
    assert found == {("base", "vanilla", "power"): pytest.approx(0.25)}  # variances .5 and 0; the third has one judge
    assert judge_variance(tidy(pd.DataFrame(tidy(rows)).query("judge == 'a'")), 20, "excluded") == {}
