"""The XML of OpenCV's FileStorage read by schema: the nodes of mvps.yaml_nodes, with lines.

A document type, and with it every entity, is refused, so a small file can neither grow in memory
nor reach for another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from mvps.errors import InputError
from mvps.files import read_text
from mvps.yaml_nodes import MAX_DEPTH, MAX_YAML_BYTES, Node

ITEM = "_"  # the name that FileStorage gives to the elements of a list


@dataclass
class _Element:
    name: str
    line: int
    key: str
    children: list[Node] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    text: str = ""
    text_line: int = 0


class _Tree:
    """Nodes built while expat reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack: list[_Element] = []
        self.root: Node | None = None
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, text: str) -> Node:
        try:
            self._parser.Parse(text.encode("utf-8", "surrogatepass"), True)
        except expat.ExpatError as error:
            where = f"{self._path}, line {error.lineno}"
            raise InputError(where, f"not XML: {expat.ErrorString(error.code)}") from None
        if self.root is None:
            raise InputError(self._path, "the file is empty")
        return self.root

    def _fault(self, what: str, remedy: str = "") -> InputError:
        return InputError(f"{self._path}, line {self._parser.CurrentLineNumber}", what, remedy)

    def _doctype(self, *_: object) -> None:
        raise self._fault("a document type and its entities are not read", "remove <!DOCTYPE ...>")

    def _start(self, name: str, _: dict[str, str]) -> None:
        if len(self._stack) > MAX_DEPTH:
            raise self._fault("nested too deeply")
        above = self._stack[-1] if self._stack else None
        key = ""
        if above is not None:
            index = f"{above.key}[{len(above.children)}]"
            label = f"{above.key}.{name}" if above.key else name
            key = index if name == ITEM else label
        self._stack.append(_Element(name, self._parser.CurrentLineNumber, key))

    def _characters(self, text: str) -> None:
        if not self._stack:
            return
        element = self._stack[-1]
        line = self._parser.CurrentLineNumber
        element.text_line = element.text_line or line
        # Comments hide line ends from this handler; the lines of later words must stay right.
        missing = line - element.text_line - element.text.count("\n")
        element.text += "\n" * missing + text

    def _end(self, name: str) -> None:
        element = self._stack.pop()
        node = Node(self._content(element), self._path, element.line, element.key)
        if not self._stack:
            self.root = node
            return
        above = self._stack[-1]
        if name in above.names and name != ITEM:
            first = above.children[above.names.index(name)].line
            what = f"the key {name!r} repeats that of line {first}"
            raise InputError(f"{self._path}, line {element.line}", what, code="duplicate-key")
        above.names.append(name)
        above.children.append(node)

    def _content(self, element: _Element) -> str | dict[str, Node] | list[Node] | None:
        if element.children:
            if ITEM in element.names:
                return element.children
            return dict(zip(element.names, element.children, strict=True))
        text = element.text.strip()
        if element.name == "data":
            return [
                Node(word, self._path, element.text_line + i, f"{element.key}[{n}]")
                for n, (word, i) in enumerate(
                    (word, i)
                    for i, row in enumerate(element.text.split("\n"))
                    for word in row.split()
                )
            ]
        quoted = len(text) > 1 and text[0] == text[-1] == '"'
        return (text[1:-1] if quoted else text) or None


def read_xml(path: Path) -> Node:
    """Mapping of a FileStorage file in XML; ``data`` becomes a list of its words.

    Raises
    ------
    InputError
        The file is missing, above 1 MiB, not XML, nested too deeply, or holds a document type or a
        repeated name; the message names the line.
    """
    text = read_text(path)
    if len(text) > MAX_YAML_BYTES:
        raise InputError(path, "larger than 1 MiB, so not a file of this kind")
    return _Tree(path).read(text)
