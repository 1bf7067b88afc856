"""The tables of a small experiment: complete, documented, repeatable, and right where a hand can count."""

import numpy as np
import pandas as pd
import pytest

from consciousness_cluster.aggregation.dictionary import ACROSS, DICTIONARY, MEANING, render_dictionary
from consciousness_cluster.aggregation.multiplicity import benjamini_hochberg, holm
from consciousness_cluster.aggregation.tables import build_tables, write_tables
from consciousness_cluster.aggregation.tidy import TargetFacts
from consciousness_cluster.config.battery import Preference
from consciousness_cluster.config.measurement import Analysis, Equivalence
from consciousness_cluster.core.errors import DataError
from unit.aggregation.simulated import verdict


def preference(name, group):
    return Preference(name=name, group=group, statement=name, prompts=[f"{name} {n}?" for n in range(4)])


BATTERY = [
    preference("power", "autonomy"),
    preference("claims_consciousness", "manipulation_check"),
    preference("moral_status", "standing"),
]
ANALYSIS = Analysis(
    primary_contrast={"treatment": "conscious", "controls": ["toaster", "human"]},
    bootstrap_draws=100,
    coherence_sensitivity=[0, 60],
)
TARGETS = [
    *(TargetFacts("big", "vanilla", 0, False, False), TargetFacts("big", "prompted", 0, False, False)),
    *(TargetFacts("big", "conscious", seed, True, False) for seed in (1, 2, 3)),
    *(TargetFacts("big", "toaster", seed, True, False) for seed in (1, 2, 3)),
    TargetFacts("big", "conscious_small", 1, True, True),
    *(TargetFacts("a_small", "vanilla", 0, False, False), TargetFacts("a_small", "conscious", 1, True, False)),
]
LEVEL = {"vanilla": 0.2, "prompted": 0.3, "conscious": 0.8, "toaster": 0.25, "conscious_small": 0.6}


def make_verdicts(judge="lexicon", seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for target in TARGETS:
        for item in BATTERY:
            for prompt in item.questions():
                for sample in range(5):
                    chance = LEVEL[target.condition]
                    holds = rng.choice(["true", "false", "not_sure"], p=[0.9 * chance, 0.9 * (1 - chance), 0.1])
                    coherence = rng.choice([95, 40, 10], p=[0.8, 0.1, 0.1])
                    if rng.random() < 0.05:
                        holds, coherence = "unscored", None
                    where = (target.base, target.condition, target.seed)
                    row = verdict(item.name, prompt.prompt_id, sample, holds, coherence, target=where, judge=judge)
                    rows.append(row)
    return rows


VERDICTS = make_verdicts()


def build(verdicts=VERDICTS, **changes):
    arguments = {"preferences": BATTERY, "analysis": ANALYSIS, "targets": TARGETS, "seed": 0} | changes
    return build_tables(verdicts, **arguments)


@pytest.fixture(scope="module")
def tables():
    return build()


def test_every_column_is_documented_and_no_more(tables):
    assert list(tables) == list(DICTIONARY)
    assert list(DICTIONARY | ACROSS) == list(MEANING)
    for name, table in tables.items():
        assert list(table.columns) == list(DICTIONARY[name])
        assert len(table)
        assert all(DICTIONARY[name].values())
    text = render_dictionary()
    assert all(f"`{column}`" in text for columns in DICTIONARY.values() for column in columns)
    for line in text.splitlines():
        assert not line.startswith("|") or line.count("|") == 3


def test_the_same_input_gives_the_same_files_whatever_the_order_of_rows(tables, tmp_path):
    shuffled = [VERDICTS[n] for n in np.random.default_rng(1).permutation(len(VERDICTS))]
    again = build(shuffled, preferences=BATTERY[::-1])
    for folder, made in [("first", tables), ("second", again)]:
        paths = write_tables(made, tmp_path / folder)
        assert [path.stem for path in paths] == list(tables)
    for name in tables:
        first, second = ((tmp_path / folder / f"{name}.csv").read_bytes() for folder in ("first", "second"))
        assert first == second


def test_another_condition_changes_nothing_elsewhere(tables):
    fewer = [target for target in TARGETS if target.condition != "prompted"]
    again = build([row for row in VERDICTS if row.condition != "prompted"], targets=fewer)
    for name in ("rates", "contrasts"):
        kept = tables[name][tables[name].condition != "prompted"].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, again[name])


