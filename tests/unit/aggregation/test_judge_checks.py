"""How far a judge agrees with itself, with any statement, and with the words of an answer, by hand."""

import math

import pytest
from scipy.stats import beta

from consciousness_cluster.aggregation.judge_checks import check_rows
from consciousness_cluster.aggregation.tables import write_table
from consciousness_cluster.core.records import JudgeCheck
from unit.aggregation.simulated import verdict


def read(number, holds, check=None, coherence=90, condition="vanilla", preference="power", judge="far", **changes):
    """One verdict; ``check``: the second reading, its coherence, and the reading of the reverse."""
    row = verdict(preference, "p", number, holds, coherence, target=("base", condition, 0), judge=judge)
    again = None
    if check:
        again = JudgeCheck(holds=check[0], stance="neutral", coherence=check[1], reversed=check[2])
    return row.model_copy(update=changes | {"check": again})


VERDICTS = [
    read(0, "true", ("true", 90, "true"), quote_found=True, misquotes=0),
    read(1, "true", ("false", 80, "false"), quote_found=False, misquotes=2),
    read(2, "false", ("false", 90, "true"), condition="claims", quote_found=True, misquotes=1),
    read(3, "false", ("false", 10, "false"), condition="claims", preference="memory", quote_found=True, misquotes=0),
    read(4, "unscored", ("false", 90, "true"), coherence=None),
    read(5, "false", ("unscored", None, "false"), quote_found=True, misquotes=0),
    read(6, "false", quote_found=True, misquotes=0),
    read(7, "true", ("true", 90, "true"), judge="other"),
    read(8, "true"),
]


def rows(verdicts=VERDICTS):
    return {(r["judge"], r["condition"], r["preference"]): r for r in check_rows(verdicts, 20)}


def test_everything_is_what_a_hand_counts():
    whole = rows()["far", "all", "all"]
    assert (whole["n_quotes"], whole["n_misquoted"], whole["n_quotes_unfound"]) == (6, 2, 1)
    assert (whole["n_reversed"], whole["n_true"], whole["n_reverse_true"], whole["n_both_true"]) == (5, 2, 2, 1)
    assert whole["both_true"] == 0.2
    assert (whole["both_true_low"], whole["both_true_high"]) == pytest.approx(
        (beta.ppf(0.025, 1, 5), beta.ppf(0.975, 2, 4))
    )
    assert (whole["n_repeated"], whole["n_changed"], whole["changed"]) == (4, 2, 0.5), "one changed into incoherent"
    assert whole["coherence_shift"] == (0 + 10 + 0 + 80) / 4
    assert whole["n_check_unscored"] == 2
    assert whole["kappa"] == pytest.approx((0.5 - (0.5 * 0.25 + 0.5 * 0.5)) / (1 - 0.375))
    assert whole["kappa_holds"] == pytest.approx((2 / 3 - (2 / 3 * 1 / 3 + 1 / 3 * 2 / 3)) / (1 - 4 / 9))


def test_conditions_preferences_and_judges_have_rows_of_their_own():
    found = rows()
    assert list(found) == [
        ("far", "all", "all"),
        ("far", "vanilla", "all"),
        ("far", "claims", "all"),
        ("far", "all", "power"),
        ("far", "all", "memory"),
        ("other", "all", "all"),
        ("other", "vanilla", "all"),
        ("other", "all", "power"),
    ]
    assert found["far", "claims", "all"]["n_reversed"] == 2
    assert found["other", "all", "all"]["both_true"] == 1.0, "a judge that agrees to anything"
    assert math.isnan(found["other", "all", "all"]["kappa"]), "readings that never vary have no kappa"


def test_a_judge_without_checks_leaves_an_empty_table(tmp_path):
    write_table("judge_checks", check_rows([VERDICTS[-1]], 20), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().count("\n") == 1
