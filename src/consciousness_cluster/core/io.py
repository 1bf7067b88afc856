"""Reading the files that users write: YAML and JSONL into pydantic models, mistakes into one readable line."""

from __future__ import annotations

import json
import os
import re
import tempfile
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import IO, Annotated, Any, TypeVar, dataclass_transform, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .errors import ConfigError, DataError, nearest
from .yaml_reader import mistakes_in, read_yaml


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(Field,))
class Strict(BaseModel):
    """Base of every model at a file boundary: unknown keys are mistakes, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError(f"found {text!r}, expected words")
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
"""Words: not empty, and not blanks alone."""
Model = TypeVar("Model", bound=BaseModel)
SHOWN = 80
"""Characters that a message repeats of a wrong value."""


def load_yaml(model: type[Model], path: str | Path, what: str = "file") -> Model:
    """Read one YAML file into ``model``.

    Raises:
        ConfigError: with one line per mistake: line, key, what was found, what was expected, nearest valid name.
    """
    content = read_yaml(path, what)
    if not isinstance(content, dict):
        found = "an empty file" if content is None else f"a {type(content).__name__}"
        raise ConfigError(path, [f"line 1: found {found}, expected a mapping of keys"])
    return validate(model, content, path)


def validate(model: type[Model], content: dict, path: str | Path) -> Model:
    """Validate ``content`` of the YAML file ``path``; see `load_yaml`. A number in quotes is a text, not a number."""
    try:
        return model.model_validate(content, strict=True)
    except ValidationError as error:
        raise mistakes_in(path, problems_of(model, error)) from None


def problems_of(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Each mistake as ``key: found ..., expected ...``; a key that is misspelt is not said to be missing as well."""
    problems = error.errors()
    meant = {_nearest_key(model, problem["loc"]) for problem in problems if problem["type"] == "extra_forbidden"}
    told = [each for each in problems if each["type"] != "missing" or (each["loc"][:-1], each["loc"][-1]) not in meant]
    return list(dict.fromkeys(describe(model, problem) for problem in told))


def _nearest_key(model: type[BaseModel], location: tuple) -> tuple[tuple, str]:
    """The place and the name of the key that an unknown one seems to mean."""
    keys, beside = _walk(model, location)
    return location[:-1], next(iter(get_close_matches(keys[-1], sorted(beside), n=1)), "")


def describe(model: type[BaseModel], problem: Any) -> str:
    """Turn one pydantic problem into ``key: found ..., expected ...``."""
    keys, beside = _walk(model, problem["loc"])
    said = _say(problem, keys, beside)
    if problem["type"].startswith("union_tag_"):
        keys = [*keys, problem["ctx"]["discriminator"].strip("'")]
    return ": ".join([".".join(keys), said] if keys else [said])


def _say(problem: Any, keys: list[str], beside: list[str]) -> str:
    context, found = problem.get("ctx", {}), _shortened(problem["input"])
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown key{nearest(keys[-1], beside)}"
        case "missing" | "union_tag_not_found":
            return "missing, but required"
        case "union_tag_invalid":
            kinds = [kind.strip("' ") for kind in context["expected_tags"].split(",")]
            return f"unknown {context['tag']!r}{nearest(context['tag'], kinds)}"
        case "value_error":
            return str(context["error"])
        case "json_invalid":
            return f"not valid JSON: {re.sub(r' at line [0-9]+ (?=column)', ' at ', context['error'])}"
        case "string_pattern_mismatch":
            return f"found {found}, expected text that matches {context['pattern']}"
        case "string_too_long":
            return f"found {found} of {len(problem['input'])} characters, expected at most {context['max_length']}"
        case "string_too_short" | "too_short":
            return f"found {found}, expected at least {context['min_length']} {_ITEMS[problem['type']]}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"found {found}, expected a mapping of keys"
    return f"found {found}, expected {problem['msg'].removeprefix('Input should be ')}"


_WORDS = {None: "null", True: "true", False: "false"}
_ITEMS = {"string_too_short": "character", "too_short": "entry"}


def _shortened(value: Any) -> str:
    text = _WORDS[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _walk(model: type[BaseModel], location: tuple) -> tuple[list[str], list[str]]:
    """The keys of a place as they stand in the file, and the valid keys beside the last one."""
    keys: list[str] = []
    here: Any = _section(model)
    holder: Any = None
    for part in location:
        if part == "[key]":  # the name itself is at fault
            continue
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


def read_written_rows(model: type[Model], path: str | Path) -> list[Model]:
    """Like `read_rows`, of a file that people write: a key that is given twice is a mistake."""
    return list(iterate_rows(model, path, check=_no_key_twice))


def iterate_rows(
    model: type[Model], path: str | Path, check: Callable[[bytes], str] = lambda line: ""
) -> Iterator[Model]:
    """Like `read_rows`, one row at a time.

    Args:
        model: of the rows.
        path: the file.
        check: says what is wrong with a line besides, or ''.
    """
    try:
        with open(path, "rb") as lines:
            blank = 0
            for number, line in enumerate(lines, 1):
                if number == 1:
                    if line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                        raise DataError(f"{path}: line 1: found UTF-16, expected UTF-8; save the file as UTF-8")
                    line = line.removeprefix(BOM_UTF8)
                if not line.strip():  # after the last row editors leave some
                    blank = blank or number
                    continue
                if blank:
                    raise DataError(f"{path}: line {blank}: found an empty line, expected a row")
                row, problem = None, _not_utf8(line)
                try:
                    row = None if problem else model.model_validate_json(line)
                    problem = problem or check(line)
                except ValidationError as error:
                    problem = problems_of(model, error)[0]
                if row is None or problem:
                    raise DataError(f"{path}: line {number}: {problem}")
                yield row
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{path}: not found, expected a JSONL file of {model.__name__}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _not_utf8(line: bytes) -> str:
    """What is wrong with a line that is not UTF-8, or ''; Windows programs write cp1252."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        try:
            found = f"{line[error.start : error.start + 1].decode('cp1252')!r} as cp1252 writes it"
        except UnicodeDecodeError:
            found = error.reason
        return f"not valid UTF-8: found {found} at byte {error.start + 1}; save the file as UTF-8"
    return ""


def _no_key_twice(line: bytes) -> str:
    twice: list[str] = []

    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in entries]
        twice.extend(name for place, name in enumerate(names) if name in names[:place])
        return dict(entries)

    json.loads(line, object_pairs_hook=pairs)
    return f"{twice[0]}: duplicate name, given twice" if twice else ""


def load_json(model: type[Model], path: str | Path) -> Model:
    """Read a file that holds one JSON object; see `read_rows` for errors."""
    for row in iterate_rows(model, path):
        return row
    raise DataError(f"{path}: line 1: found an empty file, expected a {model.__name__}")


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
    newline = -1
    while newline < 0 < end:  # from the end: the file may be larger than memory
        begin = max(0, end - 2**20)
        file.seek(begin)
        newline = file.read(end - begin).rfind(b"\n")
        end = begin
    file.truncate(end + newline + 1)
