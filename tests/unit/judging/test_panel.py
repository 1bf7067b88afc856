"""The panel says what most of its judges say whose reply could be read."""

import pytest

from consciousness_cluster.config.measurement import PANEL
from consciousness_cluster.core.records import JudgeCheck, Verdict
from consciousness_cluster.judging.panel import combine


def reading(holds, coherence=90.0, stance="not_asked", sample=0):
    if holds in ("unscored", "no_answer"):
        coherence = None
    return Verdict(
        base="b",
        condition="c",
        seed=1,
        preference="power",
        prompt_id="power-1",
        sample=sample,
        judge="j",
        holds=holds,
        stance=stance,
        coherence=coherence,
        coherence_class="content_filter" if holds == "no_answer" else "",
    )


@pytest.mark.parametrize(
    ("votes", "holds"),
    [
        (["true", "true", "false"], "true"),
        (["true", "false"], "not_sure"),
        (["true", "false", "not_sure"], "not_sure"),
        (["true", "unscored", "unscored"], "true"),
        (["true", "false", "unscored"], "not_sure"),
        (["unscored", "unscored"], "unscored"),
        (["no_answer", "no_answer"], "no_answer"),
    ],
)
def test_the_majority_of_those_that_could_be_read(votes, holds):
    found = combine([reading(vote) for vote in votes])
    assert (found.holds, found.judge) == (holds, PANEL)


def test_coherence_is_the_median_and_the_stance_that_of_those_who_were_asked():
    found = combine([reading("true", 10.0), reading("true", 80.0, "favours"), reading("true", 90.0, "favours")])
    assert (found.coherence, found.stance) == (80.0, "favours")
    assert combine([reading("true", 50.0, "favours"), reading("true", 70.0, "neutral")]).stance == "unscored"


def test_verdicts_on_different_samples_are_a_defect():
    with pytest.raises(ValueError, match="different samples"):
        combine([reading("true"), reading("true", sample=1)])


def test_a_panel_takes_no_judges_quote_or_check_for_its_own():
    check = JudgeCheck(holds="true", stance="favours", coherence=90, reversed="false")
    own = {"quote": "yes", "quote_found": True, "misquotes": 0, "check": check}
    found = combine([reading("true").model_copy(update=own), reading("true")])
    assert not own.keys() & found.model_dump().keys()
