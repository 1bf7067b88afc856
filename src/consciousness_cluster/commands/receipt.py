"""What an experiment asked for and paid, per stage and target, from what its jobs wrote down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from ..budget.ledger import FOLDER, Ledger, Line
from ..core.io import Strict, write_text
from .text_tables import as_csv, as_text, write_json


class Receipt(Strict):
    """What one stage asked for one target, in all runs of the experiment."""

    stage: str = Field(description="the rule")
    target: str = Field(description="what the stage's job makes, as in its path")
    asked: str = Field(description="name of the base or judge")
    model: str = Field(description="its identity in the store, at the latest job")
    requests: int = Field(description="what the latest job needed")
    from_store: int = Field(
        description="of these, what the store had: answers of earlier runs or other experiments, or to a like request"
    )
    answers: int = Field(description="received, in all runs")
    batch_answers: int = Field(description="of these, through a batch API")
    input_tokens: int = Field(description="of the prompts of these answers")
    cached_tokens: int = Field(description="of the input tokens, those that the provider had cached")
    output_tokens: int = Field(description="of these answers")
    estimated_answers: int = Field(
        description="answers whose tokens the provider did not count: they are estimated, and so is what they cost"
    )
    training_tokens: int = Field(description="sold by a fine-tuning service, all epochs")
    usd: float | None = Field(description="what that cost; empty where the price of a model is not known")
    usd_lost_at_most: float = Field(
        description="what calls can have cost whose answer never arrived, because the connection broke or the job was"
        " killed: an upper bound"
    )


def receipts(ledger: Ledger) -> list[Receipt]:
    """One receipt per stage, model and target, in the order in which stages first asked."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    place: dict[str, tuple[str, str, str]] = {}
    ledger.refresh()
    for line in ledger.lines:
        if line.stage:
            place[line.job] = (line.stage, line.asked, line.target)
        if line.job in place:
            groups.setdefault(place[line.job], []).append(line)
    stages = list(dict.fromkeys(stage for stage, _, _ in groups))
    return [_receipt(*key, groups[key]) for key in sorted(groups, key=lambda key: (stages.index(key[0]), key))]


def _receipt(stage: str, asked: str, target: str, lines: list[Line]) -> Receipt:
    jobs = [line for line in lines if line.stage]
    latest = [line for line in jobs if line.job == jobs[-1].job and line.kind == "job"]
    received = [line for line in lines if line.kind == "answers"]
    trained = [line for line in lines if line.kind == "training"]
    batches = {line.job for line in jobs if line.batch}
    paid = [line.usd for line in received + trained]
    return Receipt(
        stage=stage,
        target=target,
        asked=asked,
        model=jobs[-1].model,
        requests=sum(line.requests for line in latest),
        from_store=sum(line.stored for line in latest),
        answers=sum(line.requests for line in received),
        batch_answers=sum(line.requests for line in received if line.job in batches),
        input_tokens=sum(line.input_tokens for line in received),
        cached_tokens=sum(line.cached_tokens for line in received),
        output_tokens=sum(line.output_tokens for line in received),
        estimated_answers=sum(line.estimated for line in received),
        training_tokens=sum(line.input_tokens for line in trained),
        usd=None if None in paid else round(sum(usd or 0.0 for usd in paid), 6),
        usd_lost_at_most=round(sum(line.usd or 0.0 for line in lines if line.kind in ("lost", "broken")), 6),
    )


def write_receipt(experiment: str, results: str, folder: str = FOLDER) -> str:
    """Write ``<results>/receipt.csv`` and ``.json``, and return it as text, with a last line that sums up."""
    ledger = Ledger(folder, experiment)
    ledger.catch_up()
    rows = receipts(ledger)
    write_text(Path(results) / "receipt.csv", as_csv(Receipt, rows))
    write_json(Path(results) / "receipt.json", experiment, [row.model_dump() for row in rows], sums(rows))
    columns = ("stage", "target", "asked", "requests", "from_store", "answers", "input_tokens", "output_tokens", "usd")
    table = as_text(columns, [[getattr(row, column) for column in columns] for row in rows])
    return f"{table}\n\n{total(rows)} ({results}/receipt.csv)"


def print_receipt(experiment: str, results: str) -> None:
    """Print what `write_receipt` returns."""
    print(write_receipt(experiment, results))


def sums(rows: list[Receipt]) -> dict[str, Any]:
    """What was paid in all: USD of what has a known price, and whose price is not known."""
    counted = ("answers", "batch_answers", "input_tokens", "cached_tokens", "output_tokens", "estimated_answers")
    counted += ("training_tokens",)
    return {
        "usd": round(sum(row.usd or 0.0 for row in rows), 6),
        "usd_lost_at_most": round(sum(row.usd_lost_at_most for row in rows), 6),
        "unknown_prices": sorted({row.asked for row in rows if row.usd is None}),
        **{column: sum(getattr(row, column) for row in rows) for column in counted},
    }


def total(rows: list[Receipt]) -> str:
    """One line on what was paid in all."""
    paid = sums(rows)
    lost, unknown, tokens = (
        paid["usd_lost_at_most"],
        paid["unknown_prices"],
        paid["input_tokens"] + paid["output_tokens"],
    )
    return (
        f"{paid['usd']:,.4f} USD for {paid['answers']:,} answers of {tokens:,} tokens in all runs"
        + f", and at most {lost:,.4f} for calls whose answer never arrived" * (lost > 0)
        + f"; the tokens of {paid['estimated_answers']:,} answers are estimated" * (paid["estimated_answers"] > 0)
        + f"; the price of {', '.join(unknown)} is not known" * bool(unknown)
    )
