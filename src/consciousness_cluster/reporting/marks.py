"""How a rate with its interval and its seeds looks in every figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .labels import label
from .style import Look

DOTTED = (0, (1.0, 1.0))


def draw_rates(
    axes: Axes,
    conditions: pd.DataFrame,
    positions: Sequence[float],
    look: Look,
    *,
    horizontal: bool = False,
    size: float = 5.5,
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
        gid: names the markers in the SVG; hollow ones get ``<gid>.hollow``.
    """
    at = np.asarray(positions, dtype=float)
    rate, low, high = (100 * conditions[name].to_numpy(float) for name in ("rate", "low", "high"))
    seeds_vary = conditions["interval_covers"].astype(str).str.contains("seeds").to_numpy()
    hollow = conditions["hollow"].astype(bool).to_numpy()
    lines = axes.hlines if horizontal else axes.vlines
    for chosen, style in [(seeds_vary, "solid"), (~seeds_vary, DOTTED)]:
        chosen = chosen & np.isfinite(low) & np.isfinite(high)
        if chosen.any():
            lines(at[chosen], low[chosen], high[chosen], colors=look.color, lw=1.2, linestyles=[style], zorder=3)
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
    rates: Sequence[float],
    positions: Sequence[float],
    look: Look,
    *,
    horizontal: bool = False,
    size: float = 3.2,
    gid: str | None = None,
) -> None:
    """Draw every seed's rate (0-1) as a small point."""
    at, rate = np.asarray(positions, dtype=float), 100 * np.asarray(rates, dtype=float)
    x, y = (rate, at) if horizontal else (at, rate)
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
        gid=gid,
    )


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
