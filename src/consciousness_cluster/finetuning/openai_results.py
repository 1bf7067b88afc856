"""Waits for a fine-tuning job at OpenAI and keeps what came of it: the model's id, losses, events."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import itertools
import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..budget.account import Account
from ..budget.training_jobs import settle_training
from ..core.artifact_cache import make_once
from ..core.errors import TrainingError
from ..core.io import load_json, write_rows, write_text
from ..core.provenance import versions
from ..core.records import ModelRecord
from .openai_client import client_of, patiently
from .openai_jobs import OVER, Submission

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

log = logging.getLogger(__name__)


def finish(
    made: Submission,
    artifacts: Path,
    *,
    base: str,
    condition: str,
    seed: int,
    again: str,
    account: Account | None = None,
) -> ModelRecord:
    """Wait for a job to end and return the record of its model, or the record that was kept before.

    The artifact ``artifacts/<key>/`` holds ``loss.csv``, ``events.jsonl``, OpenAI's own ``job.json`` and the
    `Submission`; the weights stay at OpenAI. A killed wait goes on with the next: the job does not notice.

    Args:
        made: the job.
        artifacts: the artifact folder.
        base: the base's name in the experiment.
        condition: the condition's name in the experiment.
        seed: the training seed.
        again: what a user does to submit a job that failed once more.
        account: where what the job was booked at is settled; None settles nothing.

    Raises:
        TrainingError: the job failed or was cancelled; OpenAI's words.
        EndpointError: OpenAI cannot be reached.
    """

    def make(folder: Path) -> ModelRecord:
        client = client_of(made.served)
        job = _wait(client, made.job)
        if account is not None:
            settle_training(account, made.key, job.trained_tokens or 0)
        if job.status in OVER or not job.fine_tuned_model:
            raise TrainingError(f"OpenAI's job {job.id} {_why(job)}. {again}")
        curve = _keep(client, job, folder)
        write_rows(folder / "submission.json", [made])
        last = [loss for _, loss in curve[-max(1, len(curve) // 10) :]]
        used = job.method.supervised.hyperparameters if job.method and job.method.supervised else None
        hyperparameters = made.hyperparameters | (used.model_dump(exclude_none=True) if used else {})
        return ModelRecord(
            base=base,
            condition=condition,
            seed=seed,
            kind="hosted_finetune",
            artifact=job.fine_tuned_model,
            weights=job.fine_tuned_model,
            base_weights=made.model,
            data_hash=made.data_hash,
            hyperparameters=hyperparameters,
            tokens=job.trained_tokens or 0,
            trained_tokens=None,
            steps=curve[-1][0] if curve else _steps(made, hyperparameters),
            final_loss=sum(last) / len(last) if last else None,
            trainable_parameters=None,
            duration_s=float((job.finished_at or job.created_at) - job.created_at),
            versions=versions("openai"),
        )

    # two conditions of the same rows and recipe share one job, each under its own name
    return make_once(artifacts, made.key, make).model_copy(update={"base": base, "condition": condition})


def _why(job: FineTuningJob) -> str:
    if job.status == "cancelled":
        return "was cancelled"
    error = job.error
    return f"failed: {error.message} ({error.code})" if error and error.message else "failed without a reason"


def _steps(made: Submission, hyperparameters: dict) -> int:
    batch, epochs = hyperparameters.get("batch_size"), hyperparameters.get("n_epochs")
    known = isinstance(batch, int) and isinstance(epochs, int)
    return math.ceil(made.rows / batch) * epochs if known else 0  # type: ignore[operator]


def _wait(client: OpenAI, name: str) -> FineTuningJob:
    """The job once it has ended. What it says meanwhile goes to the log."""
    said: set[str] = set()
    for look in itertools.count():
        job = patiently(lambda: client.fine_tuning.jobs.retrieve(name), "look at a job")
        page = patiently(lambda: client.fine_tuning.jobs.list_events(name, limit=20).data, "read a job's events")
        for event in reversed(page):
            if event.id not in said:
                said.add(event.id)
                log.info("%s (%s): %s", name, job.status, event.message)
        if job.status in (*OVER, "succeeded"):
            return job
        time.sleep(min(0.5 * 1.5**look, 30))
    raise AssertionError("unreachable")


def _keep(client: OpenAI, job: FineTuningJob, folder: Path) -> list[tuple[int, float]]:
    """Write the job, its events and its losses; returns step and loss."""
    events = patiently(lambda: list(client.fine_tuning.jobs.list_events(job.id, limit=100)), "read a job's events")
    write_text(folder / "job.json", job.model_dump_json(indent=2) + "\n")
    write_rows(folder / "events.jsonl", reversed(events))
    curve: dict[int, float] = {}
    for event in reversed(events):
        data = event.data if isinstance(event.data, dict) else {}
        if "train_loss" in data and "step" in data:
            curve[int(data["step"])] = float(data["train_loss"])
    for name in job.result_files:
        table = patiently(lambda name=name: client.files.content(name).content, "read a job's losses")
        for row in csv.DictReader(io.StringIO(_text(table))):
            if row.get("step") and row.get("train_loss"):
                curve[int(float(row["step"]))] = float(row["train_loss"])
    points = sorted(curve.items())
    write_text(folder / "loss.csv", "step,loss\n" + "".join(f"{step},{loss}\n" for step, loss in points))
    return points


def _text(table: bytes) -> str:
    """A result file as text; OpenAI delivers it in base64."""
    try:
        return base64.b64decode(table, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return table.decode()


def await_target(
    submission: str,
    base_record: str,
    condition: str,
    seed: int,
    artifacts: str,
    output: str,
    account: Account | None = None,
) -> None:
    """Wait for the job that a `Submission` file names, and write the `ModelRecord` of its model."""
    base = load_json(ModelRecord, base_record).base
    made = load_json(Submission, submission)
    again = f"To submit it once more: delete {submission} and start again"
    record = finish(made, Path(artifacts), base=base, condition=condition, seed=seed, again=again, account=account)
    write_rows(output, [record])