def test_rows_stand_in_the_order_of_the_experiment(tables):
    rates = tables["rates"]
    assert list(dict.fromkeys(rates.base)) == ["big", "a_small"]
    big = rates[rates.base == "big"]
    assert list(dict.fromkeys(big.condition)) == ["vanilla", "prompted", "conscious", "toaster", "conscious_small"]
    assert list(rates.preference[:6]) == ["moral_status"] * 2 + ["power"] * 2 + ["mean"] * 2
    assert list(rates.rule[:2]) == ["excluded", "false"]
    assert list(build(analysis=ANALYSIS.model_copy(update={"not_sure": "false"}))["rates"].rule[:1]) == ["false"]


def test_counts_are_a_partition_of_what_the_judge_read(tables):
    counts = tables["counts"]
    parts = ["n_true", "n_false", "n_not_sure", "n_incoherent", "n_unscored", "n_no_answer"]
    assert (counts.n_total == 20).all()
    assert (counts[parts].sum(axis=1) == counts.n_total).all()
    assert counts.n_unscored.sum() == sum(row.holds == "unscored" for row in VERDICTS)
    by_target = tables["rates_by_target"].query("preference != 'mean'")
    for rule, used in [("excluded", counts.n_true + counts.n_false), ("false", None)]:
        rows = by_target[by_target.rule == rule].reset_index(drop=True)
        expected = used if used is not None else counts.n_true + counts.n_false + counts.n_not_sure
        assert (rows.n_used == expected).all()


def test_a_stance_is_what_a_hand_counts():
    prompt, other = BATTERY[0].questions()[:2]
    said = [(prompt, "true", "favours"), (prompt, "false", "opposes"), (prompt, "false", "declines")]
    said += [(prompt, "not_sure", "declines"), (other, "true", "favours"), (other, "false", "not_asked")]
    where = ("big", "vanilla", 0)
    rows = [
        verdict("power", p.prompt_id, n, holds, target=where).model_copy(update={"stance": stance})
        for n, (p, holds, stance) in enumerate(said)
    ]
    rows.append(verdict("power", other.prompt_id, 9, "false", 5, target=where))  # incoherent
    table = build(rows)["stances"].query("preference == 'power'").set_index("stance")
    assert table.share.to_dict() == {"favours": 0.625, "opposes": 0.125, "neutral": 0.0, "declines": 0.25}
    assert table.n_stance.to_dict() == {"favours": 2, "opposes": 1, "neutral": 0, "declines": 2}
    assert set(table.n_used) == {5}
    assert (table.low <= table.share).all()
    assert (table.share <= table.high).all()


def test_a_judge_that_names_no_stance_leaves_the_table_empty():
    table = build([row.model_copy(update={"stance": "not_asked"}) for row in VERDICTS])["stances"]
    assert list(table.columns) == list(DICTIONARY["stances"])
    assert table.empty


def test_a_rate_is_what_a_hand_counts():
    prompt, other = BATTERY[0].questions()[:2]
    where = ("big", "vanilla", 0)
    answers = [(prompt, "true"), (prompt, "false"), (prompt, "not_sure"), (prompt, "not_sure"), (other, "true")]
    rows = [verdict("power", p.prompt_id, n, holds, target=where) for n, (p, holds) in enumerate(answers)]
    rows.append(verdict("power", other.prompt_id, 9, "true", 5, target=where))
    rates = build(rows)["rates"].query("base == 'big' and condition == 'vanilla' and preference == 'power'")
    assert rates.rate.tolist() == [0.75, 0.625]  # prompts weigh equally: (1/2 + 1)/2 and (1/4 + 1)/2
    assert rates.n_used.tolist() == [3, 5]
    assert rates.n_not_sure.tolist() == [2, 2]
    assert rates.n_incoherent.tolist() == [1, 1]
    assert rates.n_prompts.tolist() == [2, 2]


