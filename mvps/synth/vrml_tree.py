"""The grammar of VRML 2 (ISO/IEC 14772-1, annex A) as a tree of nodes that know their lines."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mvps.errors import InputError
from mvps.files import read_text
from mvps.numbers import number_fault, parse_number

HEADER = "#VRML V2.0 utf8"
MAX_DEPTH = 64
MAX_TOKENS = 8_000_000
CONSTANTS = ("TRUE", "FALSE", "NULL")
STATEMENTS = ("PROTO", "EXTERNPROTO", "ROUTE")
_TOKEN = re.compile(r'#[^\n]*|"(?:\\.|[^"\\])*"|[{}\[\]]|[^\s,{}\[\]"#]+|"')
_NAME = re.compile(r"[A-Za-z_][^\s,{}\[\]\"#']*")
_NUMERIC = frozenset("0123456789+-.")


@dataclass(frozen=True, eq=False)
class Node:
    """A node of the scene.

    Attributes
    ----------
    kind : "Shape", "Transform", ...
    fields : values by field name: a list of numbers, of nodes, or of words
    line : line number of the kind, from 1
    name : given by DEF, or empty
    """

    kind: str
    fields: dict[str, list[Value]]
    line: int
    name: str = ""


Value = float | str | Node


@dataclass
class _Parser:
    path: Path
    breaks: list[int]
    words: list[str]
    starts: list[int]
    at: int = 0
    named: dict[str, Node] = field(default_factory=dict)

    def error(self, what: str, remedy: str = "", at: int | None = None) -> InputError:
        return InputError(f"{self.path}, line {self.line(at)}", what, remedy)

    def line(self, at: int | None = None) -> int:
        index = min(self.at if at is None else at, len(self.starts) - 1)
        return bisect.bisect(self.breaks, self.starts[index] if index >= 0 else 0) + 1

    def next(self) -> str:
        if self.at >= len(self.words):
            raise self.error("the file ends within a node", "it may be cut off")
        self.at += 1
        return self.words[self.at - 1]

    def peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def node(self, depth: int) -> Node | None:
        """A node, what USE names, or None for NULL."""
        word = self.next()
        start = self.at - 1
        if word == "NULL":
            return None
        if word == "USE":
            name = self.next()
            if name not in self.named:
                raise self.error(f"USE {_shown(name)} names no node that DEF named", at=start)
            return self.named[name]
        name = ""
        if word == "DEF":
            name, word = self.next(), self.next()
        if word in STATEMENTS:
            raise self.error(f"{word} is not understood", "export plain shapes", at=start)
        if not _NAME.fullmatch(word) or self.next() != "{":
            raise self.error(f"{_shown(word)} stands where a node is due", at=start)
        if depth >= MAX_DEPTH:
            raise self.error(f"more than {MAX_DEPTH} nodes within each other", at=start)
        node = Node(word, self.fields(depth + 1), self.line(start), name)
        if name:
            self.named[name] = node
        return node

    def fields(self, depth: int) -> dict[str, list[Value]]:
        found: dict[str, list[Value]] = {}
        while (word := self.next()) != "}":
            if word in STATEMENTS or not _NAME.fullmatch(word):
                raise self.error(f"{_shown(word)} stands where a field is due", at=self.at - 1)
            found[word] = self.values(depth)
        return found

    def values(self, depth: int) -> list[Value]:
        """What follows the name of a field: numbers, a word, a node, or a list of such."""
        word = self.peek()
        if word == "[":
            self.at += 1
            return self.bracket(depth)
        if word[:1] in _NUMERIC:
            return list(self.numbers())
        return self.item(depth)

    def bracket(self, depth: int) -> list[Value]:
        found: list[Value] = []
        while (word := self.peek()) != "]":
            if word[:1] in _NUMERIC and word:
                found.extend(self.numbers())
            else:
                found.extend(self.item(depth))
        self.at += 1
        return found

    def item(self, depth: int) -> list[Value]:
        word = self.peek()
        if word in CONSTANTS or word.startswith('"'):
            if word == '"':
                raise self.error("a text without its closing quotation mark")
            self.at += 1
            return [] if word == "NULL" else [word]
        node = self.node(depth)
        return [] if node is None else [node]

    def numbers(self) -> Iterator[float]:
        while (word := self.peek()) and word[0] in _NUMERIC:
            value = parse_number(word)
            if value is None:
                raise self.error(number_fault(word))
            self.at += 1
            yield value


def parse_vrml(path: Path) -> list[Node]:
    """The nodes of a VRML 2 file, outermost first; what they mean is not looked at.

    Raises
    ------
    InputError
        The file cannot be read, is no VRML 2 text, breaks the grammar (with the line), or uses
        prototypes or routes.
    """
    text = read_text(path)
    if not text.startswith(HEADER):
        old = text.startswith("#VRML V1.0")
        what = "VRML 1.0, not VRML 2" if old else f"does not start with {HEADER!r}"
        raise InputError(f"{path}, line 1", what, "export the part as VRML 2")
    words, starts = [], []
    for token in _TOKEN.finditer(text):
        if not token.group().startswith("#"):
            words.append(token.group())
            starts.append(token.start())
    if len(words) > MAX_TOKENS:
        raise InputError(path, f"more than {MAX_TOKENS} words", "export the part more coarsely")
    breaks = [found.start() for found in re.finditer("\n", text)]
    parser = _Parser(path, breaks, words, starts)
    nodes = []
    while parser.at < len(words):
        node = parser.node(0)
        if node is not None:
            nodes.append(node)
    return nodes


def _shown(word: str) -> str:
    return repr(word if len(word) <= 40 else word[:37] + "...")
