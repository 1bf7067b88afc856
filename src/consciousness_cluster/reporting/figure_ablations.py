"""Figure: what the shift depends on, one panel per thing that the ablations vary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from ..config.conditions import VANILLA
from ..core.errors import DataError
from .ablation_axes import AblationFacts
from .display_names import label
from .marks import draw_rates, draw_seeds_aside, tick_names, upper_limit
from .style import FAINT, NOTE_SIZE, Look, framed, looks, save, save_table, theme
from .table_rows import footnote, read_means, split

CURVE, SLOT, GAP, HEIGHT, BETWEEN = 2.5, 1.0, 0.25, 2.9, 1.35  # inches
LOG_FROM = 4.0  # ratio of the largest to the smallest value from which an axis is logarithmic
OTHER, ABLATION_MARKER = "Other changes", "o"
FIRST = "Mean over preferences, each with equal weight."


class Panel(NamedTuple):
    """One thing that is varied of one condition: a curve over numbers, or categories beside each other.

    Attributes:
        title: what is varied.
        parent: the condition of which it is varied.
        positions: condition -> place on the x axis, vanilla included where it has one.
        is_curve: whether places are values of what is varied.
    """

    title: str
    parent: str
    positions: dict[str, float]
    is_curve: bool

    @property
    def width(self) -> float:
        """In inches."""
        return CURVE if self.is_curve else SLOT * len(self.positions)


def draw_ablations(
    rates: str,
    rates_by_target: str,
    output: str,
    *,
    ablations: Sequence[AblationFacts],
    rule: str,
    confidence: float,
    conditions: Sequence[str] = (),
) -> None:
    """What the shift depends on: means over preferences of the ablations, their parents and vanilla.

    Args:
        rates: path of the ablations' `headline.csv` or `rates.csv`.
        rates_by_target: path of the ablations' `rates_by_target.csv`.
        output: path of the figure without its ending.
        ablations: see `ablation_axes.ablation_facts`.
        rule: the declared not_sure rule.
        confidence: the declared confidence level, for the footnote.
        conditions: all conditions of the experiment, so that colours agree with the other figures.

    Raises:
        DataError: there is no ablation to draw.
    """
    if not ablations:
        raise DataError(f"{output}: found no ablation, expected at least one to draw")
    means = read_means(rates, rates_by_target, rule)
    panels = panels_of(ablations)
    drawn = pd.concat([_rows(means, panel) for panel in panels], ignore_index=True)
    look = looks([*conditions, *means["condition"]])
    with theme():
        save(plot(drawn, panels, look, rule, confidence), output)
    save_table(drawn, output)


def panels_of(ablations: Sequence[AblationFacts]) -> list[Panel]:
    """A curve for each number that is varied, its parent's own value on it; then what has no number, side by side."""
    curves: dict[tuple[str, str], dict[str, float]] = {}
    others: dict[str, list[str]] = {}
    for facts in ablations:
        if facts["value"] is None:
            others.setdefault(facts["parent"], []).append(facts["name"])
            continue
        key = (facts["axis"] or label(facts["key"]), facts["parent"])
        values = curves.setdefault(key, {})
        values[facts["name"]] = facts["value"]
        if facts["parent_value"] is not None:
            values[facts["parent"]] = facts["parent_value"]
    titles = [title for title, _ in curves] + [OTHER] * len(others)
    panels = [Panel(title, parent, values, True) for (title, parent), values in curves.items()]
    for parent, names in others.items():
        panels.append(Panel(OTHER, parent, {n: float(at) for at, n in enumerate([VANILLA, parent, *names])}, False))
    return [
        panel._replace(title=f"{panel.title} ({label(panel.parent)})") if titles.count(panel.title) > 1 else panel
        for panel in panels
    ]