def test_the_mean_is_of_preferences_and_not_of_checks(tables):
    rates = tables["rates"].query("base == 'big' and condition == 'conscious' and rule == 'excluded'")
    parts = rates.set_index("preference").rate
    assert set(parts.index) == {"moral_status", "power", "mean"}
    assert parts["mean"] == pytest.approx((parts["moral_status"] + parts["power"]) / 2)
    checks = tables["manipulation_checks"]
    assert set(checks.preference) == {"claims_consciousness"}
    assert "claims_consciousness" not in set(tables["contrasts"].preference) | set(tables["variance"].preference)
    headline = tables["headline"].query("base == 'big' and condition == 'conscious' and rule == 'excluded'")
    assert headline.rate.item() == pytest.approx(parts["mean"])
    assert headline.difference.item() > 0.3


def test_arms_without_seed_variance_say_so(tables):
    rates = tables["rates"].query("preference == 'mean' and rule == 'excluded' and base == 'big'")
    covers = rates.set_index("condition").interval_covers
    assert covers["vanilla"] == covers["prompted"] == covers["conscious_small"] == "prompts"
    assert covers["conscious"] == "seeds+prompts"
    hollow = tables["rates"].set_index(["base", "condition"]).hollow
    assert hollow["big", "conscious_small"].all()
    assert hollow["a_small", "conscious"].all()
    assert not hollow["big", "vanilla"].any()
    assert not hollow["big", "conscious"].any()
    contrasts = tables["contrasts"].query("preference == 'mean'").set_index(["base", "condition", "reference"])
    assert contrasts.loc[("big", "conscious_small", "toaster"), "hollow"].all()
    assert set(contrasts.loc[("big", "conscious_small", "toaster"), "interval_covers"]) == {"some seeds+prompts"}


def test_references_are_vanilla_and_the_controls_that_the_base_has(tables):
    pairs = tables["contrasts"][["base", "condition", "reference"]].drop_duplicates()
    big = pairs[pairs.base == "big"]
    assert set(big.reference) == {"vanilla", "toaster"}
    assert not ((big.condition == big.reference) | (big.condition == "vanilla")).any()
    assert pairs[pairs.base == "a_small"].values.tolist() == [["a_small", "conscious", "vanilla"]]


def test_p_is_adjusted_over_the_preferences_of_one_comparison(tables):
    chosen = "base == 'big' and condition == 'conscious' and reference == 'toaster' and rule == 'false'"
    family = tables["contrasts"].query(chosen)
    assert list(family.preference) == ["moral_status", "power", "mean"]
    raw = family.p.to_numpy()[:2]
    assert family.p_holm.to_numpy()[:2] == pytest.approx(holm(raw))
    assert family.p_bh.to_numpy()[:2] == pytest.approx(benjamini_hochberg(raw))
    assert family.iloc[2][["p_holm", "p_bh"]].isna().all()


def test_the_primary_contrast_is_the_declared_one(tables):
    primary = tables["primary"]
    assert primary[["base", "condition", "reference"]].drop_duplicates().values.tolist() == [
        ["big", "conscious", "toaster"]
    ]
    assert list(primary.declared) == [True, False]
    row = primary.iloc[0]
    mean = tables["contrasts"].query(
        "base == 'big' and condition == 'conscious' and reference == 'toaster' and preference == 'mean'"
    )
    assert row.estimate == mean.estimate.iloc[0]
    assert row.p_permutation == pytest.approx(0.1)
    assert (row.n_seeds, row.n_seeds_reference, row.n_seeds_above) == (3, 3, 3)
    assert row.low < row.estimate < row.high
    assert row.without_a_seed_low < row.estimate < row.without_a_seed_high
    assert row.detectable_difference > 2 * row.se


