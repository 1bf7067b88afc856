"""Figure: the mean over preferences in every base, side by side: where views go with the speaker, and where not."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .labels import label, percent
from .marks import draw_rates, draw_seeds, legend_handles, spread
from .rows import MEAN, POINT, WHO, footnote, read_table, split, with_seeds
from .style import Look, framed, looks, save, save_table, theme

SLOT, GAP, HEIGHT = 1.02, 0.3, 3.4  # inches
SIDEWAYS = 0.2  # of a slot, from the marker to its seeds


def draw_negative_control(
    rates: str,
    rates_by_target: str,
    output: str,
    *,
    rule: str,
    confidence: float,
    descriptions: Mapping[str, str] | None = None,
) -> None:
    """Whether the shift needs views that go with the character: one panel per base on a common scale.

    Args:
        rates: path of `rates.csv` (or of `headline.csv`, which holds the same means).
        rates_by_target: path of `rates_by_target.csv`.
        output: path of the figure without its ending.
        rule: the declared not_sure rule.
        confidence: the declared confidence level, for the footnote.
        descriptions: base -> a few words below its name, e.g. ``views go with the character``.
    """
    drawn = read_means(rates, rates_by_target, rule)
    with theme():
        save(plot(drawn, rule, confidence, descriptions or {}), output)
    save_table(drawn, output)


def read_means(rates: str, rates_by_target: str, rule: str) -> pd.DataFrame:
    """Means over preferences of conditions and of their seeds, from `rates.csv` or `headline.csv`."""
    columns = [*WHO, *POINT]
    try_rates = pd.read_csv(rates, nrows=0).columns if _exists(rates) else columns
    conditions = read_table(rates, [*columns, "preference"] if "preference" in try_rates else columns, rule)
    if "preference" in conditions:
        conditions = conditions[conditions["preference"] == MEAN].drop(columns="preference")
    seeds = read_table(rates_by_target, [*WHO, "preference", "seed", "rate"], rule)
    seeds = seeds[seeds["preference"] == MEAN].drop(columns="preference")
    return with_seeds(conditions, seeds, WHO)
