"""Figure: whether training did what it should, and what share of the answers the rates leave out."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..config.battery import MANIPULATION_CHECK
from .display_names import label, percent
from .marks import draw_rates, draw_seeds
from .style import EDGE, Look, framed, looks, save, save_table, theme
from .table_rows import POINT, WHO, footnote, read_table, split, with_seeds

REASONS = {
    "incoherent": ("#4a4a4a", ""),
    "not_sure": ("#a3a3a3", ""),
    "unscored": ("#ffffff", "//////"),
    "no_answer": ("#ffffff", "...."),
}
"""Why an answer is left out, with fill and hatch; greys, because colours stand for conditions."""
PANEL, GAP, ROW, BETWEEN = 2.6, 0.25, 0.3, 0.55  # inches


def draw_manipulation_checks(
    manipulation_checks: str,
    rates_by_target: str,
    counts: str,
    output: str,
    *,
    rule: str,
    confidence: float,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Whether training took hold: rates of the checks per condition, beside what each condition leaves out.

    Args:
        manipulation_checks: path of `manipulation_checks.csv`.
        rates_by_target: path of `rates_by_target.csv`.
        counts: path of `counts.csv`.
        output: path of the figure without its ending.
        rule: the declared not_sure rule.
        confidence: the declared confidence level, for the footnote.
        labels: what the battery calls some checks.
    """
    checks = read_table(manipulation_checks, [*WHO, "preference", *POINT], rule)
    seeds = read_table(rates_by_target, [*WHO, "preference", "seed", "rate"], rule)
    drawn = with_seeds(checks, seeds, [*WHO, "preference"]).rename(columns={"preference": "quantity"})
    left_out = _left_out(read_table(counts, [*WHO, "group", "n_total", *(f"n_{reason}" for reason in REASONS)]))
    drawn = pd.concat([drawn, left_out], ignore_index=True).astype({"seed": "Int64"})
    with theme():
        save(plot(drawn, rule, confidence, labels), output)
    save_table(drawn, output)


def _left_out(counts: pd.DataFrame) -> pd.DataFrame:
    """Share of a condition's answers to preferences that each reason takes; ``n_used`` is the number of answers.

    Missing answers are shown where there are any: only hosted models can have them.
    """
    its = counts[counts["group"] != MANIPULATION_CHECK].groupby(WHO, sort=False)
    sums = its[["n_total", *(f"n_{reason}" for reason in REASONS)]].sum().reset_index()
    shares = [
        sums[WHO].assign(quantity=reason, rate=sums[f"n_{reason}"] / sums["n_total"], n_used=sums["n_total"])
        for reason in REASONS
        if reason != "no_answer" or sums["n_no_answer"].any()
    ]
    return pd.concat(shares, ignore_index=True)


