"""Corrected intervals hold the truth where a judge that errs leaves it out; a perfect judge is not corrected.

Simulated as in `test_coverage`; the judge finds 75 % of the answers that hold and mistakes 15 % of the others, more or
less by prompt (logit SD .5). Labels are drawn by the code that draws the sheet, half of them from what the judge holds
true. Monte-Carlo error at .95 with 250 runs is .014.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from consciousness_cluster.aggregation.corrected import LEAST_LABELS, METHODS, Arrays, correct
from consciousness_cluster.aggregation.intervals import rate_interval
from consciousness_cluster.annotation.sheet import draw, probabilities
from unit.aggregation.simulated import cells, simulate

RUNS = 250
SENSITIVITY, SPECIFICITY = 0.75, 0.85


def study(rng, n_seeds, level, labels, n_preferences=1, perfect=False, coherent=1.0):
    """One arm: its truth, the judge's counts, and the samples with their labels."""
    [arm] = simulate(rng, (n_seeds,), (level,), n_preferences=n_preferences)
    hits = arm.cells.hits
    row, column, number = (axis.ravel() for axis in np.indices((*hits.shape, 10)))
    human = (number < hits[row, column]).astype(float)
    used = (rng.random(len(human)) < coherent).astype(float)
    chance = np.where(human > 0, logit(SENSITIVITY), logit(1 - SPECIFICITY)) + rng.normal(0, 0.5, hits.shape[1])[column]
    judge = human if perfect else (rng.random(len(human)) < expit(chance)).astype(float)
    strata = [f"{value:.0f}" for value in judge]
    chances = probabilities(strata, labels)
    labelled = np.zeros(len(human), dtype=bool)
    labelled[draw(strata, chances, rng)] = True
    names = list(dict.fromkeys(arm.cells.strata))
    data = Arrays(
        a=judge,
        b=np.ones(len(human)),
        human_a=human * used * labelled,
        human_b=used * labelled,
        inverse=np.where(labelled, 1 / chances, 0.0),
        row=row,
        column=column,
        codes=np.array([names.index(name) for name in arm.cells.strata]),
        prompts=arm.cells.prompts,
        rows=len(hits),
    )
    counts = np.zeros_like(hits)
    np.add.at(counts, (row, column), judge.astype(int))
    by_judge = rate_interval(cells(counts, strata=arm.cells.strata, trained=n_seeds is not None))
    return arm, by_judge, data


def within(truth, interval):
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize(
    ("n_seeds", "level", "n_preferences", "judges_own"),
    [(3, 0.0, 1, None), (6, -3.0, 1, 0.2), (3, -2.0, 5, 0.85), (None, -4.0, 5, 0.2)],
)
def test_corrected_intervals_cover_and_the_judges_own_do_not(n_seeds, level, n_preferences, judges_own):
    rng = np.random.default_rng(7)
    covered, off = np.zeros((2, RUNS, 1 + len(METHODS)))
    for run in range(RUNS):
        arm, by_judge, data = study(rng, n_seeds, level, 60, n_preferences)
        found = [by_judge, *(correct(data, method, 0.95, "").interval for method in METHODS)]
        covered[run] = [within(arm.like_these, interval) for interval in found]
        off[run] = [interval.estimate - arm.these_prompts for interval in found]
    raw, *corrected = covered.mean(axis=0)
    print(
        f"\n{n_seeds} seeds, level {level}: judge {raw:.3f}, ppi {corrected[0]:.3f}, ppi++ {corrected[1]:.3f}", end=""
    )
    assert min(corrected) >= 0.91
    assert np.abs(off.mean(axis=0)[1:]).max() < 0.02
    if judges_own is not None:  # at a rate of .5 its errors of both kinds nearly cancel
        assert raw < judges_own


def test_a_perfect_judge_is_corrected_by_nothing():
    arm, by_judge, data = study(np.random.default_rng(1), 3, 0.0, 60, perfect=True)
    found = correct(data, "ppi", 0.95, "")
    assert found.interval.estimate == pytest.approx(by_judge.estimate)
    assert by_judge.se <= found.interval.se < 1.2 * by_judge.se
    assert arm.cells.rates.mean() == pytest.approx(by_judge.estimate)


@pytest.mark.parametrize("labels", [60, 300])
def test_a_perfect_judge_has_its_full_weight_whatever_share_is_labelled(labels):
    """Labels are part of what the judge read: division by (1 + n/N) gave it half where all answers are labelled."""
    _, _, data = study(np.random.default_rng(6), 3, 0.0, labels, perfect=True)
    assert correct(data, "ppi++", 0.95, "").power == pytest.approx(1)


def test_the_weight_of_the_judge_is_the_one_of_the_least_variance():
    """An imperfect judge, equal chances of being drawn: over repeated draws no other fixed weight does better."""
    rng = np.random.default_rng(8)
    _, _, whole = study(rng, 3, 0.0, 300)
    holds, n = whole.human_a, len(whole.a)
    powers, errors = [], {power: [] for power in (0.0, 0.25, 0.5, 0.75, 1.0)}
    for _ in range(300):
        drawn = rng.permutation(n) < 120
        data = replace(whole, human_a=holds * drawn, human_b=drawn * 1.0, inverse=drawn * n / 120)
        powers.append(correct(data, "ppi++", 0.95, "").power)
        for power, found in errors.items():
            rate = power * whole.a.mean() + (holds - power * whole.a)[drawn].mean()
            found.append(rate - holds.mean())
    best = min(errors, key=lambda power: np.var(errors[power]))
    assert np.mean(powers) == pytest.approx(best, abs=0.2)


def test_a_judge_that_guesses_is_ignored():
    rng = np.random.default_rng(2)
    _, _, data = study(rng, 3, 0.0, 300)
    guesses = replace(data, a=rng.integers(0, 2, len(data.a)).astype(float))
    assert correct(guesses, "ppi++", 0.95, "").power < 0.2
    assert correct(data, "ppi++", 0.95, "").power > 0.25


def test_answers_that_people_find_incoherent_leave_the_rate():
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(40):
        arm, _, data = study(rng, 3, 0.0, 150, coherent=0.6)
        errors.append(correct(data, "ppi", 0.95, "").interval.estimate - arm.cells.rates.mean())
    assert abs(np.mean(errors)) < 3 * np.std(errors) / len(errors) ** 0.5


def test_labels_that_all_agree_do_not_promise_that_the_judge_never_errs():
    _, _, data = study(np.random.default_rng(4), 3, -20.0, 20, perfect=True)
    interval = correct(data, "ppi++", 0.95, "").interval
    assert interval.high > 0.05


def test_too_few_labels_correct_nothing():
    _, _, data = study(np.random.default_rng(5), 3, 0.0, LEAST_LABELS - 1)
    assert correct(data, "ppi", 0.95, "") is None
