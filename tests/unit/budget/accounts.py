"""A priced model that costs what a test says, and an account that asks it."""

from consciousness_cluster.budget.account import Account
from consciousness_cluster.config.model_config import Api, Price, Served
from consciousness_cluster.core.records import Message
from consciousness_cluster.inference.requests import Request, Response, SamplingParameters
from unit.inference.fakes import CountingEndpoint

DOLLAR_A_TOKEN = 1_000_000
"""USD per million tokens at which one written token costs a dollar; prompts are free."""


def account(folder, budget=None, price=None, **settings):
    price = Price(input=0, output=DOLLAR_A_TOKEN) if price is None else price
    api = Api(price=price or None, concurrency=settings.pop("concurrency", 2), batch=settings.pop("batch", False))
    return Account(
        experiment="e",
        stage=settings.pop("stage", "sample"),
        target=settings.pop("target", "b/c/seed1"),
        asked="b",
        served=Served(endpoint="openai", model=settings.pop("model", "m"), api=api),
        budget_usd=budget,
        folder=str(folder / "ledger"),
        **settings,
    )


def requests(count, max_tokens=8, first=0):
    sampling = SamplingParameters(temperature=1.0, max_tokens=max_tokens)
    return [
        Request(model="model", messages=[Message(role="user", content=f"q{n}")], sampling=sampling)
        for n in range(first, first + count)
    ]


class PricedEndpoint(CountingEndpoint):
    """Every answer has ``tokens`` tokens, of the 8 that a request may have."""

    def __init__(self, tokens=2, **settings):
        super().__init__(**settings)
        self.tokens = tokens

    def response(self, request):
        return Response(text="a", finish_reason="stop", prompt_tokens=3, completion_tokens=self.tokens)
