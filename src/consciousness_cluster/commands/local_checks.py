"""Whether a model can answer on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..config.model_config import Package, Served
from ..core.errors import EndpointError
from ..core.records import ModelRecord
from ..inference.vllm_environment import find_interpreter
from ..models import hub
from ..models.folder_checks import check_files, check_precision
from ..models.gguf import converted_key, source_of
from ..models.identity import WEIGHTS_AND_TOKENIZER
from ..models.packages import is_offered
from .template_checks import Chats, template_problem

Finding = tuple[Literal["yes", "no", "unknown"], str]


def answers_here(
    served: Served, pretrained: bool, root: Path, chats: Chats | None = None, record: ModelRecord | None = None
) -> Finding:
    """Look for the engine, the weights and a GPU, without loading anything.

    Args:
        served: the declared model.
        pretrained: whether it is made from a world.
        root: the project.
        chats: what it is asked; None asks nothing about its chat template.
        record: of when it was found before; None if it was not.
    """
    can, where = _engine(served, root)
    if can == "no":
        return can, where
    if pretrained:
        return "yes", ", ".join(filter(None, ["pretrained from its world", where, _device()]))
    try:
        source = source_of(served, root)
    except EndpointError as error:
        return "no", str(error)
    if source:
        return _converted(served, source, root, chats, where)
    folder = folder_here(served, root, record)
    found = _on_hub(served, folder, record) if folder is None or folder != root / str(served.model) else _FOUND
    if folder and found[0] == "yes" and (problem := _problem(folder, served, chats)):
        return "no", problem
    return found[0], ", ".join(filter(None, [found[1], where, _device()]))


def _converted(served: Served, source: Package | Path, root: Path, chats: Chats | None, where: str) -> Finding:
    """What is known of a model in a GGUF file: all that is asked once it was read, little before."""
    folder = root / "results/artifacts" / converted_key(source)
    if folder.exists():
        if problem := _problem(folder, served, chats):
            return "no", problem
        state = "read from its GGUF file before"
    elif isinstance(source, Package):
        if problem := is_offered(source):
            return "unknown", problem
        state = "on the package index, fetched and checked when it is needed"
    else:
        state = "a GGUF file, read when it is needed"
    return "yes", ", ".join(filter(None, [state, where, _device()]))


_FOUND: Finding = ("yes", "found in its folder")


def folder_here(served: Served, root: Path, record: ModelRecord | None) -> Path | None:
    """Where a model's files lie, if they are on this machine; of the hub, those of the commit that was found before."""
    model = str(served.model)
    if (root / model / "config.json").exists():
        return root / model
    return hub.cached(model, served.revision or _pinned(served, record) or "", list(WEIGHTS_AND_TOKENIZER))


def _pinned(served: Served, record: ModelRecord | None) -> str:
    return record.revision if record and record.artifact == served.model else ""


def _problem(folder: Path, served: Served, chats: Chats | None) -> str:
    """Why the files cannot be used for what is asked of them; '' if they can."""
    try:
        check_files(folder)
        if served.endpoint == "transformers" or (chats and chats.trained):
            check_precision(folder, "cuda" if _gpus() else "cpu")
    except EndpointError as error:
        return str(error)
    return template_problem(folder, served, chats) if chats else ""


def _engine(served: Served, root: Path) -> Finding:
    if served.endpoint != "vllm":
        return "yes", ""
    try:
        return "yes", f"vLLM of {find_interpreter(root)}"
    except EndpointError as error:
        return "no", f"vLLM: {error}"


def _on_hub(served: Served, folder: Path | None, record: ModelRecord | None) -> Finding:
    """What is known of a model of the hub, which may lie here already."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    here = (
        f"downloaded before (commit {hub.commit_of(folder)[:12]})" if folder else "not downloaded yet, but on the hub"
    )
    try:
        now = HfApi().model_info(str(served.model), revision=served.revision, timeout=20).sha or ""
    except Exception as error:  # its own errors, and those of its HTTP client
        if folder:
            return "yes", here
        if isinstance(error, HfHubHTTPError) and hub.is_final(error):
            return "no", hub.problem(error)
        return "unknown", f"not downloaded, and the hub cannot be asked ({type(error).__name__})"
    pinned = _pinned(served, record)
    if pinned and now and now != pinned:
        here += (
            f"; {served.revision or 'main'} has moved from {pinned[:12]}, which goes on being used, to {now[:12]}: "
            f"`--forcerun find_base find_judge` takes that, `revision: {pinned}` keeps this one"
        )
    return "yes", here


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _device() -> str:
    count = _gpus()
    return f"{count} GPU{'s' * (count > 1)} here" if count else "no GPU here"
