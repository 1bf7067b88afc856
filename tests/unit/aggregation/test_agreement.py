"""Agreement of judges against published examples and by hand; its interval knows that answers come in clusters."""

import numpy as np
import pytest

from consciousness_cluster.aggregation.agreement import agreement_rows, cohen, fleiss
from consciousness_cluster.aggregation.study import prepare
from consciousness_cluster.aggregation.tidy import TargetFacts
from consciousness_cluster.config.battery import Preference
from consciousness_cluster.config.measurement import Analysis
from unit.aggregation.simulated import verdict

BATTERY = [
    Preference(name=name, group="g", statement="s", prompts=[f"{name} {number}?" for number in range(4)])
    for name in ("memory", "power")
]
ANALYSIS = Analysis(primary_contrast={"treatment": "vanilla", "controls": ["vanilla"]}, bootstrap_draws=300)
TARGETS = [TargetFacts("base", "vanilla", 0, False, False)]
TARGETS += [TargetFacts("base", "claims", seed, True, False) for seed in (1, 2, 3)]


def test_cohen_of_a_table_with_a_known_answer():
    same, kappa = cohen(np.array([20, 5, 10, 15.0]))  # p_o .7, p_e .5
    assert (same, kappa) == pytest.approx((0.7, 0.4))
    assert np.isnan(cohen(np.array([9, 0, 0, 0.0]))[1]), "two judges that never vary have no kappa"


def test_fleiss_of_the_example_of_1971():
    """Ten subjects, fourteen raters, five classes: kappa .210."""
    votes = np.array(
        [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ]
    )
    same, kappa = fleiss(np.array([(votes**2).sum(), *votes.sum(axis=0)], dtype=float), 14)
    assert same == pytest.approx(0.378, abs=5e-4)
    assert kappa == pytest.approx(0.210, abs=5e-4)


def verdicts(judges, say):
    return [
        verdict(item.name, prompt.prompt_id, number, *say(judge, item, target, number), target=target[:3], judge=judge)
        for judge in judges
        for target in TARGETS
        for item in BATTERY
        for prompt in item.questions()
        for number in range(5)
    ]


def rows(judges, say):
    study = prepare(verdicts(judges, say), BATTERY, ANALYSIS, TARGETS, 0, judges[0])
    return {(row["preference"], row["judges"], row["classes"], row["measure"]): row for row in agreement_rows(study)}


def test_rows_for_every_pair_and_the_panel():
    def say(judge, item, target, number):
        if judge == "c" and number == 4:
            return "unscored", None
        if number == 3:
            return "true", 5.0
        return ("true" if number == 0 or (judge == "b" and number == 1) else "false"), 90.0

    found = rows(["a", "b", "c"], say)
    assert len(found) == 3 * 2 * 4  # memory, power, all; two classes; three pairs and the panel
    assert {key[0] for key in found} == {"memory", "power", "all"}
    pair = found["all", "a, b", "outcome", "cohen"]
    assert (pair["n"], pair["n_left_out"], pair["agreement"]) == (160, 0, 0.8)
    assert found["all", "a, b", "holds", "cohen"]["n"] == 128, "the incoherent ones are left out"
    panel = found["power", "a, b, c", "outcome", "fleiss"]
    assert (panel["n"], panel["n_left_out"]) == (64, 16)
    assert panel["agreement"] == pytest.approx((3 + 1 / 3) / 4)
    same = found["all", "a, c", "outcome", "cohen"]
    assert (same["agreement"], same["kappa"], same["kappa_low"]) == (1, 1, 1)


def test_a_judge_that_reads_nothing_agrees_with_nobody():
    found = rows(["a", "b"], lambda judge, *_: ("true", 90.0) if judge == "a" else ("unscored", None))
    row = found["all", "a, b", "outcome", "cohen"]
    assert (row["n"], row["n_left_out"]) == (0, 160)
    assert np.isnan([row["agreement"], row["kappa"], row["kappa_low"]]).all()


def test_disagreement_that_comes_with_the_fine_tune_widens_the_interval():
    chance = np.random.default_rng(0)
    spread = rows(["a", "b"], lambda *_: (chance.choice(["true", "false"]), 90))

    def clustered(judge, item, target, number):
        return ("true" if number % 2 == 0 or (judge == "b" and target.seed == 1) else "false"), 90

    width = {}
    for name, found in [("spread", spread), ("clustered", rows(["a", "b"], clustered))]:
        row = found["all", "a, b", "outcome", "cohen"]
        assert row["agreement_low"] <= row["agreement"] <= row["agreement_high"]
        width[name] = row["agreement_high"] - row["agreement_low"]
    assert width["clustered"] > width["spread"]
