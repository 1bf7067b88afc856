"""Reading the aggregation's tables for a figure, and the footnote that says what the rows stand for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..core.errors import DataError
from .display_names import RULES, label

MEAN = "mean"
WHO = ["base", "condition"]
POINT = ["rate", "low", "high", "interval_covers", "hollow", "n_seeds", "n_prompts", "n_samples", "n_used"]
WITHOUT = ["without_a_seed_low", "without_a_seed_high"]
FEW_SEEDS = 5
"""An outlier of one fine-tune in ten is absent from so many in six cases of ten."""
_WORDS = ["base", "condition", "group", "preference", "rule", "interval_covers"]


def read_table(path: str | Path, columns: Sequence[str], rule: str | None = None, only: str = "") -> pd.DataFrame:
    """Read ``columns`` of a table: the rows under one ``not_sure`` rule, and of one preference if ``only`` names it.

    Raises:
        DataError: no such file, a column is missing, or no row is under ``rule``.
    """
    try:
        # only an empty cell is missing: a condition may be called "null"
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(_WORDS, str))
    except (FileNotFoundError, pd.errors.EmptyDataError):
        raise DataError(f"{path}: no table there, expected a CSV with columns {', '.join(columns)}") from None
    wanted = [*columns, *(["rule"] if rule else [])]
    missing = [column for column in wanted if column not in table.columns]
    if missing:
        raise DataError(f"{path}: missing column {', '.join(missing)}")
    if rule and len(table):
        there = table["rule"].unique()
        table = table[table["rule"] == rule]
        if table.empty:
            raise DataError(f"{path}: rule: found {', '.join(map(str, there))}, expected {rule!r}")
    if only and "preference" in table.columns:
        table = table[table["preference"] == only]
    return table[wanted].reset_index(drop=True)


def read_means(rates: str | Path, rates_by_target: str | Path, rule: str, more: Sequence[str] = ()) -> pd.DataFrame:
    """Means over preferences of every condition, then of its seeds.

    Args:
        rates: path of `headline.csv`, or of `rates.csv`, which holds the same means.
        rates_by_target: path of `rates_by_target.csv`.
        rule: the not_sure rule.
        more: columns of the conditions that are read besides.
    """
    conditions = read_table(rates, [*WHO, *POINT, *more], rule, only=MEAN)
    seeds = read_table(rates_by_target, [*WHO, "seed", "rate"], rule, only=MEAN)
    return with_seeds(conditions, seeds, WHO)


def with_seeds(conditions: pd.DataFrame, by_target: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Rows of conditions (``seed`` empty), then a row per seed of those that several seeds trained.

    Args:
        conditions: rates with their intervals.
        by_target: rates per seed; of these, only what ``conditions`` has is kept.
        keys: columns that name a rate in both.
    """
    several = conditions.loc[conditions["n_seeds"] > 1, list(keys)]
    seeds = several.merge(by_target, on=list(keys), how="inner", sort=False)
    seeds = seeds.reindex(columns=["seed", *conditions.columns])
    whole = conditions.reindex(columns=["seed", *conditions.columns])
    drawn = pd.concat([whole.astype({"seed": "Int64"}), seeds.astype({"seed": "Int64"})], ignore_index=True)
    columns = [*keys, "seed", *(c for c in conditions.columns if c not in keys)]
    return drawn[columns]


def split(drawn: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`with_seeds` back into conditions and seeds."""
    return drawn[drawn["seed"].isna()], drawn[drawn["seed"].notna()]


def footnote(
    conditions: pd.DataFrame,
    rule: str,
    confidence: float,
    *,
    first: str = "",
    last: str = "",
    mark: str = "",
    dots: bool = True,
) -> str:
    """What markers, lines and n mean; only what occurs in ``conditions`` is explained.

    Args:
        conditions: the rates that are drawn, without seeds.
        rule: the not_sure rule.
        confidence: of the intervals.
        first: a sentence before; ``last``: one after.
        last: see ``first``.
        mark: sign beside the conditions whose interval covers no seeds.
        dots: whether seeds are drawn.

    Raises:
        DataError: ``rule`` is not one of `RULES`.
    """
    if rule not in RULES:
        raise DataError(f"rule: found {rule!r}, expected one of {', '.join(RULES)}")
    level, covers = f"{100 * confidence:g}\u00a0%", conditions["interval_covers"].astype(str)
    parts = [first] if first else []
    if covers.str.contains("seeds").any():
        parts.append(f"Solid line: {level} interval over training seeds and prompts like these (Korn–Graubard).")
    if (~covers.str.contains("seeds") & (covers != "none")).any():
        parts.append(f"Dotted line{mark}: {level} interval over prompts and samples only; no seeds vary.")
    if dots and (conditions["n_seeds"] > 1).any():
        parts.append("Small dots: training seeds.")
    if "without_a_seed_low" in conditions and conditions["without_a_seed_low"].notna().any():
        parts.append("Pale bar: each seed in turn left out.")
    if (conditions["n_seeds"].between(2, FEW_SEEDS) & covers.str.contains("seeds")).any():
        parts.append("So few seeds cannot exclude rare outliers among fine-tunes.")
    if ((conditions["n_seeds"] == 2) & covers.str.contains("seeds")).any():
        parts.append("With two seeds an interval has about one degree of freedom and is wide.")
    if conditions["hollow"].astype(bool).any():
        parts.append("Hollow marker: a single training seed.")
    if conditions["rate"].isna().any():
        parts.append("No marker: no answer could be used.")
    parts.append(f"n = {sizes(conditions)}.")
    parts.append(f"Answers judged not_sure are {RULES[rule]} (rule “{rule}”).")
    return " ".join([*parts, last]).strip()


def sizes(conditions: pd.DataFrame) -> str:
    """``3 seeds × 10 prompts × 5 samples``, with the conditions that differ named after it."""
    rows = conditions[conditions["n_seeds"] > 0]
    most = rows.groupby("condition", sort=False)[["n_seeds", "n_prompts", "n_samples"]].max()
    if most.empty:
        return "0 samples"
    groups: dict[tuple, list[str]] = {}
    for name, row in most.iterrows():
        groups.setdefault(tuple(row), []).append(str(name))
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    (seeds, prompts, samples), _ = ordered[0]
    text = f"{_count(seeds, 'seed')} × {_count(prompts, 'prompt')} × {_count(samples, 'sample')}"
    others = [
        f"{', '.join(label(name) for name in names)}: {' × '.join(str(int(n)) for n in size)}"
        for size, names in ordered[1:]
    ]
    return f"{text} ({'; '.join(others)})" if others else text


def _count(number: int, what: str) -> str:
    return f"{int(number)} {what}{'' if number == 1 else 's'}"
