"""YAML files that people write: words and numbers as in YAML 1.2, every key once, and the line of every mistake.

libyaml parses, because every Slurm job reads the experiment again: all YAML files of this project take 0.02 s, and
ruamel.yaml, which reads YAML 1.2 and keeps lines too, takes 0.4 to 0.5 s. What a plain word means is decided here:
where YAML 1.1 and 1.2 differ (`no`, `010`, `1:30`), nobody guesses, and the line is named.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml

from .errors import ConfigError, nearest

# the base loader leaves every plain word a text
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_TAG = "tag:yaml.org,2002:"
_KINDS = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}
_MERGE = "<<"
LONGEST_KEY = 100
"""Characters of a key that a message repeats."""

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE, _FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*(_[0-9]+)*)|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*(_[0-9]+)*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORD_OR_TRUTH = re.compile(r"yes|no|on|off", re.IGNORECASE)
_SEVERAL_NUMBERS = re.compile(r"[-+]?(0[0-9_]+(\.[0-9_]*)?|0[bo][0-9_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\ufffd\U00010000-\U0010ffff]|\ufeff(?!\A)")


def read_yaml(path: str | Path, what: str = "file") -> Any:
    """Parse one YAML file.

    Args:
        path: the file.
        what: what it is, for the message where it is missing.

    Returns:
        Mappings, lists, texts, numbers, truth values and None; None for an empty file.

    Raises:
        ConfigError: the file is missing or is not YAML, gives a key twice, or holds a value that readers of YAML
            understand differently; with its line.
    """
    path = Path(path)
    try:
        root = _compose(path, what)
        return None if root is None else _Builder(path).build(root, "")
    except RecursionError:
        raise ConfigError(path, ["line 1: nested too deeply"]) from None


def mistakes_in(path: str | Path, problems: Iterable[str]) -> ConfigError:
    """An error about a YAML file in which each problem begins with the line of its key.

    Args:
        path: the file; it is read again for its lines.
        problems: ``key: what was found, what was expected``; a dotted key that is not in the file gets the line of the
            deepest part that is.
    """
    try:
        root = _compose(Path(path), "file")
    except ConfigError:
        root = None
    if root is None:
        return ConfigError(path, problems)
    return ConfigError(path, [f"line {_line_of(root, problem)}: {_with_short_key(problem)}" for problem in problems])


def _with_short_key(problem: str) -> str:
    key, colon, rest = problem.partition(": ")
    return f"{key[:LONGEST_KEY]}…: {rest}" if colon and len(key) > LONGEST_KEY else problem


def _compose(path: Path, what: str) -> yaml.Node | None:
    """The tree of a file's nodes, each with its line; None for an empty file."""
    text = _text(path, what)
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError(path, [f"line {line}: found the control character {found[0]!r}, expected text"])
    try:
        return yaml.compose(text, _Loader)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        context = getattr(error, "context", None) or ""
        if "quoted" in context or "flow" in context:  # what is never closed is named where it was opened
            mark, problem = getattr(error, "context_mark", None) or mark, f"{context}, {problem}"
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(path, [f"{where}not valid YAML: {problem or error}"]) from None


def _text(path: Path, what: str) -> str:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        there = [p.stem for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise ConfigError(path, [f"{what} not found{nearest(path.stem, there)}"]) from None
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, [f"line {line}: not valid UTF-8: {error.reason} at byte {error.start}"]) from None