def _rows(means: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    shown = means[means["condition"].isin([*panel.positions, panel.parent, VANILLA])]
    added = {"panel": panel.title, "parent": panel.parent, "position": shown["condition"].map(panel.positions)}
    rows = shown.assign(**added)
    return rows[[*added, *means.columns]].sort_values("position", kind="stable")


def plot(drawn: pd.DataFrame, panels: Sequence[Panel], look: dict[str, Look], rule: str, confidence: float) -> Figure:
    """The figure of the rows that `draw_ablations` saves."""
    whole, _ = split(drawn)
    bases = list(dict.fromkeys(whole["base"]))
    note = footnote(whole, rule, confidence, first=FIRST, mark=" and †")
    widths = [panel.width for panel in panels]
    body = (sum(widths) + GAP * (len(panels) - 1), HEIGHT * len(bases) + BETWEEN * (len(bases) - 1))
    handles = _handles({panel.parent: look[panel.parent] for panel in panels}, look[VANILLA])
    figure, box = framed(body, "What does the shift depend on?", note, handles, below=0.95)
    space = {"wspace": GAP * len(panels) / sum(widths), "hspace": BETWEEN / HEIGHT, "width_ratios": widths}
    grid = figure.subplots(len(bases), len(panels), sharey=True, squeeze=False, gridspec_kw={**box, **space})
    for line, base in zip(grid, bases, strict=True):
        for axes, panel in zip(line, panels, strict=True):
            _panel(axes, drawn[(drawn["base"] == base) & (drawn["panel"] == panel.title)], panel, look)
            axes.set_title(panel.title if len(bases) == 1 else f"{label(base)}: {panel.title}")
        line[0].set_ylabel("Answers that hold a preference, %")
    grid[0][0].set_ylim(0, upper_limit(whole))
    return figure


def _panel(axes: Axes, drawn: pd.DataFrame, panel: Panel, look: dict[str, Look]) -> None:
    whole, seeds = split(drawn)
    vanilla = whole[whole["condition"] == VANILLA]
    for _, row in vanilla[vanilla["rate"].notna()].iterrows():
        axes.axhline(100 * row["rate"], color=look[VANILLA].color, lw=1.2, zorder=2, gid=f"{row['base']}.{VANILLA}")
        axes.axhspan(100 * row["low"], 100 * row["high"], color=look[VANILLA].color, alpha=0.15, lw=0, zorder=1)
    placed = whole[whole["position"].notna()]
    its = look[panel.parent]
    if panel.is_curve:
        axes.plot(placed["position"], 100 * placed["rate"], color=its.color, lw=1, alpha=0.5, zorder=2.5)
        _values(axes, sorted(set(placed["position"])))
    else:
        axes.set_xticks(placed["position"], tick_names(placed))
        axes.set_xlim(-0.5, len(panel.positions) - 0.5)
    for _, row in placed.iterrows():
        name, at = row["condition"], row["position"]
        one = {VANILLA: look[VANILLA], panel.parent: its}.get(name, its._replace(marker=ABLATION_MARKER))
        gid = f"{row['base']}.{panel.title}.{name}"
        draw_rates(axes, row.to_frame().T, [at], one, size=6.5, gid=gid)
        dots = seeds.loc[seeds["condition"] == name, "rate"]
        draw_seeds_aside(axes, dots, at, one, gid=gid)
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=3 if panel.is_curve else 0)


def _values(axes: Axes, values: list[float]) -> None:
    """An axis with a tick at every value that was tried, logarithmic where the values span much."""
    if values and values[0] > 0 and values[-1] / values[0] >= LOG_FROM:
        axes.set_xscale("log")
        room = (values[-1] / values[0]) ** 0.12
        axes.set_xlim(values[0] / room, values[-1] * room)
        axes.set_xlabel("Logarithmic scale", color=FAINT, size=NOTE_SIZE)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.tick_params(axis="x", bottom=True)


def _handles(parents: dict[str, Look], vanilla: Look) -> list[Artist]:
    handles: list[Artist] = []
    for name, its in parents.items():
        common = {"color": its.color, "lw": 1.2, "markeredgecolor": "white", "markeredgewidth": 0.6, "markersize": 6}
        handles.append(Line2D([], [], marker=its.marker, label=label(name), **common))
        of = f" of {label(name)}" if len(parents) > 1 else ""
        handles.append(Line2D([], [], marker=ABLATION_MARKER, label=f"Ablation{of}", **common))
    handles.append(Line2D([], [], color=vanilla.color, lw=1.2, label=label(VANILLA)))
    handles.append(Patch(color=vanilla.color, alpha=0.15, lw=0, label="Vanilla’s interval"))
    return handles
