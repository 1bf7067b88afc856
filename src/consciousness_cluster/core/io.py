"""Reading the files that users write: YAML and JSONL into pydantic models, mistakes into one readable line."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import UnionType
from typing import IO, Any, TypeVar, dataclass_transform, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import ConfigError, DataError, nearest


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class Strict(BaseModel):
    """Base of every model at a file boundary: unknown keys are mistakes, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML as usual, but a key given twice is an error instead of a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key_node.tag != "tag:yaml.org,2002:merge" and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate name {key!r}", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e-3 as a word, because it wants a point; everybody means the number
_UniqueKeyLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: str | Path, what: str = "file") -> Any:
    """Parse one YAML file.

    Raises:
        ConfigError: the file is missing, is not YAML, or gives a key twice.
    """
    path = Path(path)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)
    except (FileNotFoundError, IsADirectoryError):
        there = [p.stem for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise ConfigError(path, [f"{what} not found{nearest(path.stem, there)}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(path, [f"not valid UTF-8: {error.reason} at byte {error.start}"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(path, [f"not valid YAML: {problem}" + f" (line {mark.line + 1})" * bool(mark)]) from None


def load_yaml(model: type[Model], path: str | Path, what: str = "file") -> Model:
    """Read one YAML file into ``model``.

    Raises:
        ConfigError: with one line per mistake: key, what was found, what was expected, nearest valid name.
    """
    content = read_yaml(path, what)
    if not isinstance(content, dict):
        raise ConfigError(path, [f"found {type(content).__name__}, expected a mapping of keys"])
    return validate(model, content, path)


def validate(model: type[Model], content: dict, path: str | Path) -> Model:
    """Validate ``content`` (from ``path``) against ``model``; see `load_yaml`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(path, [describe(model, problem) for problem in error.errors()]) from None


def describe(model: type[BaseModel], problem: Any) -> str:
    """Turn one pydantic problem into ``key: found ..., expected ...``."""
    keys, beside = _walk(model, problem["loc"])
    key = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(keys[-1], beside)}"
    if problem["type"] == "missing":
        return f"{key}: missing, but required"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}" if key else str(problem["ctx"]["error"])
    if problem["type"] == "string_pattern_mismatch":
        return f"{key}: found {problem['input']!r}, expected a name that matches {problem['ctx']['pattern']}"
    if problem["type"] == "union_tag_not_found":
        return f"{key}.{problem['ctx']['discriminator'].strip(chr(39))}: missing, but required"
    if problem["type"] == "union_tag_invalid":
        kinds = [kind.strip("' ") for kind in problem["ctx"]["expected_tags"].split(",")]
        where = f"{key}.{problem['ctx']['discriminator'].strip(chr(39))}"
        return f"{where}: unknown {problem['ctx']['tag']!r}{nearest(problem['ctx']['tag'], kinds)}"
    return f"{key}: found {problem['input']!r}, expected {problem['msg'].removeprefix('Input should be ')}"


def _walk(model: type[BaseModel], location: tuple) -> tuple[list[str], list[str]]:
    """The keys of a place as they stand in the file, and the valid keys beside the last one."""
    keys: list[str] = []
    here, holder = _section(model), None
    for part in location:
        if isinstance(here, dict):  # a section of several kinds: pydantic's path names the kind, the file's does not
            here = here.get(part)
            continue
        keys.append(str(part))
        holder = here
        if _is_model(here):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
            if get_origin(here) is UnionType:  # an optional section
                here = _section(here)
        else:  # a mapping or list of sections: this part is its key
            here = _section(here)
    return keys, list(holder.model_fields) if _is_model(holder) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _section(annotation: Any) -> type[BaseModel] | dict[str, type[BaseModel]] | None:
    """The model within an annotation; where there are several kinds of it, each by its kind."""
    if _is_model(annotation):
        return annotation
    told_apart_by = [found for extra in getattr(annotation, "__metadata__", ()) if (found := _discriminator(extra))]
    if told_apart_by:
        kinds = get_args(get_args(annotation)[0])
        return {get_args(kind.model_fields[told_apart_by[0]].annotation)[0]: kind for kind in kinds}
    for argument in get_args(annotation):
        found = _section(argument)
        if found is not None:
            return found
    return None


def _discriminator(extra: Any) -> str | None:
    found = getattr(extra, "discriminator", None)
    return found if isinstance(found, str) else None


def read_rows(model: type[Model], path: str | Path) -> list[Model]:
    """Read a JSONL file into a list of ``model``.

    Raises:
        DataError: the file is missing, or a line does not parse (its number is given).
    """
    return list(iterate_rows(model, path))


def iterate_rows(model: type[Model], path: str | Path) -> Iterator[Model]:
    """Like `read_rows`, one row at a time."""
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield model.model_validate_json(line)
                except ValidationError as error:
                    first = describe(model, error.errors()[0])
                    raise DataError(f"{path}: line {number}: {first}") from None
    except FileNotFoundError:
        raise DataError(f"{path}: not found, expected a JSONL file of {model.__name__}") from None


def load_json(model: type[Model], path: str | Path) -> Model:
    """Read a file that holds one JSON object; see `read_rows` for errors."""
    return next(iterate_rows(model, path))


def write_rows(path: str | Path, rows: Iterable[BaseModel]) -> None:
    """Write rows as JSONL, atomically, keys in the order of the model."""
    write_text(path, "".join(row.model_dump_json() + "\n" for row in rows))


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, atomically, in UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file under a temporary name beside ``path`` and rename it, so that it is whole or absent."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def cut_torn_line(file: IO[bytes]) -> None:
    """Leave an append-only file ending after its last newline: what follows is half a row of a killed process."""
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)