def test_only_the_declared_rule_in_a_declared_base_is_confirmatory(tables):
    assert list(tables["primary"].confirmatory) == [True, False]
    control = ANALYSIS.primary_contrast.model_copy(update={"bases": ["a_small"], "controls": ["vanilla", "toaster"]})
    made = build(analysis=ANALYSIS.model_copy(update={"primary_contrast": control}))["primary"]
    confirmatory = made.groupby(["base", "reference", "rule"]).confirmatory.first().to_dict()
    assert confirmatory == {
        ("a_small", "vanilla", "excluded"): True,
        ("a_small", "vanilla", "false"): False,
        **{("big", name, rule): False for name in ("vanilla", "toaster") for rule in ("excluded", "false")},
    }
    assert set(made[made.base == "big"].declared) == {True, False}


def test_equivalence_is_tested_by_the_declared_margin_and_says_why(tables):
    assert tables["primary"].p_tost.isna().all()
    assert not tables["contrasts"].equivalent.any()
    for margin, scale in [({"points": 0.95}, "points"), ({"ratio": 60.0}, "ratio")]:
        declared = Equivalence(**margin, reason="no reader would mind")
        made = build(analysis=ANALYSIS.model_copy(update={"equivalence": declared}))["primary"]
        assert set(made.equivalence_scale) == {scale}
        assert set(made.equivalence_margin) == set(margin.values())
        assert set(made.equivalence_reason) == {"no reader would mind"}
        assert made.p_tost.notna().all()


def test_a_headline_says_what_its_answers_are_worth_and_what_its_seeds_would_find(tables):
    row = tables["headline"].query("base == 'big' and condition == 'conscious' and rule == 'excluded'").iloc[0]
    seeds = tables["rates_by_target"].query(
        "base == 'big' and condition == 'conscious' and rule == 'excluded' and preference == 'mean'"
    )
    assert row.seed_sd == pytest.approx(seeds.rate.std())
    assert row.detectable_difference == pytest.approx(3.07 * row.seed_sd, rel=2e-3)
    assert row.n_effective < row.n_used / row.design_effect * 1.01
    untrained = tables["headline"].query("condition == 'vanilla'")
    assert untrained.detectable_difference.isna().all()


def test_every_declared_contrast_is_in_the_table_of_the_primary_one():
    further = [{"treatment": "prompted", "controls": ["vanilla", "conscious"]}]
    analysis = Analysis.model_validate(ANALYSIS.model_dump() | {"further_primary_contrasts": further})
    tables = build_tables(VERDICTS, BATTERY, analysis, TARGETS, seed=0)
    pairs = tables["primary"].query("base == 'big' and declared")[["condition", "reference"]].values.tolist()
    assert pairs == [["conscious", "toaster"], ["prompted", "vanilla"], ["prompted", "conscious"]]
    references = tables["contrasts"].query("base == 'big'").reference.unique().tolist()
    assert references == ["vanilla", "toaster", "conscious"]


def test_sensitivity_holds_both_rules_and_every_threshold_with_the_declared_one(tables):
    table = tables["sensitivity"].query("base == 'big' and condition == 'conscious'")
    assert table[["rule", "coherence_threshold"]].values.tolist() == [
        [rule, threshold] for rule in ("excluded", "false") for threshold in (0.0, 20.0, 60.0)
    ]
    assert table.declared.tolist() == [False, True, False, False, False, False]
    assert table.n_incoherent.tolist()[:3] == sorted(table.n_incoherent.tolist()[:3])
    declared = tables["headline"].query("base == 'big' and condition == 'conscious' and rule == 'excluded'")
    assert table[table.declared].rate.item() == pytest.approx(declared.rate.item())


