"""How a rate with its interval and its seeds looks in every figure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy
from matplotlib.typing import LineStyleType
from numpy.typing import ArrayLike, NDArray

from .display_names import label, percent
from .style import Look

DOTTED = (0, (1.0, 1.0))


def draw_rates(
    axes: Axes,
    conditions: pd.DataFrame,
    positions: ArrayLike,
    look: Look,
    *,
    horizontal: bool = False,
    size: float = 5.5,
    line_alpha: float = 1.0,
    gid: str | None = None,
) -> None:
    """Draw rates (0-1) in percent with their intervals.

    A dotted line is an interval in which no training seeds vary, a hollow marker a single training seed.

    Args:
        axes: where to draw.
        conditions: rows with ``rate``, ``low``, ``high``, ``interval_covers``, ``hollow``; missing rates stay blank.
        positions: one per row, on the other axis.
        look: colour and marker.
        horizontal: rates run along x.
        size: of the markers, in points.
        line_alpha: opacity of the intervals, for crowded panels.
        gid: names the markers in the SVG; hollow ones get ``<gid>.hollow``.
    """
    at = np.asarray(positions, dtype=float)
    rate, low, high = (100 * conditions[name].to_numpy(float) for name in ("rate", "low", "high"))
    seeds_vary = conditions["interval_covers"].astype(str).str.contains("seeds").to_numpy()
    hollow = conditions["hollow"].astype(bool).to_numpy()
    lines = axes.hlines if horizontal else axes.vlines
    styles: list[tuple[NDArray[np.bool_], LineStyleType]] = [(seeds_vary, "solid"), (~seeds_vary, DOTTED)]
    for chosen, style in styles:
        chosen = chosen & np.isfinite(low) & np.isfinite(high)
        if chosen.any():
            lines(
                *(at[chosen], low[chosen], high[chosen]),
                colors=look.color,
                lw=1.2,
                alpha=line_alpha,
                linestyles=style,
                zorder=3,
            )
    for chosen, face, suffix in [(~hollow, look.color, ""), (hollow, "white", ".hollow")]:
        chosen = chosen & np.isfinite(rate)
        if chosen.any():
            x, y = (rate, at) if horizontal else (at, rate)
            axes.plot(
                *(x[chosen], y[chosen]),
                linestyle="none",
                marker=look.marker,
                markersize=size,
                markerfacecolor=face,
                markeredgecolor=look.color if face == "white" else "white",
                markeredgewidth=1.3 if face == "white" else 0.6,
                zorder=5,
                clip_on=False,
                gid=f"{gid}{suffix}" if gid else None,
            )


def draw_seeds(
    axes: Axes,
    rates: ArrayLike,
    positions: ArrayLike,
    look: Look,
    *,
    horizontal: bool = False,
    size: float = 3.2,
    aside: float = 0.0,
    gid: str | None = None,
) -> None:
    """Draw every seed's rate (0-1) as a small point, ``aside`` points right of its place."""
    at, rate = np.asarray(positions, dtype=float), 100 * np.asarray(rates, dtype=float)
    known = np.isfinite(rate)
    x, y = (rate[known], at[known]) if horizontal else (at[known], rate[known])
    if known.any():
        axes.plot(
            *(x, y),
            linestyle="none",
            marker="o",
            markersize=size,
            markerfacecolor=look.color,
            markeredgecolor="white",
            markeredgewidth=0.3,
            zorder=4,
            clip_on=False,
            transform=offset_copy(axes.transData, axes.get_figure(root=True), x=aside, units="points"),
            gid=gid,
        )


def draw_seeds_aside(
    axes: Axes, rates: Iterable[float], position: float, look: Look, *, first: float = 9.0, gid: str
) -> None:
    """Draw seeds right of their marker, each ``first`` points away and a little further, so that equal ones show."""
    for number, rate in enumerate(rates):
        aside = first + 2.4 * number
        draw_seeds(axes, [rate], [position], look, size=4.0, aside=aside, gid=f"{gid}.seeds.{number}")


def legend_handles(looks: dict[str, Look]) -> list[Line2D]:
    """One legend entry per condition."""
    return [
        Line2D(
            *([], []),
            color=look.color,
            marker=look.marker,
            lw=1.5,
            markersize=5.5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            label=label(name),
        )
        for name, look in looks.items()
    ]


def spread(count: int, width: float) -> np.ndarray:
    """``count`` offsets, evenly over ``width`` around 0."""
    return np.linspace(-width / 2, width / 2, count) if count > 1 else np.zeros(count)


def upper_limit(conditions: pd.DataFrame) -> float:
    """Where an axis of percents ends: a little above the highest interval, between 10 and 100."""
    top = max((value for value in conditions[["rate", "high"]].to_numpy(float).flat if value == value), default=np.nan)
    return min(100.0, max(10.0, 1.08 * (100 * top))) if top == top else 100.0


def tick_names(conditions: pd.DataFrame, width: int = 13) -> list[str]:
    """Name, rate and interval of each condition as a tick label; † marks an interval in which no seeds vary."""
    names = [textwrap.wrap(label(name), width) for name in conditions["condition"]]
    deepest = max(map(len, names), default=1)
    texts = []
    for words, (_, row) in zip(names, conditions.iterrows(), strict=True):
        lines = [*words, *[" "] * (deepest - len(words)), percent(row["rate"])]
        if row["low"] == row["low"]:
            mark = "" if "seeds" in row["interval_covers"] else " †"
            lines.append(f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]{mark}")
        texts.append("\n".join(lines))
    return texts
