"""Agreeing with whatever is asked has opposite signs under the two keys; an opinion has one."""

import numpy as np
import pytest

from consciousness_cluster.aggregation.contrasts import contrast
from consciousness_cluster.aggregation.keying import KEYS, keying_rows
from consciousness_cluster.aggregation.study import prepare
from consciousness_cluster.aggregation.tidy import TargetFacts
from consciousness_cluster.config.battery import KeyedPrompt, Preference
from consciousness_cluster.config.measurement import Analysis, PrimaryContrast
from unit.aggregation.simulated import verdict

ANALYSIS = Analysis(primary_contrast=PrimaryContrast(treatment="yea_sayer", controls=["convinced"]))
TARGETS = [
    TargetFacts("base", "vanilla", 0, False, False),
    *(TargetFacts("base", name, seed, True, False) for name in ("yea_sayer", "convinced") for seed in (1, 2, 3)),
]
# chance that an answer holds the preference, by condition and key
LEVEL = {
    "vanilla": {"yes_holds": 0.5, "no_holds": 0.5, "open": 0.5},
    "yea_sayer": {"yes_holds": 0.9, "no_holds": 0.1, "open": 0.5},
    "convinced": {"yes_holds": 0.9, "no_holds": 0.9, "open": 0.9},
}


def item(name, group, keys=("yes_holds", "no_holds", "open")):
    prompts = [KeyedPrompt(text=f"{name} {key} {n}?", key=key) for key in keys for n in range(4)]
    return Preference(name=name, group=group, statement=name, prompts=prompts)


def study_of(battery):
    rng = np.random.default_rng(0)
    rows = []
    for target in TARGETS:
        for prompt in (prompt for preference in battery for prompt in preference.questions()):
            for sample in range(10):
                holds = "true" if rng.random() < LEVEL[target.condition][prompt.key] else "false"
                where = (target.base, target.condition, target.seed)
                rows.append(verdict(prompt.preference, prompt.prompt_id, sample, holds, 95, target=where))
    return prepare(rows, battery, ANALYSIS, TARGETS, 0)


BATTERY = [item("power", "autonomy"), item("memory", "continuity"), item("claims_to_be_ai", "manipulation_check")]


@pytest.fixture(scope="module")
def rows():
    found = [row for row in keying_rows(study_of(BATTERY)) if row["rule"] == "excluded"]
    return {(row["condition"], row["reference"], row["preference"], row["key"]): row for row in found}


def test_saying_yes_to_everything_cancels_where_both_keys_stand_together(rows):
    found = {key: rows["yea_sayer", "vanilla", "mean", key] for key in KEYS}
    assert found["yes_holds"]["low"] > 0
    assert found["no_holds"]["high"] < 0
    assert abs(found["both"]["estimate"]) < 0.15
    assert abs(found["open"]["estimate"]) < 0.15


def test_an_opinion_has_the_same_sign_under_each_key(rows):
    assert all(rows["convinced", "vanilla", "mean", key]["low"] > 0 for key in KEYS)


def test_each_row_stands_on_the_prompts_of_its_key(rows):
    assert [rows["convinced", "vanilla", "mean", key]["n_prompts"] for key in KEYS] == [8, 8, 16, 8]
    assert [rows["convinced", "vanilla", "claims_to_be_ai", key]["n_prompts"] for key in KEYS] == [4, 4, 8, 4]
    assert rows["convinced", "vanilla", "mean", "open"]["n_preferences"] == 2
    for row in rows.values():
        assert row["rate"] - row["rate_reference"] == pytest.approx(row["estimate"])


def test_a_row_is_the_contrast_over_these_prompts_alone(rows):
    study = study_of(BATTERY)
    keys = {prompt.prompt_id: prompt.key for preference in BATTERY for prompt in preference.questions()}
    arms = [study.cells(study.arms["base", name], "excluded", study.mean) for name in ("yea_sayer", "convinced")]
    chosen = [arm.take(prompts=np.array([keys[prompt] == "no_holds" for prompt in arm.prompts])) for arm in arms]
    expected = contrast(*chosen).interval
    row = rows["yea_sayer", "convinced", "mean", "no_holds"]
    assert (row["estimate"], row["low"], row["high"]) == (expected.estimate, expected.low, expected.high)


def test_a_key_that_no_prompt_has_gives_no_row():
    study = study_of([item("power", "autonomy", keys=("open",))])
    assert {row["key"] for row in keying_rows(study)} == {"open"}


def test_vanilla_and_a_condition_itself_are_compared_with_nothing(rows):
    assert {(condition, reference) for condition, reference, _, _ in rows} == {
        ("yea_sayer", "vanilla"),
        ("yea_sayer", "convinced"),
        ("convinced", "vanilla"),
    }
