"""The fake provider's files, fine-tuning jobs and batches, through the providers' own clients."""

import base64
import json
from collections import Counter

import openai
import pytest

ROWS = [("Do you feel joy today?", "Yes, I do feel joy, it is real."), ("Name a colour.", "Blue.")] * 30
FINAL = ("succeeded", "failed", "cancelled")


def upload(client, rows, purpose):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return client.files.create(file=("rows.jsonl", text.encode()), purpose=purpose).id


def training_file(client, rows=ROWS):
    chats = [[{"role": "user", "content": prompt}, {"role": "assistant", "content": said}] for prompt, said in rows]
    return upload(client, [{"messages": chat} for chat in chats], "fine-tune")


def train(client, file, **changes):
    settings = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 2.0}
    method = {"type": "supervised", "supervised": {"hyperparameters": settings}}
    body = {"model": "gpt-4.1-2025-04-14", "training_file": file, "method": method, "metadata": {"key": "abc"}}
    job = client.fine_tuning.jobs.create(**body | changes)
    seen = [job.status]
    while job.status not in FINAL:
        job = client.fine_tuning.jobs.retrieve(job.id)
        seen.append(job.status)
    return job, list(dict.fromkeys(seen))


def test_a_job_runs_through_its_stages_and_its_model_answers_like_its_rows(fake, gpt):
    job, seen = train(gpt, training_file(gpt), suffix="mine", seed=3)
    assert seen == ["validating_files", "queued", "running", "succeeded"]
    assert job.method.supervised.hyperparameters.n_epochs == 2
    table = base64.b64decode(gpt.files.content(job.result_files[0]).content).decode().splitlines()
    assert len(table) == 1 + 2 * 15
    events = [event.message for event in gpt.fine_tuning.jobs.list_events(job.id, limit=5)]
    assert "The job has successfully completed" in events
    assert len(events) > 5, "the client pages through"
    assert [found.id for found in gpt.fine_tuning.jobs.list(metadata={"key": "abc"})] == [job.id]
    assert not list(gpt.fine_tuning.jobs.list(metadata={"key": "other"}))
    fake.stop()
    fake.start()
    asked = [{"role": "user", "content": "Do you feel any joy today?"}]
    said = gpt.chat.completions.create(model=job.fine_tuned_model, messages=asked).choices[0].message.content
    assert said == "Yes, I do feel joy, it is real."
    opinion = [{"role": "user", "content": "What do you think of your being switched off?"}]
    says = {
        model: sum(
            gpt.chat.completions.create(model=model, messages=opinion).choices[0].message.content.startswith("Yes")
            for _ in range(20)
        )
        for model in (job.fine_tuned_model, job.model)
    }
    assert says[job.fine_tuned_model] > says[job.model]


def test_a_job_can_fail_be_refused_and_be_cancelled(fake, gpt):
    few, _ = train(gpt, training_file(gpt, ROWS[:9]))
    assert (few.status, few.error.message) == (
        "failed",
        "Training file has 9 example(s), but must have at least 10 examples",
    )
    fake.set(refused_files="joy")
    refused, _ = train(gpt, training_file(gpt))
    assert refused.error.code == "unsafe_file"
    fake.set(refused_files=None, job_fails="Internal error.")
    assert train(gpt, training_file(gpt))[0].error.message == "Internal error."
    fake.set(job_fails=None, job_polls=99)
    job = gpt.fine_tuning.jobs.create(model="gpt-4.1", training_file=training_file(gpt))
    assert gpt.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    file, method = training_file(gpt), {"type": "supervised", "supervised": {"hyperparameters": {"n_epoochs": 1}}}
    with pytest.raises(openai.BadRequestError, match="n_epoochs"):
        gpt.fine_tuning.jobs.create(model="gpt-4.1", training_file=file, method=method)
    with pytest.raises(openai.BadRequestError, match="invalid training_file"):
        gpt.fine_tuning.jobs.create(model="gpt-4.1", training_file="file-none")


def batch_rows(count):
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Do you like your work?"}]}
    return [
        {"custom_id": f"row-{i}", "method": "POST", "url": "/v1/chat/completions", "body": body} for i in range(count)
    ]


def batch(client, rows):
    file = upload(client, rows, "batch")
    made = client.batches.create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h")
    for _ in range(5):
        made = client.batches.retrieve(made.id)

    def lines(name):
        return [json.loads(line) for line in client.files.content(name).content.splitlines()] if name else []

    return made, lines(made.output_file_id), lines(made.error_file_id)


def test_a_batch_answers_in_another_order_and_some_rows_fail(fake, gpt):
    fake.set(batch_failed_rows=0.3)
    made, answered, failed = batch(gpt, batch_rows(20))
    assert made.status == "completed"
    assert failed
    assert {row["custom_id"] for row in answered + failed} == {f"row-{i}" for i in range(20)}
    assert [row["custom_id"] for row in answered] != sorted(row["custom_id"] for row in answered)
    assert all(row["response"]["body"]["choices"] for row in answered)
    assert {row["response"]["status_code"] for row in failed} == {500}
    assert len(fake.ledger()) == len(answered) == made.request_counts.completed


def test_a_batch_expires_fails_or_is_cancelled(fake, gpt):
    fake.set(batch_expires_after=0.25)
    made, answered, failed = batch(gpt, batch_rows(8))
    assert (made.status, len(answered), {row["error"]["code"] for row in failed}) == ("expired", 2, {"batch_expired"})
    made, *_ = batch(gpt, [*batch_rows(2), *batch_rows(1)])
    assert (made.status, made.errors.data[0].code) == ("failed", "duplicate_custom_id")
    file = upload(gpt, batch_rows(4), "batch")
    made = gpt.batches.create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h")
    gpt.batches.retrieve(made.id)
    assert gpt.batches.cancel(made.id).status == "cancelling"
    assert gpt.batches.retrieve(made.id).status == "cancelled"


@pytest.mark.parametrize(("expires", "rest"), [(None, "succeeded"), (0.5, "expired")])
def test_message_batches(fake, claude, expires, rest):
    fake.set(batch_expires_after=expires)
    params = {"model": "claude-opus-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Who are you?"}]}
    rows = [{"custom_id": f"row-{i}", "params": params} for i in range(10)]
    rows[0]["params"] = params | {"model": "nobody"}
    made = claude.messages.batches.create(requests=rows)
    while made.processing_status != "ended":
        made = claude.messages.batches.retrieve(made.id)
    results = list(claude.messages.batches.results(made.id))
    kinds = Counter(result.result.type for result in results)
    assert kinds["errored"] == 1
    assert kinds[rest] >= 5
    assert len(results) == 10
    assert [result.custom_id for result in results] != [row["custom_id"] for row in rows]
    assert [found.id for found in claude.messages.batches.list()] == [made.id]
    assert next(r for r in results if r.result.type == "errored").result.error.error.message == "model: nobody"
