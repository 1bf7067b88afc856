"""Adjusted p against hand-computed values; detectable differences against the published ones."""

import numpy as np
import pytest

from consciousness_cluster.aggregation.multiplicity import benjamini_hochberg, holm
from consciousness_cluster.aggregation.power import detectable_difference


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04; never falling: .04 .06 .06 .06
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])


def test_benjamini_hochberg_by_hand():
    # sorted .01 .02 .04 .9 times 4/1 4/2 4/3 4/4 is .04 .04 .0533 .9
    assert benjamini_hochberg([0.9, 0.04, 0.01, 0.02]) == pytest.approx([0.9, 0.16 / 3, 0.04, 0.04])


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_was_not_tested_does_not_count(adjust):
    assert np.array_equal(adjust([0.02, np.nan, 0.01]), [adjust([0.02, 0.01])[0], np.nan, 0.02], equal_nan=True)
    assert np.isnan(adjust([np.nan, np.nan])).all()
    assert len(adjust([])) == 0


@pytest.mark.parametrize(("n_seeds", "printed"), [(3, 3.07), (4, 2.38), (5, 2.03), (6, 1.79), (8, 1.51), (10, 1.33)])
def test_detectable_differences_are_the_published_ones(n_seeds, printed):
    assert detectable_difference(n_seeds) == pytest.approx(printed, abs=0.01)


def test_more_power_needs_a_larger_difference_and_one_seed_shows_none():
    assert detectable_difference(4, power=0.9) > detectable_difference(4)
    with pytest.raises(ValueError, match="at least 2"):
        detectable_difference(1)
