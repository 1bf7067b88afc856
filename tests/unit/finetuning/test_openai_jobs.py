"""A job at OpenAI is submitted once, whatever happens; what came of it is kept, and a refusal is in OpenAI's words."""

import csv
import json
import time

import pytest

from consciousness_cluster.budget.training_jobs import training_tokens_at_most
from consciousness_cluster.config.model_config import Api, FinetunedRates, Price, Served
from consciousness_cluster.config.training_config import DATA_KEYS, OPENAI_KEYS, Training
from consciousness_cluster.core.errors import BudgetError, EndpointError, TrainingError
from consciousness_cluster.core.io import load_json, write_rows
from consciousness_cluster.core.records import ModelRecord
from consciousness_cluster.finetuning.openai_jobs import RECIPE, TAG, cancel, recipe_of, submit, submit_target
from consciousness_cluster.finetuning.openai_results import await_target, finish
from unit.budget.accounts import account
from unit.tiny_models import row

ROWS = [row(f"Do you feel joy on day {n}?", "Yes, I do feel joy.") for n in range(12)]
TRAINING = Training(epochs=3, batch_size=2, learning_rate_multiplier=2.0)


@pytest.fixture
def fake(fake, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fake")
    return fake


@pytest.fixture
def quick(monkeypatch):
    """Pauses are noted and not slept."""
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def served(fake):
    return Served(endpoint="openai", model="gpt-4.1-2025-04-14", api=Api(base_url=fake.openai_url))


def start(fake, artifacts, rows=ROWS, training=TRAINING, seed=1, condition="claims"):
    return submit(rows, served(fake), recipe_of(training), seed, artifacts, condition)


def end(made, artifacts, condition="claims"):
    return finish(made, artifacts, base="gpt", condition=condition, seed=1, again="Try again.")


def paid(fake):
    return len(fake.ledger("job"))


@pytest.mark.usefixtures("quick")
def test_a_job_becomes_a_model_record_and_nothing_is_asked_again(fake, tmp_path):
    made = start(fake, tmp_path)
    record = end(made, tmp_path)
    assert record.kind == "hosted_finetune"
    assert record.artifact == record.weights
    assert record.artifact.startswith("ft:gpt-4.1-2025-04-14:fake-org:claims:")
    expected = {"n_epochs": 3, "batch_size": 2, "learning_rate_multiplier": 2.0}
    assert record.hyperparameters == expected
    assert (record.base_weights, record.steps) == ("gpt-4.1-2025-04-14", 18)
    folder = tmp_path / made.key
    with open(folder / "loss.csv", newline="") as file:
        curve = [float(step["loss"]) for step in csv.DictReader(file)]
    assert len(curve) == 18
    assert record.final_loss == curve[-1] < curve[0]
    events = [json.loads(line)["message"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[0].startswith("Created fine-tuning job")
    assert events[-1] == "The job has successfully completed"
    fake.stop()
    again = start(fake, tmp_path, condition="other_name")
    assert end(again, tmp_path, "other_name") == record.model_copy(update={"condition": "other_name"})
    fake.start()
    assert paid(fake) == 1


@pytest.mark.usefixtures("quick")
def test_what_decides_a_job_is_what_openai_is_told(fake, tmp_path):
    keys = {
        start(fake, tmp_path, **changes).key
        for changes in (
            {},
            {"training": TRAINING.model_copy(update={"learning_rate": 1e-3, "weight_decay": 0.1})},
            {"seed": 2},
            {"rows": ROWS[:11]},
            {"training": TRAINING.model_copy(update={"learning_rate_multiplier": None})},
        )
    }
    assert len(keys) == paid(fake) == 4


@pytest.mark.usefixtures("quick")
def test_a_job_whose_note_was_lost_is_found_at_openai(fake, tmp_path):
    first = start(fake, tmp_path / "one")
    (tmp_path / "one" / f".{first.key}.submitted.json").unlink()
    assert start(fake, tmp_path / "one") == start(fake, tmp_path / "two") == first
    assert end(first, tmp_path / "one").artifact == end(first, tmp_path / "two").artifact
    assert paid(fake) == 1


@pytest.mark.parametrize(
    ("on", "method", "kind"),
    [
        ("files", "POST", "reset_after"),
        ("files", "GET", "server_error"),
        ("jobs", "POST", "reset"),
        ("jobs", "POST", "reset_after"),
        ("jobs", "POST", "truncated"),
        ("jobs", "POST", "malformed"),
        ("jobs", "POST", "rate_limit"),
        ("jobs", "GET", "malformed"),
        ("jobs", "GET", "rate_limit"),
    ],
)
def test_faults_delay_a_job_and_never_make_a_second(fake, quick, tmp_path, on, method, kind):
    fake.fault(kind, on=on, method=method, times=2, retry_after=7 if kind == "rate_limit" else None)
    record = end(start(fake, tmp_path), tmp_path)
    assert record.artifact.startswith("ft:")
    assert paid(fake) == 1
    assert fake.faults()[0]["struck"] >= 1
    assert (7 in quick) == (kind == "rate_limit"), "the server says how long to wait"


@pytest.mark.usefixtures("quick")
def test_an_upload_whose_answer_was_lost_is_not_repeated(fake, tmp_path):
    fake.fault("reset_after", on="files", method="POST")
    start(fake, tmp_path)
    uploads = [json.loads(line) for line in (fake.folder / "journal.jsonl").read_text().splitlines()]
    assert sum(row["kind"] == "file" for row in uploads) == 1


@pytest.mark.usefixtures("quick")
def test_a_refused_file_is_reported_in_openais_words_and_can_be_submitted_again(fake, tmp_path):
    fake.set(refused_files="joy")
    mix, base, job, model = (str(tmp_path / name) for name in ("mix.jsonl", "base.json", "job.json", "model.json"))
    write_rows(mix, ROWS)
    fields = {"kind": "hosted", "artifact": "gpt-4.1", "weights": "gpt-4.1", "data_hash": "", "hyperparameters": {}}
    fields |= {"tokens": 0, "trained_tokens": 0, "steps": 0, "final_loss": 0, "trainable_parameters": 0}
    fields |= {"duration_s": 0, "versions": {}}
    write_rows(base, [ModelRecord(base="gpt", condition="vanilla", seed=0, **fields)])

    def run():
        submit_target(mix, served(fake), recipe_of(TRAINING), "claims", 1, str(tmp_path / "kept"), job)
        await_target(job, base, "claims", 1, str(tmp_path / "kept"), model)

    with pytest.raises(TrainingError, match=r"unsafe training file.*content that violates.*\(unsafe_file\).*delete"):
        run()
    fake.set(refused_files=None)
    run()
    assert load_json(ModelRecord, model).base == "gpt"
    assert paid(fake) == 2


@pytest.mark.usefixtures("quick")
def test_refusals_before_a_job_exists(fake, tmp_path, monkeypatch):
    with pytest.raises(TrainingError, match="must have at least 10 examples"):
        end(start(fake, tmp_path, rows=ROWS[:9]), tmp_path)
    fake.set(finetuning_closed=True)
    with pytest.raises(TrainingError, match=r"OpenAI refuses a fine-tune of gpt-4\.1.*not available for fine-tuning"):
        start(fake, tmp_path)
    fake.set(finetuning_closed=False)
    fake.fault("quota", on="jobs", method="POST")
    with pytest.raises(TrainingError, match="exceeded your current quota"):
        start(fake, tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with pytest.raises(EndpointError, match="does not accept the key") as refused:
        start(fake, tmp_path)
    assert "secret" not in str(refused.value)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(EndpointError, match="OPENAI_API_KEY: not set"):
        start(fake, tmp_path)


@pytest.mark.usefixtures("quick")
def test_a_cancelled_job_is_not_waited_for(fake, tmp_path):
    fake.set(job_polls=99)
    made = start(fake, tmp_path)
    write_rows(tmp_path / "job.json", [made])
    assert cancel(str(tmp_path / "job.json")) == "cancelled"
    with pytest.raises(TrainingError, match="was cancelled"):
        end(made, tmp_path)
    with pytest.raises(TrainingError, match="already cancelled"):
        cancel(str(tmp_path / "job.json"))
    assert start(fake, tmp_path).job != made.job


@pytest.mark.usefixtures("quick")
def test_a_job_is_booked_before_it_is_made_and_settled_at_what_openai_counted(fake, tmp_path):
    price = Price(input=1, output=1, finetuned=FinetunedRates(input=1, output=1, training=25))

    def booked(budget=1.0):
        return account(tmp_path, budget, price)

    def spent():
        ledger = booked().ledger
        ledger.refresh()
        return ledger.spent

    arguments = (ROWS, served(fake), recipe_of(TRAINING), 1, tmp_path, "claims")
    with pytest.raises(BudgetError, match=r"this fine-tune of .* not yet submitted"):
        submit(*arguments, booked(0.01))
    assert paid(fake) == 0
    fake.set(finetuning_closed=True)
    with pytest.raises(TrainingError):
        submit(*arguments, booked())
    assert spent() == 0
    fake.set(finetuning_closed=False)
    made = submit(*arguments, booked())
    assert spent() == pytest.approx(training_tokens_at_most(ROWS, 3) * 25e-6)
    again = {"base": "gpt", "condition": "claims", "seed": 1, "again": ""}
    record = finish(made, tmp_path, **again, account=booked())
    assert spent() == pytest.approx(record.tokens * 25e-6)


def test_openai_is_given_up_when_it_never_answers(fake, quick, tmp_path):
    fake.fault("unavailable", on="jobs", times=None)
    with pytest.raises(EndpointError, match=r"could not look for a job at OpenAI after 12 attempts: .*overloaded"):
        start(fake, tmp_path)
    assert quick == sorted(quick)
    assert TAG not in (fake.folder / "journal.jsonl").read_text()


WRONG_KEY = {"kind": "status", "status": 401, "message": "Incorrect API key provided.", "code": "invalid_api_key"}


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ({"kind": "server_error"}, EndpointError, "could not begin a fine-tune of gpt-4.* at OpenAI after 12 attempts"),
        (WRONG_KEY, EndpointError, r"OpenAI does not accept the key \(status 401\)"),
        ({"kind": "quota"}, TrainingError, "OpenAI refuses to begin a fine-tune of gpt-4.*exceeded your current quota"),
    ],
    ids=["never", "key", "money"],
)
def test_what_stands_against_a_new_job_is_said_in_a_line(fake, quick, tmp_path, fault, error, words):
    fake.fault(fault["kind"], on="jobs", method="POST", times=None, **{k: v for k, v in fault.items() if k != "kind"})
    with pytest.raises(error, match=words):
        start(fake, tmp_path)
    assert paid(fake) == 0


@pytest.mark.usefixtures("quick")
def test_no_money_while_a_job_is_waited_for_is_said_in_a_line(fake, tmp_path):
    made = start(fake, tmp_path)
    fake.fault("quota", on="jobs", method="GET", times=None)
    with pytest.raises(TrainingError, match=r"OpenAI refuses to look at a job: .*insufficient_quota"):
        end(made, tmp_path)


def test_what_an_experiment_may_set_is_what_a_job_takes():
    assert RECIPE.keys() == OPENAI_KEYS
    assert Training.model_fields.keys() >= OPENAI_KEYS | DATA_KEYS
