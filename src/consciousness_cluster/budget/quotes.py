"""What a served model costs, by the experiment's own declaration of it or by the price table."""

from __future__ import annotations

from pathlib import Path

from ..config.experiment import Experiment
from ..config.model_config import Served
from ..config.project import load_experiment
from ..core.yaml_reader import mistakes_in
from .prices import Quote, load_prices


def quote(asked: str, served: Served, experiment: str, finetuned: bool, root: str | Path = ".") -> Quote | None:
    """The price of a served model, by the experiment's own declaration of it or by the price table.

    A rule's settings hold no price (it would make answers stale), so it is looked up where the experiment declares it.

    Args:
        asked: name of the base or judge.
        served: where that answers.
        experiment: its name.
        finetuned: whether a fine-tune of it is asked.
        root: the project.
    """
    if not served.hosted:
        return load_prices(root).quote(served)
    declared = load_experiment(experiment, root)
    for declaration in (declared.bases.get(asked), declared.judges.get(asked)):  # a judge may be called like a base
        if isinstance(declaration, Served) and declaration.served == served.served:
            served = Served(**declaration.model_dump(include=set(Served.model_fields)))
            break
    return load_prices(root).quote(served, finetuned)


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
