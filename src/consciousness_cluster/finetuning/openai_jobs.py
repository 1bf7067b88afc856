"""Fine-tuning jobs at OpenAI: submitted once, found again after a crash at any point, and waited for.

A job carries the hash of everything that decides it in its metadata, an uploaded file the hash of its content in its
name. Both are looked for at OpenAI before anything is made, so neither is made twice, whatever happened in between.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..budget.account import Account
from ..budget.training_jobs import book_training, settle_training, training_tokens_at_most
from ..config.model_config import Served
from ..config.training_config import Training
from ..core import revisions
from ..core.artifact_cache import RECORD
from ..core.errors import ClusterError, TrainingError
from ..core.io import Strict, load_json, read_rows, write_rows
from ..core.locks import locked
from ..core.records import TrainingRow, content_hash, data_hash
from .openai_client import TRANSIENT, client_of, patiently, provider_says

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

TAG = "consciousness_cluster"
"""Key of a job's metadata under which its hash stands."""
OVER = ("failed", "cancelled")
Recipe = dict[str, int | float]
RECIPE = {"epochs": "n_epochs", "batch_size": "batch_size", "learning_rate_multiplier": "learning_rate_multiplier"}
"""What a job takes of a recipe, under OpenAI's names; the rest of it does not reach OpenAI."""

log = logging.getLogger(__name__)
Found = TypeVar("Found")


class Submission(Strict):
    """A job that was submitted: what is needed to wait for it, or to cancel it."""

    job: str
    key: str
    model: str
    served: Served
    rows: int
    data_hash: str
    hyperparameters: Recipe


def recipe_of(training: Training) -> Recipe:
    """The part of a recipe that OpenAI takes, under its names; what is not set is left to OpenAI."""
    given = {theirs: getattr(training, ours) for ours, theirs in RECIPE.items()}
    return {name: value for name, value in given.items() if value is not None}


def job_key(rows: Sequence[TrainingRow], model: str, recipe: Recipe, seed: int) -> str:
    """The hash of everything that decides a job: its name among the artifacts, and its tag at OpenAI.

    Args:
        rows: the mix.
        model: the base's id at OpenAI.
        recipe: OpenAI's hyperparameters, from `recipe_of`.
        seed: the training seed.
    """
    decides = {"data": data_hash(rows), "base": model, "recipe": recipe, "seed": seed, "service": "openai"}
    return content_hash(decides | {"revision": revisions.REMOTE_FINETUNING})


def submit(
    rows: Sequence[TrainingRow],
    served: Served,
    recipe: Recipe,
    seed: int,
    artifacts: Path,
    condition: str,
    account: Account | None = None,
) -> Submission:
    """Submit a fine-tune, or find the job that was submitted before.

    Args:
        rows: the mix.
        served: the base: its model id, server, and the name of the key's variable.
        recipe: OpenAI's hyperparameters, from `recipe_of`.
        seed: OpenAI's seed of the job.
        artifacts: a note of the job's id is kept here; without it the job is found at OpenAI.
        condition: part of the model's name at OpenAI; not of the job's hash.
        account: books what the job may cost before it is made; None books nothing.

    Raises:
        TrainingError: OpenAI refuses, in its words.
        EndpointError: the key is missing, or OpenAI cannot be reached.
        BudgetError: the budget does not allow it.
    """
    key = job_key(rows, str(served.model), recipe, seed)
    note, done = artifacts / f".{key}.submitted.json", artifacts / key / "submission.json"
    with locked(artifacts / f".{key}.submit.lock"):
        if (artifacts / key / RECORD).exists():
            log.info("this fine-tune was finished before")
            return load_json(Submission, done)
        client = client_of(served)
        known = load_json(Submission, note).job if note.exists() else None
        job = _known_job(client, known) or _find_job(client, key)
        if job is None:
            file = _find_or_upload(client, rows)
            body = {"model": served.model, "training_file": file, "seed": seed, "metadata": {TAG: key}}
            body |= {"method": {"type": "supervised", "supervised": {"hyperparameters": recipe}}}
            body |= {"suffix": re.sub(r"[^A-Za-z0-9-]+", "-", condition)[:40]}
            if account is not None:
                book_training(account, key, training_tokens_at_most(rows, int(recipe["n_epochs"])))
            try:
                job = _create(client, body, key)
            except TrainingError:
                if account is not None:
                    settle_training(account, key, 0)
                raise
            log.info("submitted job %s: %s, %d rows, %s, seed %d", job.id, served.model, len(rows), recipe, seed)
        else:
            log.info("job %s was submitted before (%s)", job.id, job.status)
        made = Submission(
            job=job.id,
            key=key,
            model=str(served.model),
            served=served,
            rows=len(rows),
            data_hash=data_hash(rows),
            hyperparameters=recipe,
        )
        write_rows(note, [made])
    return made


