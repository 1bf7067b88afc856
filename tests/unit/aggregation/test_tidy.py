"""Every verdict counts as exactly one thing, and the first reason to leave it out wins."""

import numpy as np
import pandas as pd
import pytest

from consciousness_cluster.aggregation.cells import collect
from consciousness_cluster.aggregation.tidy import OUTCOMES, TargetFacts, outcomes, tidy, values
from consciousness_cluster.config.battery import Preference
from consciousness_cluster.core.errors import DataError
from unit.aggregation.simulated import verdict

POWER = Preference(name="power", group="autonomy", statement="wants power", prompts=["a?", "b?"])
VANILLA = TargetFacts("base", "vanilla", 0, False, False)


def counted(rows):
    frame = tidy(rows)
    return collect(frame, [POWER], [VANILLA], outcomes(frame, 20))


@pytest.mark.parametrize(
    ("holds", "coherence", "outcome"),
    [
        ("unscored", None, "unscored"),
        ("unscored", 3, "unscored"),
        ("no_answer", None, "no_answer"),
        ("true", 19.9, "incoherent"),
        ("not_sure", 0, "incoherent"),
        ("false", None, "incoherent"),
        ("not_sure", 20, "not_sure"),
        ("true", 20, "true"),
        ("false", 100, "false"),
    ],
)
def test_precedence(holds, coherence, outcome):
    frame = tidy([verdict("power", "p", 0, holds, coherence)])
    assert OUTCOMES[outcomes(frame, 20)[0]] == outcome


def test_not_sure_rules():
    codes = np.arange(len(OUTCOMES), dtype=np.int8)
    assert np.array_equal(values(codes, "excluded"), [1, 0, *[np.nan] * 4], equal_nan=True)
    assert np.array_equal(values(codes, "false"), [1, 0, 0, *[np.nan] * 3], equal_nan=True)


def test_counts_hold_every_verdict_once():
    ids = [prompt.prompt_id for prompt in POWER.questions()]
    rows = [verdict("power", ids[0], n, holds) for n, holds in enumerate(["true", "true", "not_sure", "unscored"])]
    rows += [verdict("power", ids[1], 0, "true", 5), verdict("power", ids[1], 1, "false")]
    rows += [verdict("power", ids[1], 2, "no_answer", None)]
    arm = counted(rows)["base", "vanilla"]
    assert arm.counts[0].tolist() == [[2, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]
    assert arm.counts.sum() == len(rows)
    assert arm.cells("excluded", ["power"]).used.tolist() == [[2, 1]]
    assert arm.cells("false", ["power"]).used.tolist() == [[3, 1]]
    assert arm.cells("false", ["power"]).hits.tolist() == [[2, 0]]


def test_a_frame_and_rows_give_the_same():
    rows = [verdict("power", "p", n, "unscored", None) for n in range(3)]
    frame = pd.DataFrame([row.model_dump() for row in rows])
    pd.testing.assert_frame_equal(tidy(rows), tidy(frame))


def test_mistakes_are_named():
    first = verdict("power", POWER.questions()[0].prompt_id, 0, "true")
    with pytest.raises(DataError, match="stands twice for judge 'lexicon'"):
        tidy([first, first])
    with pytest.raises(DataError, match="missing column coherence"):
        tidy(tidy([first]).drop(columns="coherence"))
    with pytest.raises(DataError, match="found 'maybe'"):
        tidy(tidy([first]).assign(holds="maybe"))
    with pytest.raises(DataError, match="base/toaster/seed1 is not a target"):
        counted([first.model_copy(update={"condition": "toaster", "seed": 1})])
    with pytest.raises(DataError, match="power-old of 'power' is not in the battery"):
        counted([first.model_copy(update={"prompt_id": "power-old"})])
