"""Figure: every target and every preference as a table of colours with their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import offset_copy

from ..config.battery import MANIPULATION_CHECK
from .display_names import RULES, label
from .style import FAINT, INK, framed, save, save_table, theme
from .table_rows import MEAN, read_table

Name = TypeVar("Name")
WHO = ["base", "condition", "seed"]
COLUMNS = [*WHO, "group", "preference", "rate", "n_prompts", "n_samples", "n_used"]
CELL, ROW = 0.37, 0.235  # inches


def draw_targets(rates_by_target: str, output: str, *, rule: str, labels: Mapping[str, str] | None = None) -> None:
    """What each target holds: a heat map of targets x preferences with every rate in percent.

    Args:
        rates_by_target: path of `rates_by_target.csv`.
        output: path of the figure without its ending.
        rule: the declared not_sure rule.
        labels: what the battery calls some preferences.
    """
    drawn = read_table(rates_by_target, COLUMNS, rule)
    with theme():
        save(plot(drawn, rule, labels), output)
    save_table(drawn, output)


def plot(drawn: pd.DataFrame, rule: str, labels: Mapping[str, str] | None = None) -> Figure:
    """The figure of the rows that `draw_targets` saves."""
    columns = _columns(drawn)
    names = [label(name, labels) for name in columns["preference"]]
    grid = drawn.pivot(index=WHO, columns="preference", values="rate")
    targets = list(drawn[WHO].drop_duplicates().itertuples(index=False, name=None))
    grid = grid.reindex(index=pd.MultiIndex.from_tuples(targets, names=WHO), columns=list(columns["preference"]))
    used = drawn.loc[drawn["group"] != MEAN]
    note = (
        f"Numbers: share of used answers that hold the preference, in %, from up to {used['n_prompts'].max()} prompts "
        f"× {used['n_samples'].max()} samples each. Seed 0: nothing is trained. Hatched: no answer could be used. "
        "“Mean” weighs preferences equally and leaves manipulation checks out. Intervals stand in the other figures. "
        f"Answers judged not_sure are {RULES[rule]} (rule “{rule}”)."
    )
    figure, box = framed(
        (CELL * grid.shape[1], ROW * grid.shape[0]),
        "What does each model hold, seed by seed?",
        note,
        left=(_reach(targets) + 25) / 72,
        right=0.95,
        above=0.4,
        below=0.2 + 0.053 * max(map(len, names)),
    )
    axes = figure.subplots(gridspec_kw=box)
    axes.set_facecolor("#efefef")
    axes.patch.set(hatch="////", edgecolor="#bdbdbd")
    values = 100 * grid.to_numpy(float)
    seaborn.heatmap(
        *(values,),
        ax=axes,
        mask=np.isnan(values),
        vmin=0,
        vmax=100,
        cmap="mako_r",
        annot=True,
        fmt=".0f",
        annot_kws={"size": 7.5},
        linewidths=0.4,
        linecolor="white",
        cbar=False,
        xticklabels=names,
        yticklabels=[str(seed) for _, _, seed in targets],
    )
    axes.set_gid("rates")
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    axes.set_xticks(axes.get_xticks(), _texts(axes.get_xticklabels()), rotation=50, ha="right", rotation_mode="anchor")
    axes.set_yticks(axes.get_yticks(), _texts(axes.get_yticklabels()), rotation=0)
    _head_columns(axes, list(columns["group"]))
    _head_rows(axes, targets)
    _colorbar(figure, axes, box)
    return figure


def _columns(drawn: pd.DataFrame) -> pd.DataFrame:
    """The mean first, then preferences by theme, manipulation checks last."""
    columns = drawn[["group", "preference"]].drop_duplicates()
    rank = columns["group"].map({MEAN: 0, MANIPULATION_CHECK: 2}).fillna(1)
    return columns.assign(rank=rank).sort_values(["rank", "group", "preference"])


def _texts(labels: Iterable[Text]) -> list[str]:
    return [each.get_text() for each in labels]


def _runs(names: Sequence[Name]) -> Iterator[tuple[Name, int, int]]:
    """Each stretch of equal names: the name, its first place and the one after its last."""
    start = 0
    for end in range(1, len(names) + 1):
        if end == len(names) or names[end] != names[start]:
            yield names[start], start, end
            start = end


def _head_columns(axes: Axes, groups: list[str]) -> None:
    over = axes.get_xaxis_transform()
    for group, start, end in _runs(groups):
        if start:
            axes.axvline(start, color="white", lw=4)
        if group == MEAN:
            continue
        axes.plot([start + 0.12, end - 0.12], [1.012, 1.012], transform=over, color=FAINT, lw=1, clip_on=False)
        text = "Checks" if group == MANIPULATION_CHECK else label(str(group))
        axes.annotate(
            *(text, ((start + end) / 2, 1.012)),
            xycoords=over,
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            weight="bold",
            color=INK,
        )


def _reach(targets: list[tuple[str, str, int]]) -> float:
    """Points from the cells to the left end of the longest condition."""
    return 32 + 5.0 * max(len(condition) for _, condition, _ in targets)


def _head_rows(axes: Axes, targets: list[tuple[str, str, int]]) -> None:
    beside = axes.get_yaxis_transform()
    for (_, condition), start, end in _runs([target[:2] for target in targets]):
        axes.axhline(end, color="white", lw=2.5)
        axes.annotate(
            *(label(str(condition)), (0, (start + end) / 2)),
            xycoords=beside,
            xytext=(-24, 0),
            textcoords="offset points",
            ha="right",
            va="center",
        )
    for base, start, end in _runs([target[0] for target in targets]):
        axes.axhline(end, color="white", lw=7)
        axes.annotate(
            *(label(str(base)), (0, (start + end) / 2)),
            xycoords=beside,
            xytext=(-_reach(targets) - 10, 0),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="center",
            weight="bold",
        )
        axes.plot(
            *([0, 0], [start + 0.12, end - 0.12]),
            transform=offset_copy(beside, axes.get_figure(root=True), x=-_reach(targets), units="points"),
            color=FAINT,
            lw=1,
            clip_on=False,
        )
    axes.annotate(
        "Seed", (0, 0), xycoords=beside, xytext=(-3, 4), textcoords="offset points", ha="right", size=7.5, color=FAINT
    )


def _colorbar(figure: Figure, axes: Axes, box: dict[str, float]) -> None:
    height = min(0.5 * (box["top"] - box["bottom"]), 2.2 / figure.get_figheight())
    width = 0.12 / figure.get_figwidth()
    place = figure.add_axes((box["right"] + width, box["top"] - height, width, height))
    bar = figure.colorbar(axes.collections[0], cax=place, ticks=[0, 25, 50, 75, 100])
    bar.outline.set_visible(False)
    place.set_ylabel("Answers that hold it, %")
    place.tick_params(length=0)