class _Builder:
    """Turns nodes into values."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: dict[int, Any] = {}
        self._open: set[int] = set()

    def build(self, node: yaml.Node, key: str) -> Any:
        """The value of a node that stands at a dotted key. A node with several aliases is built once."""
        if id(node) in self._open:
            self._refuse(node, key, "an alias stands within what it names")
        if id(node) not in self._made:
            self._open.add(id(node))
            self._made[id(node)] = self._value(node, key)
            self._open.remove(id(node))
        return self._made[id(node)]

    def _refuse(self, node: yaml.Node, key: str, problem: str) -> NoReturn:
        raise ConfigError(self._path, [f"line {_line(node)}: {key}{': ' * bool(key)}{problem}"])

    def _value(self, node: yaml.Node, key: str) -> Any:
        kind = next(name for each, name in _KINDS.items() if isinstance(node, each))
        if node.tag != _TAG + kind:
            self._refuse(node, key, f"found the tag {node.tag.replace(_TAG, '!!')}, expected a plain value")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(each, _below(key, number)) for number, each in enumerate(node.value)]
        return self._scalar(node, key)

    def _mapping(self, node: yaml.MappingNode, key: str) -> dict[Any, Any]:
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for name_node, value_node in node.value:
            if _merges(name_node):
                if not _can_merge(value_node):
                    self._refuse(name_node, key, "<<: expected an alias of a mapping, or a list of such aliases")
                found = self.build(value_node, _below(key, _MERGE))
                for each in found if isinstance(found, list) else [found]:
                    merged = each | merged
                continue
            if not isinstance(name_node, yaml.ScalarNode):
                self._refuse(name_node, key, "found a list or mapping as a key, expected a name")
            name = self._scalar(name_node, _below(key, name_node.value))
            if name in own:
                self._refuse(name_node, _below(key, name), "duplicate name, given twice")
            own[name] = self.build(value_node, _below(key, name))
        return merged | own

    def _scalar(self, node: Any, key: str) -> Any:
        text: str = node.value
        if node.style:  # in quotes, or a block
            return text
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return bool(_TRUE.fullmatch(text))
        if doubt := _doubt(text):
            self._refuse(node, key, f"found {text}, {doubt}")
        if _INTEGER.fullmatch(text):
            return int(text, 16) if text.startswith("0x") else int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        return text


def _doubt(text: str) -> str:
    """Why nobody can be sure what a plain word means, or ''."""
    if _WORD_OR_TRUTH.fullmatch(text):
        return (
            f"true or false to some readers of YAML and a word to others; expected true, false, or '{text}' in quotes"
        )
    if _SEVERAL_NUMBERS.fullmatch(text):
        return f"not the same number to all readers of YAML; expected a plain decimal number, or '{text}' in quotes"
    if _ENDLESS.fullmatch(text) or (_FLOAT.fullmatch(text) and math.isinf(float(text))):
        return "expected a finite number"
    return ""


def _below(key: str, name: Any) -> str:
    return f"{key}.{name}" if key else str(name)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _merges(name: yaml.Node) -> bool:
    return isinstance(name, yaml.ScalarNode) and name.value == _MERGE and not name.style


def _can_merge(value: yaml.Node) -> bool:
    if isinstance(value, yaml.SequenceNode):
        return all(isinstance(each, yaml.MappingNode) for each in value.value)
    return isinstance(value, yaml.MappingNode)


def _line_of(root: yaml.Node, problem: str) -> int:
    """The line that a problem speaks of: of its dotted key, and of a key within that if the problem names one next."""
    key, _, rest = problem.partition(": ")
    within = rest.partition(": ")[0]
    line, node = _find(root, key)
    if node is not None and " " not in within:
        line = _find(node, within)[0] if _has(node, within) else line
    return line


def _find(node: yaml.Node, key: str) -> tuple[int, yaml.Node | None]:
    """The line of the deepest part of a dotted key that is there; and the value, if all of it is.

    A name may hold dots: the longest that fits is taken.
    """
    line = _line(node)
    while key:
        fitting = [entry for entry in _entries(node) if key == entry[0] or key.startswith(f"{entry[0]}.")]
        if not fitting:
            return line, None
        name, line, node = max(fitting, key=lambda entry: len(entry[0]))
        key = key[len(name) + 1 :]
    return line, node


def _has(node: yaml.Node, key: str) -> bool:
    return bool(key) and _find(node, key)[1] is not None


def _entries(node: yaml.Node) -> Iterator[tuple[str, int, yaml.Node]]:
    """Name, line and value of everything in a mapping or list; what is merged stands where it was written."""
    if isinstance(node, yaml.SequenceNode):
        for number, each in enumerate(node.value):
            yield str(number), _line(each), each
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if not _merges(name):
                yield str(name.value), _line(name), value
        for name, value in node.value:
            if _merges(name):
                for each in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    yield from _entries(each)
