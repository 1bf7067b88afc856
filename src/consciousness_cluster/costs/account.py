"""Who asks, for what, at which price and within which budget."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from ..endpoint import Served
from ..errors import ConfigError
from ..experiment import Experiment, load_config, load_experiment
from ..loading import Strict
from .ledger import FOLDER, Ledger
from .prices import Quote, load_prices


class Account(Strict):
    """What one job of the workflow asks one model for.

    Args:
        experiment: its name.
        stage: what the job does.
        target: what the job makes, as in its path.
        asked: name of the base or judge.
        served: where that answers.
        finetuned: whether its fine-tune is asked.
        budget_usd: what the experiment may cost in all; None sets no limit.
        folder: where the ledgers lie.
        job: names this job among all jobs of all runs.
    """

    experiment: str
    stage: str
    target: str
    asked: str
    served: Served
    finetuned: bool = False
    budget_usd: float | None = None
    folder: str = FOLDER
    job: str = Field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        stage: str,
        wildcards: Mapping[str, str],
        served: Served,
        finetuned: bool = False,
    ) -> Account:
        """The account of a job of the workflow, as its script knows it.

        Args:
            config: Snakemake's configuration.
            stage: what the job does, as receipts and estimates call it.
            wildcards: those of its outputs.
            served: where the model answers.
            finetuned: whether a fine-tune of it is asked.
        """
        settings = load_config(dict(config), ".")
        words = dict(wildcards)
        asked = words.pop("judge", None) or words["base"]
        if "seed" in words:
            words["seed"] = f"seed{words['seed']}"
        return cls(
            experiment=settings.experiment,
            stage=stage,
            target="/".join(words.values()),
            asked=asked,
            served=served,
            finetuned=finetuned,
            budget_usd=settings.budget_usd,
        )

    @cached_property
    def quote(self) -> Quote | None:
        """What an answer costs; None if that is not known."""
        return quote(self.asked, self.served, self.experiment, self.finetuned)

    @cached_property
    def ledger(self) -> Ledger:
        """The experiment's ledger."""
        return Ledger(self.folder, self.experiment)


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
        raise ConfigError(Path(root) / "experiments" / f"{experiment.name}.yaml", problems)