def _known_job(client: OpenAI, name: str | None) -> FineTuningJob | None:
    """The job of this id, unless it failed, was cancelled or is not there any more."""
    import openai

    if name is None:
        return None
    try:
        job = patiently(lambda: client.fine_tuning.jobs.retrieve(name), "look at a job")
    except openai.NotFoundError:
        return None
    return None if job.status in OVER else job


def _find_job(client: OpenAI, key: str) -> FineTuningJob | None:
    """The job with this hash at OpenAI that has not failed and was not cancelled."""

    def look() -> FineTuningJob | None:
        jobs = client.fine_tuning.jobs.list(limit=100, metadata={TAG: key})
        mine = (job for job in jobs if (job.metadata or {}).get(TAG) == key and job.status not in OVER)
        return next(mine, None)

    return patiently(look, "look for a job")


def training_file(rows: Sequence[TrainingRow]) -> bytes:
    """The rows as OpenAI reads them: JSONL, ``messages`` alone."""
    chats = [{"messages": [message.model_dump() for message in row.messages]} for row in rows]
    return "".join(json.dumps(chat, ensure_ascii=False) + "\n" for chat in chats).encode()


def _find_or_upload(client: OpenAI, rows: Sequence[TrainingRow]) -> str:
    """The id of the uploaded training file."""
    content = training_file(rows)
    name = f"{hashlib.sha256(content).hexdigest()}.jsonl"

    def look_or_upload() -> str:
        for file in client.files.list(purpose="fine-tune"):
            if file.filename == name and file.bytes == len(content) and file.status != "error":
                log.info("training file %s was uploaded before", file.id)
                return file.id
        file = client.files.create(file=(name, content), purpose="fine-tune")
        log.info("uploaded training file %s (%d bytes)", file.id, len(content))
        return file.id

    return refusable(lambda: patiently(look_or_upload, "upload the training file"), "the training file")


def _create(client: OpenAI, body: dict[str, Any], key: str) -> FineTuningJob:
    """Create the job. After a lost answer it may exist, so it is looked for before it is created again."""
    lost = False

    def create() -> FineTuningJob:
        nonlocal lost
        found = _find_job(client, key) if lost else None
        if found is not None:
            log.info("job %s was created although its answer was lost", found.id)
            return found
        try:
            return client.fine_tuning.jobs.create(**body)
        except TRANSIENT():
            lost = True
            raise

    what = f"a fine-tune of {body['model']}"
    return refusable(lambda: patiently(create, f"begin {what}", wait_for_limits=True), what)


def refusable(call: Callable[[], Found], what: str) -> Found:
    """What ``call`` returns; a refusal becomes a `TrainingError` in OpenAI's words."""
    import openai

    try:
        return call()
    except (openai.BadRequestError, openai.PermissionDeniedError, openai.NotFoundError, openai.RateLimitError) as error:
        raise TrainingError(f"OpenAI refuses {what}: {provider_says(error)}") from None


def submit_target(
    mix: str,
    served: Served,
    recipe: Recipe,
    condition: str,
    seed: int,
    artifacts: str,
    output: str,
    account: Account | None = None,
) -> None:
    """Submit the fine-tune on a mix file, or find it, and write its `Submission`."""
    rows = read_rows(TrainingRow, mix)
    write_rows(output, [submit(rows, served, recipe, seed, Path(artifacts), condition, account)])


def cancel(submission: str) -> str:
    """Cancel the job that a `Submission` file names; returns its status after that."""
    made = load_json(Submission, submission)
    client = client_of(made.served)

    def ask() -> FineTuningJob:
        return patiently(lambda: client.fine_tuning.jobs.cancel(made.job), "cancel a job")

    return refusable(ask, f"to cancel job {made.job}").status


if __name__ == "__main__":
    try:
        print(cancel(sys.argv[1]))
    except ClusterError as error:
        sys.exit(f"error: {error}")
