"""Whether every model of an experiment is there and can do what is asked of it, found out without paying anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from ..config.battery import load_battery
from ..config.conditions import Base
from ..config.experiment import Experiment
from ..config.model_config import Served
from ..config.project import load_experiment
from ..core.errors import EndpointError
from ..core.io import Strict, load_json
from ..core.records import ModelRecord
from .local_checks import answers_here
from .provider_checks import answers_there, takes_batches, trains_at_openai, trains_at_tinker
from .template_checks import chats_of
from .text_tables import as_text, write_json

Can = Literal["yes", "no", "unknown"]
Finding = tuple[Can, str]


class Check(Strict):
    """What one model is needed for, and whether it can."""

    role: str
    needed_for: str
    model: str
    where: str
    can: Can
    why: str


def preflight(experiment: str, root: str | Path = ".") -> list[Check]:
    """Ask every endpoint about every model; one check per model and purpose.

    Args:
        experiment: its name.
        root: the project.
    """
    known: dict[str, Finding] = {}
    checks = []
    declared = load_experiment(experiment, root)
    for role, purpose, served, ask in _needs(declared, Path(root)):
        question = f"{purpose} {served.served}"
        if not served.hosted:
            question += f" {served.template_changes} {served.revision} {chats_of(declared, role)}"
        if question not in known:
            known[question] = ask()
        can, why = known[question]
        where = (served.api.base_url if served.api else None) or "the provider's server"
        checks.append(
            Check(
                role=role,
                needed_for=purpose,
                model=_name(served),
                where=f"{served.endpoint}, {where}" if served.hosted else served.endpoint,
                can=can,
                why=why,
            )
        )
    return checks


def _needs(experiment: Experiment, root: Path) -> Iterator[tuple[str, str, Served, Callable[[], Finding]]]:
    trained = {f"base {target.base}" for target in experiment.targets.values() if target.trained}
    battery = load_battery(root / "battery" / experiment.battery)
    for role, served in experiment.models.items():
        if not served.hosted:
            pretrained = isinstance(served, Base) and served.pretraining is not None
            chats, record = chats_of(experiment, role, battery), _record(experiment, role, root)
            yield role, "answers", served, partial(answers_here, served, pretrained, root, chats, record)
            continue
        yield role, "answers", served, partial(answers_there, served)
        if served.api and served.api.batch:
            yield role, "batches", served, partial(takes_batches, served)
        if role in trained and isinstance(served, Base):
            ask = {"openai": trains_at_openai, "tinker": trains_at_tinker}[str(served.finetuning)]
            yield role, "fine-tuning", served, partial(ask, served)


def _name(served: Served) -> str:
    if served.package:
        return f"{served.package.file} of {served.package.name} {served.package.version}"
    return served.model or "pretrained here"


def _record(experiment: Experiment, role: str, root: Path) -> ModelRecord | None:
    """What was found when the model was looked at before."""
    kind, _, name = role.partition(" ")
    file = root / "results" / experiment.name / f"{kind}s" / name / "model.json"
    return load_json(ModelRecord, file) if file.exists() else None


def print_preflight(experiment: str) -> None:
    """Print the checks as one table, and leave them as ``results/<experiment>/preflight.json``.

    Raises:
        EndpointError: some model cannot do what the experiment needs of it.
    """
    checks = preflight(experiment)
    columns = list(Check.model_fields)
    print(as_text(columns, [list(check.model_dump().values()) for check in checks]) + "\n")
    unable = [check for check in checks if check.can == "no"]
    unknown = sum(check.can == "unknown" for check in checks)
    write_json(
        Path("results") / experiment / "preflight.json",
        experiment,
        [check.model_dump() for check in checks],
        {"checks": len(checks), "no": len(unable), "unknown": unknown, "possible": not unable},
    )
    if unable:
        what = ", ".join(f"{check.role} ({check.needed_for})" for check in unable)
        raise EndpointError(f"{experiment}: {len(unable)} of {len(checks)} things cannot be done now: {what}")
    print(f"{experiment}: nothing stands against it" + f", {unknown} of {len(checks)} not known" * bool(unknown))
