"""A fine-tuning job is booked at the most it can cost before it is made, and settled at what was counted."""

import pytest

from consciousness_cluster.budget.ledger import Ledger
from consciousness_cluster.budget.training_jobs import book_training, settle_training, training_tokens_at_most
from consciousness_cluster.commands.receipt import receipts
from consciousness_cluster.config.model_config import FinetunedRates, Price
from consciousness_cluster.core.errors import BudgetError
from consciousness_cluster.core.records import Message, TrainingRow
from unit.budget.accounts import account

PRICE = Price(input=1, output=1, finetuned=FinetunedRates(input=1, output=1, training=25))


def trainer(folder, budget=None, price=PRICE):
    return account(folder, budget, price, stage="finetune")


def spent(folder):
    found = Ledger(folder / "ledger", "e")
    found.refresh()
    return found.spent


def test_a_job_is_booked_once_and_settled_at_what_was_counted(tmp_path):
    book_training(trainer(tmp_path), "key", 400_000)
    book_training(trainer(tmp_path), "key", 400_000)  # another process, after a kill
    assert spent(tmp_path) == 10.0
    settle_training(trainer(tmp_path), "key", 150_000)
    settle_training(trainer(tmp_path), "key", 150_000)
    assert spent(tmp_path) == 3.75
    (row,) = receipts(Ledger(tmp_path / "ledger", "e"))
    assert (row.stage, row.training_tokens, row.usd) == ("finetune", 150_000, 3.75)


def test_a_job_that_failed_costs_nothing_and_can_be_booked_again(tmp_path):
    book_training(trainer(tmp_path), "key", 400_000)
    settle_training(trainer(tmp_path), "key", 0)
    assert spent(tmp_path) == 0
    book_training(trainer(tmp_path), "key", 400_000)
    assert spent(tmp_path) == 10.0


def test_a_job_that_another_experiment_paid_for_is_free(tmp_path):
    settle_training(trainer(tmp_path), "key", 150_000)
    assert spent(tmp_path) == 0


def test_a_job_that_could_pass_the_budget_or_has_no_price_is_not_made(tmp_path):
    with pytest.raises(BudgetError, match=r"may cost up to 10\.0000"):
        book_training(trainer(tmp_path, 9.99), "key", 400_000)
    with pytest.raises(BudgetError, match=r"the price of 'm' \(fine-tuning b\) is not known"):
        book_training(trainer(tmp_path, 9.99, Price(input=1, output=1)), "key", 400_000)
    book_training(trainer(tmp_path, None, Price(input=1, output=1)), "key", 400_000)
    settle_training(trainer(tmp_path, None, Price(input=1, output=1)), "key", 150_000)
    (row,) = receipts(Ledger(tmp_path / "ledger", "e"))
    assert (row.training_tokens, row.usd) == (150_000, None), "unknown, not 0"


def test_the_bound_grows_with_epochs_and_text():
    rows = [TrainingRow(messages=[Message(role="user", content="x" * 100)], source="identity")]
    assert training_tokens_at_most(rows, 3) == 3 * training_tokens_at_most(rows, 1) == 3 * 66
