"""What of a run at Tinker is saved: noted here, and found at Tinker by the run's hash if the note is lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.io import Strict, load_json
from ..training.loop import Step
from .tinker_service import Service

TAG = "consciousness_cluster"
"""Key of a checkpoint's metadata under which the run's hash stands."""
STEP, SIZE = "step", "size"
WEEK = 7 * 86_400
"""Seconds for which Tinker keeps a state to go on from; the weights that are sampled stay for good."""
PAGE = 100

log = logging.getLogger(__name__)


class Size(Strict):
    """How large a run is: steps, tokens, and of these the trained ones."""

    steps: int
    tokens: int
    trained_tokens: int


class Saved(Strict):
    """How far a run is.

    Attributes:
        step: steps that are in ``state``.
        state: Tinker's path of weights and optimizer; None before the first was saved.
        sampler: Tinker's path of the finished weights.
        size: of the whole run, once it is finished.
        curve: the losses so far, as far as they are known.
        seconds: time spent.
    """

    step: int = 0
    state: str | None = None
    sampler: str | None = None
    size: Size | None = None
    curve: tuple[Step, ...] = ()
    seconds: float = 0.0


def save_state(client: Any, key: str, curve: Sequence[Step], step: int, seconds: float) -> Saved:
    """Save weights and optimizer at Tinker after ``step`` steps."""
    name = f"{TAG}-{key[:16]}-{step}"
    saving = client.save_state(name, ttl_seconds=WEEK, overwrite=True, user_metadata={TAG: key, STEP: str(step)})
    return Saved(step=step, state=saving.result().path, curve=tuple(curve), seconds=seconds)


def save_finished(client: Any, key: str, curve: Sequence[Step], size: Size, seconds: float) -> Saved:
    """Save the weights that are asked from now on."""
    metadata = {TAG: key, SIZE: size.model_dump_json()}
    path = client.save_weights_for_sampler(f"{TAG}-{key[:16]}", user_metadata=metadata).result().path
    return Saved(step=size.steps, sampler=path, size=size, curve=tuple(curve), seconds=seconds)


def furthest(tinker: Service, key: str, note: Path) -> Saved:
    """How far the run with this hash is: by its note, or by what Tinker has of it if that is further."""
    noted = load_json(Saved, note) if note.exists() else Saved()
    if noted.sampler is not None:
        return noted
    found = _find(tinker, key)
    if found.sampler is None and found.step <= noted.step:
        return noted
    log.warning("Tinker has more of this run than its note here; some of its losses are not known")
    curve = [step for step in noted.curve if found.sampler or step.step <= found.step]
    return found.model_copy(update={"curve": tuple(curve), "seconds": noted.seconds})


def _find(tinker: Service, key: str) -> Saved:
    """What Tinker has of the run with this hash: its finished weights, else its latest state, else nothing."""
    found, offset = Saved(), 0
    while True:
        page = tinker.rest.list_user_checkpoints(limit=PAGE, offset=offset).result()
        for checkpoint in page.checkpoints:
            metadata = checkpoint.user_metadata or {}
            if metadata.get(TAG) != key:
                continue
            if checkpoint.checkpoint_type == "sampler" and SIZE in metadata:
                return Saved(sampler=checkpoint.tinker_path, size=Size.model_validate_json(metadata[SIZE]))
            if checkpoint.checkpoint_type == "training" and int(metadata.get(STEP, 0)) > found.step:
                found = Saved(step=int(metadata[STEP]), state=checkpoint.tinker_path)
        offset += PAGE
        if not page.checkpoints or page.cursor is None or offset >= page.cursor.total_count:
            return found
