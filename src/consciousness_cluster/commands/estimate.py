"""What a run would ask for and cost, before anything is spent."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from pydantic import Field

from ..budget.prices import PriceTable, load_prices
from ..config.project import load_experiment
from ..core.io import Strict, write_text
from .dry_run import Plan, Step
from .text_tables import as_csv, as_text, write_json


class Estimate(Strict):
    """What one stage would ask for one target."""

    stage: str = Field(description="the rule")
    target: str = Field(description="what the stage's job makes, as in its path")
    asked: str = Field(description="name of the base or judge")
    requests: int = Field(description="answers that the stage needs; of a fine-tune 0")
    from_store: int = Field(description="of these, what the store has: free")
    to_ask: int = Field(description="of these, what it lacks; of a fine-tune 1 where none like it was made before")
    counted: str = Field(
        description="exact; at most: it depends on models or answers that are not there yet, and what is alike is "
        "asked once; at least: an unusable answer is asked for again"
    )
    input_tokens: int = Field(description="expected, of the prompts to ask")
    output_tokens: int = Field(description="expected, of their answers")
    training_tokens: int = Field(description="expected, all epochs")
    lengths: str = Field(description="what the expected tokens come from")
    usd: float | None = Field(description="expected price; empty where it is not known, 0 on an own machine")
    price: str = Field(description="where the price comes from, as of when")


def estimate(experiment: str, root: str | Path = ".") -> list[Estimate]:
    """What is stale now, stage by stage and target by target; nothing is built and nobody is asked."""
    root = Path(root)
    with tempfile.TemporaryDirectory(prefix="estimate-") as scratch:
        steps = Plan(load_experiment(experiment, root), root, Path(scratch)).steps()
    prices = load_prices(root)
    return [_priced(step, prices) for step in steps]


def _priced(step: Step, prices: PriceTable) -> Estimate:
    quote, stub = prices.quote(step.served, step.finetuned), step.stub
    to_ask = stub.asked if stub else step.jobs
    tokens = (stub.input_tokens, stub.output_tokens) if stub else (0.0, 0.0)
    usd: float | None = 0.0
    if to_ask:
        usd = quote and (quote.usd(*tokens) if stub else quote.usd_training(step.training_tokens))
    sources = [source for source, _ in stub.sources.most_common()] if stub else []
    return Estimate(
        stage=step.stage,
        target=step.target,
        asked=step.asked,
        requests=step.receipt.requests if step.receipt else 0,
        from_store=step.receipt.from_store if step.receipt else 0,
        to_ask=to_ask,
        counted=step.counted,
        input_tokens=round(tokens[0]),
        output_tokens=round(tokens[1]),
        training_tokens=round(step.training_tokens),
        lengths="; ".join(sources),
        usd=None if usd is None else round(usd, 6),
        price=quote.origin if quote else "unknown",
    )


SHOWN = (
    "stage",
    "target",
    "asked",
    "to_ask",
    "from_store",
    "counted",
    "input_tokens",
    "output_tokens",
    "training_tokens",
    "usd",
)

TOTALS = ("stage", "to_ask", "from_store", "input_tokens", "output_tokens", "training_tokens", "usd")


def print_estimate(experiment: str, results: str, budget: float | None) -> None:
    """Print the estimate and write it to ``<results>/estimate.csv`` and ``.json``.

    Args:
        experiment: its name; its project is the working folder.
        results: the experiment's results.
        budget: what it may cost in all its runs, USD.
    """
    rows = estimate(experiment)
    write_text(Path(results) / "estimate.csv", as_csv(Estimate, rows))
    spent = None if budget is None else _spent(experiment)
    summed = sums(rows) | {"budget_usd": budget, "spent_usd": spent}
    write_json(Path(results) / "estimate.json", experiment, [row.model_dump() for row in rows], summed)
    stale = [row for row in rows if row.to_ask]
    if stale:
        print(as_text(SHOWN, [[getattr(row, column) for column in SHOWN] for row in stale]) + "\n")
        print(as_text(TOTALS, by_stage(stale)) + "\n")
    print("\n".join(summary(experiment, rows, budget)))
    print(f"({results}/estimate.csv)")


def by_stage(rows: list[Estimate]) -> list[list[str | int | float | None]]:
    """The sums of each stage's rows, in the columns `TOTALS`; the price is None where one is not known."""
    sums: list[list[str | int | float | None]] = []
    for stage in dict.fromkeys(row.stage for row in rows):
        mine = [row for row in rows if row.stage == stage]
        counts = [sum(getattr(row, column) for row in mine) for column in TOTALS[1:-1]]
        unknown = any(row.usd is None for row in mine)
        sums.append([stage, *counts, None if unknown else sum(row.usd or 0.0 for row in mine)])
    return sums


def summary(experiment: str, rows: list[Estimate], budget: float | None) -> list[str]:
    """What the estimate says in all, and what it rests on."""
    stale = [row for row in rows if row.to_ask]
    if not stale:
        return [f"{experiment}: nothing to ask and nothing to train; all answers are in the store"]
    asked = [row for row in stale if row.stage != "finetune"]
    unsure = "" if all(row.counted == "exact" for row in stale) else " (see column counted)"
    lines = [
        f"{experiment}: {sum(row.to_ask for row in asked):,} requests{unsure}, "
        f"{sum(row.to_ask for row in stale if row.stage == 'finetune'):,} fine-tunes, "
        f"{sum(row.from_store for row in rows):,} answers from the store",
        f"expected price: {sum(row.usd or 0.0 for row in stale):,.2f} USD",
    ]
    if unknown := sorted({row.asked for row in stale if row.usd is None}):
        lines[-1] += (
            f" and the unknown price of {', '.join(unknown)}: give it in reference/prices.yaml or as api.price"
            " (of a fine-tune: api.price.finetuned)"
        )
    for column, what in (("price", "prices"), ("lengths", "tokens")):
        origins = sorted({getattr(row, column) for row in stale} - {"", "unknown"})
        lines += [f"{what}: {origin}" for origin in origins]
    if budget is not None:
        lines.append(f"budget: {budget:,.2f} USD, of which {_spent(experiment):,.4f} are spent")
    return lines


def sums(rows: list[Estimate]) -> dict[str, Any]:
    """The totals of what a run would ask for: in all, and by stage; USD of what has a known price."""
    stale = [row for row in rows if row.to_ask]
    return {
        "requests_to_ask": sum(row.to_ask for row in stale if row.stage != "finetune"),
        "fine_tunes": sum(row.to_ask for row in stale if row.stage == "finetune"),
        "from_store": sum(row.from_store for row in rows),
        "exact": all(row.counted == "exact" for row in stale),
        "usd": round(sum(row.usd or 0.0 for row in stale), 6),
        "unknown_prices": sorted({row.asked for row in stale if row.usd is None}),
        "stages": [dict(zip(TOTALS, sums, strict=True)) for sums in by_stage(stale)],
    }


def _spent(experiment: str) -> float:
    from ..budget.ledger import FOLDER, Ledger

    ledger = Ledger(FOLDER, experiment)
    ledger.catch_up()
    return ledger.spent