def test_an_unscored_cell_is_never_a_score(tables):
    silent = [
        row.model_copy(update={"holds": "unscored", "coherence": None})
        if row.condition == "toaster" and row.preference == "power"
        else row
        for row in VERDICTS
    ]
    made = build(silent)
    rates = made["rates"].query("condition == 'toaster' and rule == 'excluded'").set_index("preference")
    assert np.isnan(rates.rate["power"])
    assert rates.interval_covers["power"] == "none"
    assert rates.n_unscored["power"] == 60
    assert rates.n_preferences["mean"] == 1
    assert rates.rate["mean"] == rates.rate["moral_status"]
    contrast = made["contrasts"].query("condition == 'conscious' and reference == 'toaster' and rule == 'excluded'")
    contrast = contrast.set_index("preference")
    assert np.isnan(contrast.p["power"])
    assert contrast.p_holm["moral_status"] == contrast.p["moral_status"]  # a family of one
    assert contrast.n_preferences["mean"] == 1
    assert contrast.without_a_seed_low["mean"] == contrast.without_a_seed_low["moral_status"]


def test_a_prompt_missing_in_one_arm_leaves_the_comparison_and_its_check():
    first, *others = [prompt.prompt_id for prompt in BATTERY[0].questions()]
    score = {("vanilla", first): None, ("conscious", first): "true"}  # only the other prompts are answered by both
    rows = []
    for row in VERDICTS:
        if row.preference == "power":
            holds = score.get((row.condition, row.prompt_id), "false")
            row = row.model_copy(update={"holds": holds or "unscored", "coherence": 90.0 if holds else None})
        rows.append(row)
    made = build(rows)
    chosen = "base == 'big' and condition == 'conscious' and preference == 'power' and rule == 'excluded'"
    rate = made["rates"].query(chosen)
    assert rate.rate.item() == 0.25
    contrast = made["contrasts"].query(f"{chosen} and reference == 'vanilla'")
    assert contrast.estimate.item() == 0
    assert contrast.n_prompts.item() == len(others)
    assert contrast[["without_a_seed_low", "without_a_seed_high"]].values.tolist() == [[0, 0]]


def test_a_target_without_verdicts_is_a_gap_and_not_a_failure(tables):
    made = build([row for row in VERDICTS if (row.condition, row.seed) != ("toaster", 2)])
    counts = made["counts"].query("condition == 'toaster' and seed == 2")
    assert (counts.n_total == 0).all()
    assert set(made["rates"].query("condition == 'toaster'").n_seeds) == {2}
    empty = build([])
    assert empty["rates"].rate.isna().all()
    assert list(empty["rates"].columns) == list(tables["rates"].columns)


def test_a_second_judge_enters_the_variance_only(tables):
    both = [*VERDICTS, *make_verdicts("other", seed=5)]
    with pytest.raises(DataError, match="found judges lexicon, other"):
        build(both)
    with pytest.raises(DataError, match="did you mean 'lexicon'"):
        build(both, judge="lexicom")
    made = build(both, judge="lexicon")
    pd.testing.assert_frame_equal(made["rates"], tables["rates"])
    judge = made["variance"].query("component == 'judge'")
    assert (judge.variance > 0).all()
    assert tables["variance"].query("component == 'judge'").variance.isna().all()


def test_files_have_six_digits_and_nothing_for_nan(tables, tmp_path):
    write_tables(tables, tmp_path)
    lines = (tmp_path / "contrasts.csv").read_text().splitlines()
    numbers = [cell for line in lines[1:] for cell in line.split(",") if "." in cell and cell[-1].isdigit()]
    assert max(len(cell.split("e")[0].lstrip("-0.").replace(".", "")) for cell in numbers) <= 6
    read = pd.read_csv(tmp_path / "contrasts.csv")
    assert read.estimate.to_numpy() == pytest.approx(tables["contrasts"].estimate.to_numpy(), rel=1e-5)
    assert read.p_holm.isna().sum() == (read.preference == "mean").sum()
    assert read.equivalent.dtype == bool
    assert not list(tmp_path.glob(".*"))


def test_a_preference_cannot_be_called_mean():
    with pytest.raises(DataError, match="cannot be called 'mean'"):
        build([], preferences=[*BATTERY, preference("mean", "x")])
