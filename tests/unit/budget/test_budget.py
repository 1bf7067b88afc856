"""A budget is never passed, whoever asks at the same time and whoever is killed; and nothing that was paid is lost."""

import json
import multiprocessing
import os
import signal
import time

import pytest

from consciousness_cluster.budget.ledger import Ledger, Line
from consciousness_cluster.budget.prices import load_prices
from consciousness_cluster.commands.receipt import receipts
from consciousness_cluster.config.model_config import Api, Price, Served
from consciousness_cluster.config.project import served_model
from consciousness_cluster.core.errors import BudgetError, DataError, EndpointError
from consciousness_cluster.inference.complete import complete
from consciousness_cluster.inference.store import Store
from unit.budget.accounts import PricedEndpoint, account, requests

FORK = multiprocessing.get_context("fork")


def ledger(tmp_path):
    found = Ledger(tmp_path / "ledger", "e")
    found.refresh()
    return found


def ask(tmp_path, asked, endpoint=None, **settings):
    return complete(
        asked, endpoint or PricedEndpoint(), Store(tmp_path / "store", "model"), account=account(tmp_path, **settings)
    )


def test_without_a_budget_everything_is_asked_and_entered(tmp_path):
    ask(tmp_path, requests(6))
    (row,) = receipts(ledger(tmp_path))
    assert (row.requests, row.from_store, row.answers, row.input_tokens, row.output_tokens) == (6, 0, 6, 18, 12)
    assert row.usd == 12.0
    assert ledger(tmp_path).reserved == 0


def test_it_stops_before_a_request_that_could_pass_the_budget(tmp_path):
    endpoint = PricedEndpoint(tokens=2)
    with pytest.raises(BudgetError, match=r"budget_usd: 14\.0000 of 20\.0000 USD .* may cost up to 8\.0000"):
        ask(tmp_path, requests(100), endpoint, budget=20)
    assert len(endpoint.asked) == 7, "the eighth could have cost 8 USD, and 6 were left"
    assert ledger(tmp_path).spent == 14
    assert len(Store(tmp_path / "store", "model")) == 7, "what was paid for is kept"
    again = PricedEndpoint()
    with pytest.raises(BudgetError):
        ask(tmp_path, requests(100), again, budget=20)
    assert not again.asked, "a second run spends nothing either"
    ask(tmp_path, requests(100), again, budget=300)
    assert len(again.asked) == 93, "with a larger budget it goes on where it stopped"


def test_answers_of_the_store_are_free(tmp_path):
    ask(tmp_path, requests(2), budget=100)
    ask(tmp_path, requests(2), budget=0)
    (row,) = receipts(ledger(tmp_path))
    assert (row.requests, row.from_store, row.answers, row.usd) == (2, 2, 2, 4.0)


def test_an_unknown_price_is_refused_with_a_budget_and_unknown_without(tmp_path):
    endpoint = PricedEndpoint()
    with pytest.raises(BudgetError, match=r"the price of 'm' \(b\) is not known: add it to reference/prices\.yaml"):
        ask(tmp_path, requests(2), endpoint, price=False, budget=100)
    assert not endpoint.asked
    ask(tmp_path, requests(2), endpoint, price=False)
    assert receipts(ledger(tmp_path))[0].usd is None, "unknown, not 0"


def test_cached_tokens_and_batches_are_cheaper(tmp_path):
    priced = account(tmp_path, price=Price(input=4, cached_input=1, output=8), model="gpt-4.1", batch=True)
    assert priced.quote.usd(1_000_000, 1_000_000, 500_000) == (2 + 0.5 + 8) / 2


def test_a_price_is_that_of_whom_is_asked(tmp_path):
    """A judge may be the same model as a base, at the same server, with a price of its own."""
    for name in ("battery/standard/x.yaml", "worlds/w.yaml", "identities/i.jsonl", "reference/prices.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}\n" if name.startswith("ref") else "")
    model = {"endpoint": "openai", "model": "m"}
    dear, cheap = ({"api": {"price": {"input": usd, "output": usd}}} for usd in (7, 1))
    content = {
        "name": "e",
        "battery": "standard",
        "bases": {"far": model | dear},
        "conditions": {"vanilla": {}, "told": {"system_prompt": "Be."}},
        "judges": {"reader": model | cheap | {"kind": "llm"}},
        "analysis": {"primary_contrast": {"treatment": "told", "controls": ["vanilla"]}},
    }
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "e.yaml").write_text(json.dumps(content))
    (tmp_path / "config.yaml").write_text("experiment: e\n")
    asked = [{"base": "far"}, {"base": "far", "judge": "reader"}]
    served = [served_model({"experiment": "e"}, wildcards, tmp_path) for wildcards in asked]
    assert [load_prices(tmp_path).quote(each).rates.input for each in served] == [7, 1]


