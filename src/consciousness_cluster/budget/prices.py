"""The dated price table, and what an answer of one model costs."""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, RootModel

from ..config.model_config import Price, Rates, Served
from ..core.io import Strict, load_yaml

FILE = "reference/prices.yaml"
MILLION = 1_000_000


def _date(value: Any) -> Any:
    return date.fromisoformat(value) if isinstance(value, str) else value  # a text in YAML 1.2


class Entry(Price):
    """What some models of one provider cost, since when, and who says so."""

    ids: list[str] = Field(min_length=1)
    as_of: Annotated[date, BeforeValidator(_date)]
    source: str
    verified: bool


class Provider(Strict):
    """The prices of one provider."""

    hosts: list[str]
    batch: float = Field(gt=0, le=1, description="what of the price is paid through the batch API")
    models: list[Entry]


class Quote(Strict):
    """What answers of one model cost. ``origin`` says where the price comes from."""

    rates: Rates
    training: float | None = None
    discount: float = 1.0
    origin: str

    @property
    def free(self) -> bool:
        """Whether nothing is paid: a model that answers on this project's own machines."""
        return self.rates.input == self.rates.output == 0 and not self.training

    def usd(self, input_tokens: float, output_tokens: float, cached_tokens: float = 0) -> float:
        """The price of answers; ``cached_tokens`` are among ``input_tokens``."""
        cached = self.rates.input if self.rates.cached_input is None else self.rates.cached_input
        full = (input_tokens - cached_tokens) * self.rates.input + cached_tokens * cached
        return (full + output_tokens * self.rates.output) * self.discount / MILLION

    def usd_training(self, tokens: float) -> float | None:
        """The price of training on ``tokens`` (epochs included); None if it is not known."""
        return None if self.training is None else tokens * self.training / MILLION


LOCAL = Quote(rates=Rates(input=0, output=0), training=0, origin="own machine")


class PriceTable(RootModel[dict[str, Provider]]):
    """All providers by name; that of an endpoint's own server has the endpoint's name."""

    def quote(self, served: Served, finetuned: bool = False) -> Quote | None:
        """What a model costs: its declared price, else that of the table; None if neither is known.

        Args:
            served: the declared model (of a fine-tune: its base).
            finetuned: ask for the price of its fine-tunes. An id ``ft:<base>:...`` is one by itself.
        """
        if not served.hosted:
            return LOCAL
        model = served.model or ""
        if model.startswith("ft:"):
            model, finetuned = model.split(":")[1], True
        provider = self._provider(served)
        declared = served.api.price if served.api else None
        price: Price | None = declared
        origin = "the experiment's api.price"
        if price is None and provider is not None:
            entry = next((e for e in provider.models if any(fnmatchcase(model, name) for name in e.ids)), None)
            price = entry
            if entry is not None:
                origin = f"{FILE}, as of {entry.as_of}" + ", unverified" * (not entry.verified)
        rates = (price.finetuned if finetuned else price) if price else None
        if price is None or rates is None:
            return None
        return Quote(
            rates=Rates(input=rates.input, cached_input=rates.cached_input, output=rates.output),
            training=price.finetuned.training if price.finetuned else None,
            discount=provider.batch if provider and served.api and served.api.batch else 1.0,
            origin=origin,
        )

    def _provider(self, served: Served) -> Provider | None:
        if served.api is None or served.api.base_url is None:
            return self.root.get(served.endpoint)
        host = urlsplit(served.api.base_url).hostname
        return next((provider for provider in self.root.values() if host in provider.hosts), None)


def load_prices(root: str | Path) -> PriceTable:
    """The price table of the project at ``root``.

    Raises:
        ConfigError: the file is missing, or says something else than prices.
    """
    return load_yaml(PriceTable, Path(root) / FILE, "price table")
