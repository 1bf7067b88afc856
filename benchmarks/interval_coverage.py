"""Coverage, width and power of the intervals by simulation, beside those that they replaced.

``nice python benchmarks/interval_coverage.py`` prints the table; with ``--write`` it also writes docs/coverage.csv and
the table in docs/statistics.md. Five minutes of one core.

Simulated: three fine-tunes per arm, the prompts of a battery shared by both arms, 5 answers per prompt. On the logit a
prompt varies with SD 1, a prompt within an arm .5, a prompt within a fine-tune .3, and a fine-tune with the SD of the
table. "outliers": each fine-tune has a chance of 1 in 20 to lie 4 logits higher. The truth is the rate of all prompts
and fine-tunes like these.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special, stats

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from unit.aggregation.simulated import (  # noqa: E402
    ARM_PROMPT_SD,
    NODES,
    PROMPT_SD,
    SEED_PROMPT_SD,
    WEIGHTS,
    arms_at,
    level_of,
)

from consciousness_cluster.aggregation.cells import Cells  # noqa: E402
from consciousness_cluster.aggregation.contrasts import contrast  # noqa: E402
from consciousness_cluster.aggregation.crossed import crossed  # noqa: E402
from consciousness_cluster.aggregation.intervals import jeffreys, rate_interval  # noqa: E402
from consciousness_cluster.core.io import write_text  # noqa: E402

Ends = tuple[float, float]
PAGE, TABLE = ROOT / "docs" / "statistics.md", ROOT / "docs" / "coverage.csv"
BEGIN, END = "<!--coverage-->", "<!--/coverage-->"
COLUMNS = ["what", "preferences", "truth", "seed_sd", "method", "coverage", "width", "excludes_zero", "runs"]
HEADS = ["what", "preferences", "truth, %", "SD of fine-tunes", "interval", "covers", "width, points", "excludes 0"]
FLOOR_ICC = 0.1
DRAWS = 200


@dataclass(frozen=True)
class Design:
    """What is simulated: true rates (one: a rate, two: a difference), number of preferences, SD of fine-tunes."""

    rates: tuple[float, ...]
    n_preferences: int
    seed_sd: float
    outliers: float = 0.0
    bootstrap: bool = False


DESIGNS = [
    *(Design((0.015,), 21, sd, bootstrap=True) for sd in (0.0, 0.6, 1.2)),
    Design((0.015,), 21, 0.3, outliers=0.05),
    *(Design((0.066,), 21, sd, bootstrap=True) for sd in (0.6,)),
    *(Design((0.4,), 21, sd, bootstrap=True) for sd in (0.6,)),
    *(Design((rate,), 1, 0.6) for rate in (0.015, 0.066, 0.4)),
    *(Design((0.066, 0.015), 21, sd) for sd in (0.0, 0.3, 0.6)),
    *(Design((0.015, 0.015), 21, sd) for sd in (0.0, 0.6)),
    *(Design((0.4, 0.015), 21, sd) for sd in (0.6,)),
    *(Design((0.13, 0.13), 21, sd) for sd in (0.0, 0.6)),
    *(Design(rates, 1, 0.6) for rates in ((0.066, 0.015), (0.4, 0.1), (0.4, 0.4))),
]


def floored_rate(cells: Cells, confidence: float = 0.95) -> Ends:
    """What stood here before: crossed t interval; with less than one effective answer of a kind, a Jeffreys interval.

    Effective answers at an intraclass correlation of .1, whatever the data say.
    """
    result = crossed([cells])
    half = stats.t.ppf((1 + confidence) / 2, result.df) * result.variance**0.5
    low, high, size = result.estimate - half, result.estimate + half, _assumed_size(cells)
    if size * min(result.estimate, 1 - result.estimate) < 1:
        floor = jeffreys(result.estimate, size, confidence)
        low, high = min(low, floor[0]), max(high, floor[1])
    return max(low, 0.0), min(high, 1.0)


def floored_difference(first: Cells, second: Cells, confidence: float = 0.95) -> Ends:
    """What stood here before: crossed t interval, near an edge at least as long as both arms' own, on both sides."""
    result = crossed([first, second])
    half = stats.t.ppf((1 + confidence) / 2, result.df) * result.variance**0.5
    rates = [crossed([cells]).estimate for cells in (first, second)]
    sizes = map(_assumed_size, (first, second))
    if any(size * min(rate, 1 - rate) < 1 for size, rate in zip(sizes, rates, strict=True)):
        ends = [floored_rate(cells, confidence) for cells in (first, second)]
        down = np.hypot(rates[0] - ends[0][0], ends[1][1] - rates[1])
        half = max(half, down, np.hypot(ends[0][1] - rates[0], rates[1] - ends[1][0]))
    return result.estimate - half, result.estimate + half


