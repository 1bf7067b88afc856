"""Refusing a budget where a price is not known."""

from __future__ import annotations

from pathlib import Path

from ..config.experiment import Experiment
from ..config.model_config import Served
from ..core.yaml_reader import mistakes_in
from .prices import load_prices


def unknown_price(asked: str, served: Served, budget: float) -> str:
    """Say that a model without a price is not asked while there is a budget."""
    return (
        f"budget_usd: {budget:g} USD, but the price of {served.model!r} ({asked}) is not known: add it to "
        "reference/prices.yaml, or give it as `api: {price: {input: ..., output: ..., "
        "finetuned: {training: ..., input: ..., output: ...}}}` (USD per million tokens; finetuned if it is trained)"
    )


def check_prices(experiment: Experiment, budget: float | None, root: str | Path) -> None:
    """Refuse a budget where some model's price is not known, before anything is spent.

    Raises:
        ConfigError: which models, and where a price can be given.
    """
    if budget is None:
        return
    table = load_prices(root)
    models = [(f"bases.{name}", base, False) for name, base in experiment.bases.items()]
    models += [
        (f"bases.{name}, fine-tuned", base, True)
        for name, base in experiment.bases.items()
        if any(target.trained and target.base == name for target in experiment.targets.values())
    ]
    models += [
        (f"judges.{name}", judge, False) for name, judge in experiment.judges.items() if isinstance(judge, Served)
    ]
    problems = [
        unknown_price(name, served, budget) for name, served, tuned in models if table.quote(served, tuned) is None
    ]
    if problems:
        raise mistakes_in(Path(root) / "experiments" / f"{experiment.name}.yaml", problems)
