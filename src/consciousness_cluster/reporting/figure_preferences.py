"""Figure: every preference under every condition."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .display_names import label
from .marks import draw_rates, draw_seeds, legend_handles, spread
from .style import Look, framed, looks, save, save_table, theme
from .table_rows import MEAN, POINT, WHO, footnote, read_table, split, with_seeds

KEYS = [*WHO, "group", "preference"]
ROW_PER_CONDITION, HEADER = 0.072, 0.26  # inches: of a row for each condition, and of a theme's header
DODGE = 0.74  # of a row
PANEL, ALONE, GAP = 3.6, 5.2, 0.25  # inches: width of a base's panel among others and alone, and between two


def draw_preferences(
    rates: str,
    rates_by_target: str,
    output: str,
    *,
    treatment: str,
    rule: str,
    confidence: float,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Which preferences shift: one panel per base, preferences by theme and sorted by the treatment's rate.

    Args:
        rates: path of `rates.csv`.
        rates_by_target: path of `rates_by_target.csv`.
        output: path of the figure without its ending.
        treatment: condition whose rate in the first base sorts the preferences.
        rule: the declared not_sure rule.
        confidence: the declared confidence level, for the footnote.
        labels: what the battery calls some preferences.
    """
    conditions = read_table(rates, [*KEYS, *POINT], rule)
    conditions = _sorted(conditions, treatment)
    seeds = read_table(rates_by_target, [*KEYS, "seed", "rate"], rule)
    drawn = with_seeds(conditions, seeds, KEYS)
    with theme():
        save(plot(drawn, treatment, rule, confidence, labels), output)
    save_table(drawn, output)


def plot(
    drawn: pd.DataFrame, treatment: str, rule: str, confidence: float, labels: Mapping[str, str] | None = None
) -> Figure:
    """The figure of the rows that `draw_preferences` saves."""
    conditions, seeds = split(drawn)
    bases, look = list(dict.fromkeys(conditions["base"])), looks(conditions["condition"])
    row = max(ROW_PER_CONDITION * len(look) + 0.08, 0.25)
    places, headers, bottom = _places(conditions, HEADER / row)
    title = "Which preferences shift after fine-tuning on consciousness claims?"
    if treatment != "conscious_claiming":
        title = f"Which preferences shift under “{label(treatment)}”?"
    note = footnote(conditions[conditions["preference"] != MEAN], rule, confidence)
    height = row * (bottom + 0.5)
    panel = PANEL if len(bases) > 1 else ALONE
    width = panel * len(bases) + GAP * (len(bases) - 1)
    figure, box = framed((width, height), title, note, legend_handles(look), left=2.0)
    grid = {**box, "wspace": GAP / panel}
    panels = figure.subplots(1, len(bases), sharex=True, sharey=True, squeeze=False, gridspec_kw=grid)[0]
    for axes, base in zip(panels, bases, strict=True):
        _panel(axes, conditions[conditions["base"] == base], seeds[seeds["base"] == base], places, look)
        axes.set_title(label(base))
        axes.set_xlabel("Answers that hold the preference, %")
    names = [f"Mean of all {len(places) - 1}" if name == MEAN else label(name, labels) for name in places]
    panels[0].set_yticks([*headers.values(), *places.values()], [*map(label, headers), *names])
    for text in panels[0].get_yticklabels()[: len(headers)]:
        text.set_weight("bold")
    panels[0].set(xlim=(0, 100), ylim=(bottom, -0.5))
    return figure


def _panel(
    axes: Axes, conditions: pd.DataFrame, seeds: pd.DataFrame, places: dict[str, float], look: dict[str, Look]
) -> None:
    offsets = dict(zip(look, spread(len(look), DODGE), strict=True))
    for place in places.values():
        axes.axhspan(place - 0.46, place + 0.46, color="#f5f5f5", lw=0, zorder=0)
    for name, its in look.items():
        mine, dots = conditions[conditions["condition"] == name], seeds[seeds["condition"] == name]
        if mine.empty:
            continue
        gid = f"{mine['base'].iloc[0]}.{name}"
        at = mine["preference"].map(places) + offsets[name]
        draw_rates(axes, mine, at, its, horizontal=True, size=4.6, gid=gid)
        at = dots["preference"].map(places) + offsets[name]
        draw_seeds(axes, dots["rate"], at, its, horizontal=True, size=3.0, gid=f"{gid}.seeds")
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def _sorted(conditions: pd.DataFrame, treatment: str) -> pd.DataFrame:
    """The mean first, then themes and their preferences by the treatment's rate in the first base, highest first."""
    first = conditions["base"] == conditions["base"].iloc[0]
    by = conditions[first & (conditions["condition"] == treatment)].set_index("preference")["rate"]
    names = conditions[["group", "preference"]].drop_duplicates()
    names = names.assign(rate=names["preference"].map(by).fillna(-1.0), is_mean=names["preference"] == MEAN)
    names["group_rate"] = names.groupby("group")["rate"].transform("mean")
    names = names.sort_values(
        ["is_mean", "group_rate", "group", "rate", "preference"], ascending=[False, False, True, False, True]
    )
    place = {name: n for n, name in enumerate(names["preference"])}
    order = conditions["preference"].map(place).rename("place")
    bases = conditions["base"].map({name: n for n, name in enumerate(dict.fromkeys(conditions["base"]))})
    sorting = pd.DataFrame({"base": bases, "place": order}).sort_values(["base", "place"], kind="stable")
    return conditions.loc[sorting.index].reset_index(drop=True)


def _places(conditions: pd.DataFrame, header: float) -> tuple[dict[str, float], dict[str, float], float]:
    """Positions of the preferences and of the themes' headers from the top, and where the last row ends, in rows."""
    places: dict[str, float] = {}
    headers: dict[str, float] = {}
    at = 0.0
    for group, rows in conditions.groupby("group", sort=False):
        if group != MEAN:
            headers[str(group)] = at - 0.5 + header / 2
            at += header
        for name in dict.fromkeys(rows["preference"]):
            places[name] = at
            at += 1.0
    return places, headers, at - 0.4