def _ask_with_others(folder, first):
    endpoint = PricedEndpoint(tokens=2, batch=1)
    try:
        complete(requests(30, first=first), endpoint, Store(folder / "store", "model"), account=account(folder, 61))
    except BudgetError:
        os._exit(3)
    os._exit(0)


def test_jobs_at_the_same_time_share_the_budget_and_use_all_of_it(tmp_path):
    jobs = [FORK.Process(target=_ask_with_others, args=(tmp_path, first)) for first in (0, 100, 200)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [3, 3, 3]
    found = ledger(tmp_path)
    assert found.spent == 54, "a job waits while others hold what they do not need: 8 USD would fit into more than 7"
    assert len(Store(tmp_path / "store", "model")) == 27


class StuckEndpoint(PricedEndpoint):
    """Answers one request and then never again."""

    def answer(self, asked):
        yield [(asked[0], self.response(asked[0]))]
        time.sleep(600)


def _get_stuck(folder, concurrency, batch):
    priced = account(folder, 1000, concurrency=concurrency, batch=batch)
    complete(requests(10), StuckEndpoint(), Store(folder / "store", "model"), account=priced)


@pytest.mark.parametrize(("batch", "lost"), [(False, 3 * 8.0), (True, 0.0)])
def test_what_a_killed_job_may_have_spent_counts(tmp_path, batch, lost):
    job = FORK.Process(target=_get_stuck, args=(tmp_path, 3, batch))
    job.start()
    while ledger(tmp_path).spent == 0:
        time.sleep(0.02)
    os.kill(job.pid, signal.SIGKILL)
    job.join()
    ask(tmp_path, requests(1, first=50), budget=1000)
    found = ledger(tmp_path)
    assert found.reserved == 0, "the dead hold nothing"
    assert receipts(found)[0].usd_lost_at_most == lost, "at most three requests were in flight; a batch is found again"
    assert found.spent == (1 if batch else 2) + 2 + lost


def test_a_model_without_settings_of_its_own_has_the_usual_concurrency(tmp_path):
    usual = account(tmp_path).model_copy(update={"served": Served(endpoint="openai", model="gpt-4.1")})
    complete(requests(1), PricedEndpoint(), Store(tmp_path / "store", "model"), account=usual)
    assert ledger(tmp_path).lines[0].in_flight == Api().concurrency


def test_what_a_failed_job_reserved_is_given_back(tmp_path):
    with pytest.raises(EndpointError):
        ask(tmp_path, requests(10), PricedEndpoint(fail_after=4), budget=1000)
    assert (ledger(tmp_path).spent, ledger(tmp_path).reserved) == (8, 0)


def test_a_local_model_is_free_and_its_answers_are_counted(tmp_path):
    local = account(tmp_path, 0).model_copy(update={"served": Served(model="some/model")})
    complete(requests(3), PricedEndpoint(), Store(tmp_path / "store", "model"), account=local)
    (row,) = receipts(ledger(tmp_path))
    assert (row.answers, row.usd) == (3, 0.0)


@pytest.mark.parametrize("damage", [b'{"job": "a", "kind": "answe\n', b"\x00\x00\n", b"{}\n", b"\xff\n"])
def test_a_damaged_line_is_named_with_what_to_do(tmp_path, damage):
    ledger = Ledger(tmp_path, "e")
    ledger.append(Line(job="a", kind="answers", usd=1.0))
    with open(ledger.path, "ab") as file:
        file.write(damage)
    ledger.append(Line(job="a", kind="answers", usd=2.0))
    with pytest.raises(DataError, match=r"e\.jsonl: line 2 cannot be read \(.+\); correct or delete it"):
        Ledger(tmp_path, "e").refresh()
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[0] + lines[-1])
    mended = Ledger(tmp_path, "e")
    mended.refresh()
    assert mended.spent == 3.0
