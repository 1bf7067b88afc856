"""Whether a model can answer on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..config.model_config import Served
from ..core.errors import EndpointError
from ..inference.vllm_environment import find_interpreter
from .template_checks import Chats, template_problem

Finding = tuple[Literal["yes", "no", "unknown"], str]


def answers_here(served: Served, pretrained: bool, root: Path, chats: Chats | None = None) -> Finding:
    """Look for the engine, the weights and a GPU, without loading anything.

    Args:
        served: the declared model.
        pretrained: whether it is made from a world.
        root: the project.
        chats: what it is asked; None asks nothing about its chat template.
    """
    can, where = _engine(served, root)
    if can == "no":
        return can, where
    found: Finding = ("yes", "pretrained from its world") if pretrained else _weights(str(served.model), root)
    folder = _folder(str(served.model), root) if chats and not pretrained and found[0] == "yes" else None
    if folder and chats and (problem := template_problem(folder, served, chats)):
        return "no", problem
    return found[0], ", ".join(filter(None, [found[1], where, _device()]))


def _engine(served: Served, root: Path) -> Finding:
    if served.endpoint != "vllm":
        return "yes", ""
    try:
        return "yes", f"vLLM of {find_interpreter(root)}"
    except EndpointError as error:
        return "no", f"vLLM: {error}"


def _weights(model: str, root: Path) -> Finding:
    if (root / model / "config.json").exists():
        return "yes", "found in its folder"
    import httpx2
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        snapshot_download(model, local_files_only=True)
        return "yes", "downloaded before"
    except (LocalEntryNotFoundError, OSError):
        pass
    try:
        HfApi().model_info(model, timeout=20)
        return "yes", "not downloaded yet, but on the hub"
    except GatedRepoError:
        return "no", "on the hub, but only for those whom its owner lets in"
    except RepositoryNotFoundError:
        return "no", "neither a folder nor a model of the hub (or a private one)"
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        return "unknown", f"not downloaded, and the hub cannot be asked ({type(error).__name__})"


def _folder(model: str, root: Path) -> Path | None:
    """Where a model's files lie, if they are on this machine."""
    if (root / model / "config.json").exists():
        return root / model
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return None


def _device() -> str:
    import torch

    count = torch.cuda.device_count()
    return f"{count} GPU{'s' * (count > 1)} here" if count else "no GPU here"