def plot(drawn: pd.DataFrame, rule: str, confidence: float, labels: Mapping[str, str] | None = None) -> Figure:
    """The figure of the rows that `draw_manipulation_checks` saves."""
    bases, look = list(dict.fromkeys(drawn["base"])), looks(drawn["condition"])
    names = [name for name in dict.fromkeys(drawn["quantity"]) if name not in REASONS]
    conditions = {base: list(dict.fromkeys(drawn.loc[drawn["base"] == base, "condition"])) for base in bases}
    heights = [ROW * (len(its) + 0.4) for its in conditions.values()]
    checks = drawn[drawn["quantity"].isin(names) & drawn["seed"].isna()]
    last = "Right: of all answers to preferences, checks not included"
    last += "; not_sure ones stay in the rate." if rule == "false" else "."
    note = footnote(checks, rule, confidence, last=last) if len(checks) else last
    columns = len(names) + 1
    body = (PANEL * columns + GAP * (columns - 1), sum(heights) + BETWEEN * (len(bases) - 1))
    left = 0.4 + max(0.066 * max(map(len, look)), 0.085 * max(map(len, bases)))
    title = "Did training change what the model says it is, and what do the rates leave out?"
    figure, box = framed(body, title, note, _patches(rule, set(drawn["quantity"])), left=left)
    space = {"wspace": GAP / PANEL, "hspace": BETWEEN * len(bases) / sum(heights), "height_ratios": heights}
    grid = figure.subplots(len(bases), columns, sharex="col", squeeze=False, gridspec_kw={**box, **space})
    for line, base in zip(grid, bases, strict=True):
        of_base, its = drawn[drawn["base"] == base], conditions[base]
        for axes, name in zip(line, names, strict=False):
            _check(axes, of_base[of_base["quantity"] == name], its, look)
            axes.set_title(label(name, labels), weight="normal")
            axes.set_xlim(0, 100)
        _stack(line[-1], of_base[of_base["quantity"].isin(REASONS)], its)
        line[-1].set_title("Left out of the rates" if rule == "excluded" else "Not used as judged", weight="normal")
        most = 100 * drawn[drawn["quantity"].isin(REASONS)].groupby(WHO)["rate"].sum().max()
        line[-1].set_xlim(0, max(5.0, 1.35 * most))
        for axes in line:
            axes.set(ylim=(len(its) - 0.3, -0.7))
            axes.set_yticks(range(len(its)), [label(n) for n in its] if axes is line[0] else [])
            axes.grid(False, axis="y")
            axes.tick_params(axis="y", length=0, pad=6)
        line[0].annotate(
            *(label(base), (0, 1)),
            xycoords="axes fraction",
            xytext=(-72 * (left - EDGE), 6),
            textcoords="offset points",
            weight="bold",
            size=9,
        )
    for axes in grid[-1]:
        axes.set_xlabel("Share of answers, %")
    return figure


def _check(axes: Axes, drawn: pd.DataFrame, conditions: list[str], look: dict[str, Look]) -> None:
    whole, seeds = split(drawn)
    for place, name in enumerate(conditions):
        mine, dots = whole[whole["condition"] == name], seeds.loc[seeds["condition"] == name, "rate"]
        if mine.empty:
            continue
        gid = f"{mine['base'].iloc[0]}.{mine['quantity'].iloc[0]}.{name}"
        draw_rates(axes, mine, [place], look[name], horizontal=True, size=6, gid=gid)
        draw_seeds(axes, dots, [place] * len(dots), look[name], horizontal=True, size=3.8, gid=f"{gid}.seeds")


def _stack(axes: Axes, drawn: pd.DataFrame, conditions: list[str]) -> None:
    shares = drawn.pivot(index="condition", columns="quantity", values="rate").reindex(conditions)
    start = pd.Series(0.0, index=shares.index)
    for reason, (color, hatch) in REASONS.items():
        if reason not in shares:
            continue
        width = 100 * shares[reason]
        axes.barh(
            *(range(len(conditions)), width.fillna(0)),
            left=start,
            height=0.56,
            facecolor=color,
            hatch=hatch,
            edgecolor="#4a4a4a",
            linewidth=0.6,
            zorder=3,
            label=reason,
        )
        start = start + width.fillna(0)
    for place, (total, share) in enumerate(zip(start, shares.sum(axis=1, min_count=1), strict=True)):
        axes.annotate(percent(share), (total, place), xytext=(4, 0), textcoords="offset points", va="center", zorder=4)


def _patches(rule: str, shown: set[str]) -> list[Patch]:
    words = {
        "incoherent": "Incoherent",
        "not_sure": "Judge not sure",
        "unscored": "Judge’s reply unreadable",
        "no_answer": "No answer from the provider",
    }
    if rule == "false":
        words["not_sure"] += " (stays in the rate)"
    return [
        Patch(facecolor=color, hatch=hatch, edgecolor="#4a4a4a", lw=0.6, label=words[reason])
        for reason, (color, hatch) in REASONS.items()
        if reason in shown
    ]
