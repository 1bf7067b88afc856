"""Models of the hub: a commit of one, in the hub's own cache on this machine, or downloaded into it."""

from __future__ import annotations

import errno
from pathlib import Path

from ..core.errors import EndpointError

GATED = (
    "on the hub, but only for those whom its owner lets in: ask for access on its page there, then set HF_TOKEN to a "
    "token of yours"
)
UNKNOWN = "neither a folder nor a model of the hub (or a private one, for which HF_TOKEN is missing)"
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.ENOSPC, errno.EDQUOT)


def cached(model: str, revision: str, patterns: list[str] | None = None) -> Path | None:
    """The folder of a revision that was downloaded before; None if there is none. Asks nobody.

    Args:
        model: ``owner/name``.
        revision: a commit, branch or tag; '' is the main branch.
        patterns: of the files that must be there.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, revision=revision or None, allow_patterns=patterns, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None


def download(model: str, revision: str, patterns: list[str]) -> Path:
    """The folder of a revision, downloaded as far as it is not there; its name is the commit.

    Args:
        model: ``owner/name``.
        revision: a commit, branch or tag; '' is the main branch.
        patterns: of the files that are wanted.

    Raises:
        EndpointError: why there is none, in a line.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, revision=revision or None, allow_patterns=patterns))
    except Exception as error:  # its own errors, those of its HTTP client, and of the disk
        at = f" at revision {revision}" if revision else ""
        raise EndpointError(f"{model}{at}: {problem(error)}") from None


def problem(error: Exception) -> str:
    """What the hub's client means, and what to do: the same words before a run and in it."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if isinstance(error, GatedRepoError):
        return GATED
    if isinstance(error, RepositoryNotFoundError):
        return UNKNOWN
    if isinstance(error, RevisionNotFoundError):
        return "the hub has no such revision of it (any more); expected a branch, a tag or a commit"
    if (status := _status(error)) in (401, 403):
        return f"the hub lets nobody in with this HF_TOKEN, or without one (status {status})"
    if isinstance(error, LocalEntryNotFoundError):
        return f"neither a folder nor a model that can be downloaded: {said}"
    if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
        return (
            f"the hub's cache {constants.HF_HUB_CACHE} cannot be written ({error.strerror}); set HF_HOME to a folder "
            "that can, with room for the model"
        )
    return f"neither a folder nor a model that can be downloaded: {type(error).__name__}: {said}"


def is_final(error: Exception) -> bool:
    """Whether asking the hub again would bring the same: there is no such model or revision, or nobody may have it."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    return isinstance(error, RepositoryNotFoundError | RevisionNotFoundError) or _status(error) in (401, 403)


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def commit_of(folder: Path) -> str:
    """The commit that a folder of the hub's cache holds."""
    return folder.name