def _assumed_size(cells: Cells) -> float:
    total = float(cells.used.sum())
    return total / (1 + max(total / len(cells.seeds) - 1, 0.0) * FLOOR_ICC)


def bootstrap_rate(cells: Cells, rng: np.random.Generator) -> Ends:
    """Percentiles of a bootstrap over seeds, prompts within their preference, and answers; all cells are full."""
    codes, names = cells.codes
    rows, size = len(cells.seeds), int(cells.used[0, 0])
    seeds = rng.integers(rows, size=(DRAWS, rows))
    prompts = np.empty((DRAWS, len(codes)), dtype=np.intp)
    for stratum in range(len(names)):
        columns = np.flatnonzero(codes == stratum)
        prompts[:, columns] = columns[rng.integers(len(columns), size=(DRAWS, len(columns)))]
    chance = cells.rates[seeds[:, :, None], prompts[:, None, :]]
    low, high = np.quantile((rng.binomial(size, chance) / size).mean(axis=(1, 2)), [0.025, 0.975])
    return float(low), float(high)


def simulate(design: Design, runs: int, seed: int = 0) -> list[list[str]]:
    """Rows of the table for one design."""
    rng = np.random.default_rng([seed, *np.frombuffer(repr(design).encode(), np.uint8)])
    found: dict[str, list[Ends]] = {}
    extra = 0.0
    if design.outliers:
        extra = outlier_share(design) - design.rates[0]
    for run in range(runs):
        arms = arms_at(rng, design.rates, design.seed_sd, design.n_preferences, outliers=design.outliers)
        if len(arms) == 1:
            interval = rate_interval(arms[0])
            found.setdefault("Korn–Graubard", []).append((interval.low, interval.high))
            found.setdefault("t with a floor (before)", []).append(floored_rate(arms[0]))
            if design.bootstrap and run < runs // 2:
                found.setdefault("bootstrap (before)", []).append(bootstrap_rate(arms[0], rng))
        else:
            interval = contrast(*arms).interval
            found.setdefault("t, near an edge MOVER", []).append((interval.low, interval.high))
            found.setdefault("t with a floor (before)", []).append(floored_difference(*arms))
    truth = design.rates[0] + extra - (design.rates[1] if len(design.rates) == 2 else 0.0)
    return [_row(design, method, np.array(ends), truth) for method, ends in found.items()]


def outlier_share(design: Design) -> float:
    """The true rate where some fine-tunes are outliers."""
    spread = (design.seed_sd**2 + PROMPT_SD**2 + ARM_PROMPT_SD**2 + SEED_PROMPT_SD**2) ** 0.5
    high = float(special.expit(level_of(design.rates[0], spread) + 4.0 + spread * NODES) @ WEIGHTS)
    return (1 - design.outliers) * design.rates[0] + design.outliers * high


def _row(design: Design, method: str, ends: np.ndarray, truth: float) -> list[str]:
    covered = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()
    difference = len(design.rates) == 2
    excludes = ((ends[:, 0] > 0) | (ends[:, 1] < 0)).mean() if difference else np.nan
    return [
        "difference" if difference else "rate",
        str(design.n_preferences),
        " − ".join(f"{100 * rate:g}" for rate in design.rates),
        f"{design.seed_sd:g}" + (", outliers" if design.outliers else ""),
        method,
        f"{covered:.3f}",
        f"{100 * (ends[:, 1] - ends[:, 0]).mean():.1f}",
        "" if np.isnan(excludes) else f"{excludes:.2f}",
        str(len(ends)),
    ]


def as_markdown(rows: list[dict[str, str]]) -> str:
    """The table of the page, from the rows of docs/coverage.csv."""
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    lines += ["| " + " | ".join(row[column] for column in COLUMNS[:-1]) + " |" for row in rows]
    return "\n".join(lines)


def filled(page: str, rows: list[dict[str, str]]) -> str:
    """The page with the table written anew between its marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{as_markdown(rows)}\n{END}{rest.split(END)[1]}"


def read_rows() -> list[dict[str, str]]:
    """The rows of docs/coverage.csv."""
    with open(TABLE, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Simulate, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--write", action="store_true", help="write docs/coverage.csv and the table of the page")
    arguments = parser.parse_args()
    rows = []
    for design in DESIGNS:
        for row in simulate(design, arguments.runs):
            rows.append(dict(zip(COLUMNS, row, strict=True)))
            print(" ".join(row), flush=True)
    if arguments.write:
        lines = [
            ",".join(COLUMNS),
            *(",".join(f'"{cell}"' if "," in cell else cell for cell in row.values()) for row in rows),
        ]
        write_text(TABLE, "\n".join(lines) + "\n")
        write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), rows))


if __name__ == "__main__":
    main()
