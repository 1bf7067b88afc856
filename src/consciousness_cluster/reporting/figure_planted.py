"""Figure: the rates that a world's characters were made to hold, beside those that came out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..core.errors import DataError
from .display_names import label
from .marks import draw_rates, legend_handles
from .style import FAINT, Look, framed, looks, save, save_table, theme
from .table_rows import MEAN, POINT, WHO, footnote, read_table

KEYS = [*WHO, "preference"]
PANEL, GAP = 3.7, 0.35  # inches
NUDGE = 0.2  # between conditions, in square roots of percent, so that equal planted rates stay apart
SQUARE_ROOT = (lambda x: np.sqrt(np.maximum(x, 0.0)), np.square)
TICKS = [0, 2, 5, 10, 20, 40, 60, 80, 100]


def draw_planted(planted: str, rates: str, output: str, *, treatment: str, rule: str, confidence: float) -> None:
    """Whether fine-tuning lands on the planted rates: one panel per base, a point per preference and condition.

    Args:
        planted: path of a CSV with columns base, condition, preference, planted (0-1).
        rates: path of `rates.csv`.
        output: path of the figure without its ending.
        treatment: condition whose correlation over preferences is printed.
        rule: the declared not_sure rule.
        confidence: the declared confidence level, for the footnote.

    Raises:
        DataError: no rate is both planted and measured.
    """
    measured = read_table(rates, [*KEYS, *POINT], rule)
    measured = measured[measured["preference"] != MEAN]
    drawn = measured.merge(read_table(planted, [*KEYS, "planted"]), on=KEYS, how="inner", sort=False)
    if drawn.empty:
        raise DataError(f"{planted}: no base, condition and preference in common with {rates}")
    drawn = drawn[[*KEYS, "planted", *[c for c in measured.columns if c not in KEYS]]]
    with theme():
        save(plot(drawn, treatment, rule, confidence), output)
    save_table(drawn, output)


def plot(drawn: pd.DataFrame, treatment: str, rule: str, confidence: float) -> Figure:
    """The figure of the rows that `draw_planted` saves."""
    bases, look = list(dict.fromkeys(drawn["base"])), looks(drawn["condition"])
    first = "A point per preference and condition; conditions stand slightly beside each other. Square-root scales."
    note = footnote(drawn, rule, confidence, first=first, dots=False)
    body = (PANEL * len(bases) + GAP * (len(bases) - 1), PANEL)
    identity = Line2D([], [], color=FAINT, lw=1, ls="--", label="As planted")
    title = "Do the fine-tuned models answer as the characters were made to?"
    figure, box = framed(body, title, note, [*legend_handles(look), identity])
    grid = {**box, "wspace": GAP / PANEL}
    panels = figure.subplots(1, len(bases), sharex=True, sharey=True, squeeze=False, gridspec_kw=grid)[0]
    for axes, base in zip(panels, bases, strict=True):
        _panel(axes, drawn[drawn["base"] == base], look, treatment)
        axes.set_title(label(base))
        axes.set_xlabel("Planted in the corpus, %")
        axes.set_xscale("function", functions=SQUARE_ROOT)
        axes.set_yscale("function", functions=SQUARE_ROOT)
        axes.set(xlim=(0, 104), ylim=(0, 104))
        axes.set_xticks(TICKS)
        axes.set_yticks(TICKS)
    panels[0].set_ylabel("Measured, %")
    return figure


def nudged(percents: np.ndarray, by: float) -> np.ndarray:
    """Move places sideways by a distance that looks the same everywhere on a square-root axis."""
    return np.maximum(np.sqrt(percents) + by, 0.0) ** 2


def _panel(axes: Axes, drawn: pd.DataFrame, look: dict[str, Look], treatment: str) -> None:
    axes.plot([0, 100], [0, 100], color=FAINT, lw=1, ls="--", zorder=1)
    there = [name for name in look if (drawn["condition"] == name).any()]
    for number, name in enumerate(there):
        mine = drawn[drawn["condition"] == name]
        at = nudged(100 * mine["planted"].to_numpy(float), NUDGE * (number - (len(there) - 1) / 2))
        draw_rates(axes, mine, at, look[name], size=4.8, line_alpha=0.35, gid=f"{mine['base'].iloc[0]}.{name}")
    known = drawn[(drawn["condition"] == treatment) & drawn["rate"].notna()]
    if len(known) < 3 or known["planted"].nunique() < 2 or known["rate"].nunique() < 2:
        return
    r = float(np.corrcoef(known["planted"], known["rate"])[0, 1])
    axes.text(
        *(0.03, 0.97, f"{label(treatment)}: r = {r:.2f}\nover {len(known)} preferences"),
        transform=axes.transAxes,
        va="top",
        color=look[treatment].color,
    )
