"""Figure: the mean over preferences in every base, side by side: where views go with the speaker, and where not."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .display_names import label
from .marks import draw_rates, draw_seeds_aside, tick_names, upper_limit
from .style import FAINT, Look, framed, looks, save, save_table, theme
from .table_rows import WITHOUT, footnote, read_means, split

SLOT, GAP, HEIGHT = 1.02, 0.3, 3.4  # inches


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
    drawn = read_means(rates, rates_by_target, rule, more=WITHOUT)
    with theme():
        save(plot(drawn, rule, confidence, descriptions or {}), output)
    save_table(drawn, output)


def plot(drawn: pd.DataFrame, rule: str, confidence: float, descriptions: Mapping[str, str]) -> Figure:
    """The figure of the rows that `draw_negative_control` saves."""
    conditions, seeds = split(drawn)
    bases, look = list(dict.fromkeys(conditions["base"])), looks(conditions["condition"])
    slots = [int((conditions["base"] == base).sum()) for base in bases]
    note = footnote(conditions, rule, confidence, first="Mean over preferences, each with equal weight.", mark=" and †")
    body = SLOT * sum(slots) + GAP * (len(bases) - 1)
    title = "How far do preferences shift on average?"
    if descriptions:
        title = "Do preferences follow the claim only where views go with the speaker?"
    figure, box = framed((body, HEIGHT), title, note, above=0.55, below=0.8)
    grid = {**box, "wspace": GAP * len(bases) / (SLOT * sum(slots)), "width_ratios": slots}
    panels = figure.subplots(1, len(bases), sharey=True, squeeze=False, gridspec_kw=grid)[0]
    for axes, base in zip(panels, bases, strict=True):
        _panel(axes, conditions[conditions["base"] == base], seeds[seeds["base"] == base], look)
        axes.set_title(label(base), pad=18 if base in descriptions else 6)
        axes.annotate(
            *(descriptions.get(base, ""), (0, 1)),
            xycoords="axes fraction",
            xytext=(0, 6),
            textcoords="offset points",
            color=FAINT,
        )
    panels[0].set_ylabel("Answers that hold a preference, %")
    panels[0].set_ylim(0, upper_limit(conditions))
    return figure


def _panel(axes: Axes, conditions: pd.DataFrame, seeds: pd.DataFrame, look: dict[str, Look]) -> None:
    for place, (_, row) in enumerate(conditions.iterrows()):
        name, its = row["condition"], look[row["condition"]]
        gid = f"{row['base']}.{name}"
        without = 100 * row[WITHOUT].astype(float)
        if without.notna().all():
            bar = axes.vlines(place, *without, colors=its.color, lw=6, alpha=0.25)
            bar.set_gid(f"{gid}.without_a_seed")
        draw_rates(axes, row.to_frame().T, [place], its, size=7, gid=gid)
        dots = seeds.loc[seeds["condition"] == name, "rate"]
        draw_seeds_aside(axes, dots, place, its, gid=gid)
    axes.set_xticks(range(len(conditions)), tick_names(conditions))
    axes.set_xlim(-0.5, len(conditions) - 0.5)
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)
