"""JSON read by schema: the nodes of mvps.yaml_nodes, with lines, from a strict and bounded parser.

Python's own parser keeps the last of two equal keys, takes NaN, and forgets lines.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from mvps.errors import InputError
from mvps.files import read_text
from mvps.yaml_nodes import MAX_DEPTH, Node

MAX_JSON_BYTES = 8 << 20
_BLANK = re.compile(r"[ \t\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_WORD = re.compile(r"[^\s,\]}\[{:\"]{1,20}")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")  # as Python and JavaScript spell them
_LITERALS: dict[str, str | None] = {"true": "true", "false": "false", "null": None}


def read_json(path: Path) -> Node:
    """The value of a JSON file; numbers stay the text that the file holds.

    Raises
    ------
    InputError
        The file is missing, above 8 MiB, not JSON, nested too deeply, or holds a repeated key, NaN
        or an infinity; the message names the line.
    """
    text = read_text(path)
    if len(text) > MAX_JSON_BYTES:
        raise InputError(path, "larger than 8 MiB, so not a file of this kind")
    reader = _Reader(text, path)
    root = reader.value("", 0)
    if reader.peek():
        raise reader.fault("text after the end of the value")
    return root


class _Reader:
    """Position in a JSON text, and its line."""

    def __init__(self, text: str, path: Path) -> None:
        self._text, self._path = text, path
        self._at, self._counted, self._line = 0, 0, 1

    def line(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def fault(self, what: str, code: str = "") -> InputError:
        where = f"{self._path}, line {self.line()}"
        return InputError(where, f"not JSON that is read: {what}", code=code)

    def peek(self) -> str:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        return self._text[self._at : self._at + 1]

    def value(self, key: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.fault("nested too deeply")
        first = self.peek()
        line = self.line()
        content: str | dict[str, Node] | list[Node] | None
        if first == "{":
            content = self._members(key, depth)
        elif first == "[":
            content = self._items(key, depth)
        elif first == '"':
            content = self._string()
        else:
            content = self._scalar()
        return Node(content, self._path, line, key)

    def _members(self, key: str, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while self._next("}", first=not found):
            if self.peek() != '"':
                raise self.fault("expected a key in double quotes")
            line = self.line()
            name = self._string()
            if name in found:
                what = f"the key {name!r} repeats that of line {found[name].line}"
                raise InputError(f"{self._path}, line {line}", what, code="duplicate-key")
            if self.peek() != ":":
                raise self.fault(f"expected ':' after the key {name!r}")
            self._at += 1
            label = f"{key}.{name}" if key else name
            found[name] = Node(self.value(label, depth + 1).value, self._path, line, label)
        return found

    def _items(self, key: str, depth: int) -> list[Node]:
        found: list[Node] = []
        while self._next("]", first=not found):
            found.append(self.value(f"{key}[{len(found)}]", depth + 1))
        return found

    def _next(self, close: str, *, first: bool) -> bool:
        """Step over the opening mark or a comma; False at the end of the collection."""
        self._at += first
        mark = self.peek()
        if mark == close:
            self._at += 1
            return False
        if not first:
            if mark != ",":
                raise self.fault(f"expected ',' or '{close}'")
            self._at += 1
        return True

    def _string(self) -> str:
        match = _STRING.match(self._text, self._at)
        if match is None:
            raise self.fault("a text does not end on its line, or holds a wrong escape")
        self._at = match.end()
        # A lone surrogate could not be written or printed later.
        return str(json.loads(match[0])).encode("utf-8", "replace").decode("utf-8")

    def _scalar(self) -> str | None:
        word = _WORD.match(self._text, self._at)
        if word is not None and word[0] in _LITERALS:
            self._at = word.end()
            return _LITERALS[word[0]]
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            if word is None:
                raise self.fault("expected a value")
            code = "not-finite" if word[0] in _NOT_FINITE else ""
            raise self.fault(f"{word[0]!r} is not a value of JSON", code)
        self._at = number.end()
        return number[0]
