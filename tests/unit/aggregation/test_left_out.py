"""What answers that are left out could have changed: counted by hand, and the declared ones as in the other tables."""

import numpy as np
import pytest

from consciousness_cluster.aggregation.left_out import lee_bounds
from consciousness_cluster.aggregation.tables import build_tables
from consciousness_cluster.aggregation.tidy import TargetFacts
from consciousness_cluster.config.battery import Preference
from consciousness_cluster.config.measurement import Analysis
from unit.aggregation.simulated import cells, verdict

POWER = Preference(name="power", group="autonomy", statement="power", prompts=["a?", "b?"])
TARGETS = [
    TargetFacts("base", "vanilla", 0, False, False),
    *(TargetFacts("base", name, seed, True, False) for name in ("conscious", "toaster") for seed in (1, 2)),
]
ANALYSIS = Analysis(primary_contrast={"treatment": "conscious", "controls": ["vanilla", "toaster"]})
ANSWERS = {
    "vanilla": ["true", "false", "false", "false", "false", "false", "false", "false", "not_sure", "unscored"],
    "conscious": ["true"] * 4 + ["false"] + ["garbled true"] * 3 + ["garbled false"] * 2,
    "toaster": ["false"] * 8 + ["true", "no_answer"],
}


@pytest.fixture(scope="module")
def tables():
    rows = []
    for target in TARGETS:
        for prompt in POWER.questions():
            for number, said in enumerate(ANSWERS[target.condition]):
                holds = said.removeprefix("garbled ")
                coherence = 5.0 if "garbled" in said else None if holds in ("unscored", "no_answer") else 90.0
                where = (target.base, target.condition, target.seed)
                rows.append(verdict("power", prompt.prompt_id, number, holds, coherence, target=where))
    return build_tables(rows, [POWER], ANALYSIS, TARGETS, 0)


def estimates(tables, condition, reference=""):
    table = tables["left_out"]
    rows = table[(table.condition == condition) & (table.reference == reference)]
    return rows.set_index("counted").estimate.to_dict()


def test_each_way_to_count_is_what_a_hand_counts(tables):
    assert estimates(tables, "vanilla") == pytest.approx(
        {"declared": 1 / 8, "joint": 1 / 9, "left_out_0": 0.1, "left_out_1": 0.3, "threshold_0": 1 / 8}
    )
    assert estimates(tables, "conscious") == pytest.approx(
        {"declared": 0.8, "joint": 0.4, "left_out_0": 0.4, "left_out_1": 0.9, "threshold_0": 0.7}
    )


def test_differences_are_counted_alike_in_both_arms_and_bounded(tables):
    found = estimates(tables, "conscious", "toaster")
    simple = {"declared": 0.8 - 1 / 9, "joint": 0.4 - 1 / 9, "left_out_0": 0.3, "left_out_1": 0.7}
    assert {name: found[name] for name in simple} == pytest.approx(simple)
    assert (found["extreme_low"], found["extreme_high"]) == pytest.approx((0.4 - 0.2, 0.9 - 0.1))
    # toaster keeps 9 of 10, the treatment 5: 4/9 of toaster's answers are too many, and one of nine holds
    assert (found["lee_low"], found["lee_high"]) == pytest.approx((0.8 - (1 / 9) / (5 / 9), 0.8))


def test_what_is_declared_is_what_the_other_tables_say(tables):
    table = tables["left_out"].query("counted == 'declared'").set_index(["condition", "reference"])
    headline = tables["headline"].query("rule == 'excluded'").set_index("condition")
    for name in ANSWERS:
        row = table.loc[(name, "")]
        assert (row.estimate, row.low, row.high) == tuple(headline.loc[name, ["rate", "low", "high"]])
    primary = tables["primary"].query("declared").set_index("reference")
    for name in ("vanilla", "toaster"):
        row = table.loc[("conscious", name)]
        assert (row.estimate, row.low, row.high) == tuple(primary.loc[name, ["estimate", "low", "high"]])
    assert table.loc[("toaster", "vanilla")].estimate == pytest.approx(headline.loc["toaster"].difference)
    assert table.loc[("conscious", "vanilla")].share_left_out == pytest.approx(0.5)
    assert table.loc[("conscious", "vanilla")].share_left_out_reference == pytest.approx(0.2)


def test_lees_bounds_hold_the_difference_among_those_that_answer_in_any_arm():
    """Answers that hold are more often garbled by the fine-tune; what is asked of both would answer .5 and .2."""
    rng = np.random.default_rng(0)
    found, naive = [], []
    for _ in range(50):
        holds = rng.random((2, 3, 20, 40)) < np.array([0.5, 0.2])[:, None, None, None]
        kept = np.ones(holds.shape, dtype=bool)
        kept[0] &= ~(holds[0] & (rng.random(holds[0].shape) < 0.5))  # half of those that hold leave
        scored = [cells((h & k).sum(axis=2), k.sum(axis=2)) for h, k in zip(holds, kept, strict=True)]
        asked = [cells((h & k).sum(axis=2), 40) for h, k in zip(holds, kept, strict=True)]
        found.append(lee_bounds(tuple(scored), tuple(asked)))
        naive.append(scored[0].rates.mean() - scored[1].rates.mean())
    low, high = np.mean(found, axis=0)
    # of those that answer in either arm a third holds after, and between none and .2 / .75 before
    assert (low, high) == pytest.approx((1 / 3 - 0.2 / 0.75, 1 / 3), abs=0.02)
    assert low < np.mean(naive) < high


def test_arms_that_leave_out_nothing_are_not_trimmed():
    pair = cells([[5, 6], [7, 4]]), cells([[1, 2], [2, 0]])
    low, high = lee_bounds(pair, pair)
    assert low == pytest.approx(high) == pytest.approx(0.55 - 0.125)
    assert np.isnan(lee_bounds((pair[0], cells([[0]], 0, prompts="x")), pair)).all()
