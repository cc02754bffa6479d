"""YAML read by schema: texts with their lines, never YAML's own guesses about types.

A scalar stays the text that the file holds (``3.10``, ``2025-1-24 15:54:51``, ``007``); aliases,
tags and repeated keys are refused, so a small file can neither grow in memory nor hide a value.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvps.errors import InputError
from mvps.files import read_text
from mvps.numbers import number_fault, parse_integer, parse_number

if TYPE_CHECKING:
    import yaml

MAX_YAML_BYTES = 1 << 20
MAX_DEPTH = 32
_NULL_TAG = "tag:yaml.org,2002:null"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known word, else the list of what is known."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else "known are " + ", ".join(known)


@dataclass(frozen=True)
class Node:
    """One YAML value with its place: ``file``, ``line`` (from 1) and dotted ``key``."""

    value: str | dict[str, Node] | list[Node] | None
    file: Path
    line: int
    key: str

    def fault(self, what: str, remedy: str = "", code: str = "") -> InputError:
        """InputError that names file, line and dotted key."""
        label = f"{self.key}: " if self.key else ""
        return InputError(f"{self.file}, line {self.line}", label + what, remedy, code)

    def text(self) -> str:
        """Non-empty scalar as the file spells it."""
        if isinstance(self.value, dict):
            raise self.fault("expected text, found a mapping", "quote a value that starts with {")
        if not isinstance(self.value, str) or not self.value:
            raise self.fault(f"expected text, found {self._kind()}")
        return self.value

    def number(self) -> float:
        """Scalar as a finite float."""
        text = self.text()
        value = parse_number(text)
        if value is None:
            raise self.fault(number_fault(text), code="not-finite" if _not_finite(text) else "")
        return value

    def integer(self, low: int, high: int) -> int:
        """Scalar as an integer in ``low..high``."""
        text = self.text()
        value = parse_integer(text)
        if value is None:
            raise self.fault(f"{text!r} is not a whole number")
        if not low <= value <= high:
            raise self.fault(f"{value} is outside {low}..{high}")
        return value

    def choice(self, options: Iterable[str]) -> str:
        """Scalar that is one of ``options``."""
        options = list(options)
        text = self.text()
        if text not in options:
            raise self.fault(f"unknown value {text!r}", did_you_mean(text, options))
        return text

    def mapping(
        self, known: Iterable[str] | None = None, required: Iterable[str] = ()
    ) -> dict[str, Node]:
        """Mapping whose keys are all in ``known`` (any when None) and hold all ``required``."""
        if not isinstance(self.value, dict):
            raise self.fault(f"expected a mapping, found {self._kind()}")
        known = None if known is None else list(known)
        for name, node in self.value.items():
            if known is not None and name not in known:
                raise node.fault("unknown key", did_you_mean(name, known))
        required = list(required)
        for name in required:
            if name not in self.value:
                strange = [key for key in self.value if key not in required]
                near = difflib.get_close_matches(name, strange, n=1)
                hint = f"did you mean it by {near[0]!r}?" if near else ""
                raise self.fault(f"the key {name!r} is missing", hint)
        return self.value

    def sequence(self) -> list[Node]:
        """List of nodes."""
        if not isinstance(self.value, list):
            raise self.fault(f"expected a list, found {self._kind()}")
        return self.value

    def _kind(self) -> str:
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        return "nothing" if not self.value else "text"


def read_yaml(path: Path) -> Node:
    """The one document of a YAML file.

    Raises
    ------
    InputError
        The file is missing, above 1 MiB, not YAML, nested too deeply, or holds an alias, a tag, a
        repeated key or a second document; the message names the line.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path) -> Node:
    """The one document of a YAML text read from ``path``; faults as in :func:`read_yaml`."""
    if len(text) > MAX_YAML_BYTES:
        raise InputError(path, "larger than 1 MiB, so not a file of this kind")
    import yaml

    try:
        _refuse_surprises(text, path)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise InputError(path, "the file is empty")
        return _convert(root, path, "")
    except yaml.MarkedYAMLError as error:
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise _at(path, error.problem_mark or error.context_mark, f"not YAML: {what}") from None
    except yaml.YAMLError as error:
        raise InputError(path, f"not YAML: {error}") from None


def _refuse_surprises(text: str, path: Path) -> None:
    """Stop at the first alias, tag or deep nesting; events are parsed one by one, nothing grows."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _at(path, event.start_mark, "aliases (*name) are not read", "repeat the text")
        if (tag := getattr(event, "tag", None)) is not None:
            raise _at(path, event.start_mark, f"the tag {tag!r} is not read", "remove it")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _at(path, event.start_mark, "nested too deeply")


def _not_finite(text: str) -> bool:
    """Whether a text spells NaN or infinity (``.nan``, ``-Inf``, ``1e999``)."""
    sign, rest = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    try:
        return not math.isfinite(float(sign + rest.removeprefix(".").lower()))
    except ValueError:
        return False


def _convert(node: yaml.Node, path: Path, key: str) -> Node:
    import yaml

    line = node.start_mark.line + 1
    value: Any = None
    if isinstance(node, yaml.MappingNode):
        value = {}
        for name, line_of_key, child in _pairs(node, path):
            if name in value:
                first = value[name].line
                what = f"the key {name!r} repeats that of line {first}"
                raise InputError(f"{path}, line {line_of_key}", what, code="duplicate-key")
            child_key = f"{key}.{name}" if key else name
            converted = _convert(child, path, child_key)
            value[name] = Node(converted.value, path, line_of_key, child_key)
    elif isinstance(node, yaml.SequenceNode):
        value = [_convert(child, path, f"{key}[{i}]") for i, child in enumerate(node.value)]
    elif node.tag != _NULL_TAG:
        value = str(node.value)
    return Node(value, path, line, key)


def _pairs(node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, int, yaml.Node]]:
    import yaml

    for key, child in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _at(path, key.start_mark, "a key is not plain text", "quote it")
        yield str(key.value), key.start_mark.line + 1, child


def _at(path: Path, mark: Any, what: str, remedy: str = "") -> InputError:
    where = f"{path}, line {mark.line + 1}" if mark is not None else path
    return InputError(where, what, remedy)
