"""File patterns with named places, such as ``{category}/{split}/{defect}/{sample}_{modality}.png``.

Within one name between slashes every place but the first is as short as it can be: names are taken
apart from their end, without trying twice, so that no name is slow to read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Formatter

from mvps.datasets.tree import MAX_DEPTH, Tree
from mvps.errors import InputError
from mvps.yaml_nodes import did_you_mean

ANY = "_"  # the place of whatever does not matter
PLACES = ("category", "split", "label", "defect", "sample", "view", "modality", ANY)
_WHERE = "--pattern"
_EXAMPLE = "as {category}/{split}/{defect}/{sample}_{view}_{modality}.png"

Part = tuple[tuple[str, str], ...]  # of one name: literal text, then the place behind it or ""
Values = Mapping[str, str]


@dataclass(frozen=True)
class FilePattern:
    """A pattern, one part a folder and the last one for the file.

    Attributes
    ----------
    text : as it was written
    parts : see :data:`Part`; the last literal of each stands behind its last place
    places : named in it
    """

    text: str
    parts: tuple[Part, ...]

    @property
    def places(self) -> frozenset[str]:
        """Names of its places."""
        named = {place for part in self.parts for _, place in part}
        return frozenset(named - {"", ANY})

    def parse(self, file: str) -> dict[str, str] | None:
        """Values of the places in a path with slashes, None where it does not fit."""
        names = file.split("/")
        if len(names) != len(self.parts):
            return None
        values: dict[str, str] = {}
        for name, part in zip(names, self.parts, strict=True):
            found = _take_apart(name, part, values)
            if found is None:
                return None
            values |= found
        return values

    def files(self, tree: Tree) -> Iterator[tuple[str, dict[str, str]]]:
        """Files of a tree that fit, and the values of their places."""
        yield from self._walk(tree, "", 0, {})

    def _walk(
        self, tree: Tree, folder: str, level: int, values: dict[str, str]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        listing = tree.list(folder)
        last = level == len(self.parts) - 1
        for name in listing.files if last else listing.folders:
            found = _take_apart(name, self.parts[level], values)
            if found is None:
                continue
            path = f"{folder}/{name}" if folder else name
            if last:
                yield path, values | found
            else:
                yield from self._walk(tree, path, level + 1, values | found)


def parse_pattern(text: str) -> FilePattern:
    """Pattern of a text.

    Parameters
    ----------
    text : a path below the data folder with places in braces; a place that stands twice must hold
        the same text twice; ``{_}`` stands for whatever does not matter

    Raises
    ------
    InputError
        A place is unknown or touches the next one, the path is absolute or leads out of the folder.
    """
    if text.startswith("/") or "\\" in text or ".." in text.split("/"):
        raise _fault(text, "leads out of the data folder", "write a path below it, with /")
    tokens = _tokens(text)
    parts: list[list[tuple[str, str]]] = [[]]
    pending = ""
    for literal, place in tokens:
        *whole, rest = literal.split("/")
        for name in whole:
            parts[-1].append((pending + name, ""))
            parts.append([])
            pending = ""
        pending += rest
        if place:
            if not pending and parts[-1]:
                before = parts[-1][-1][1]
                what = f"has nothing between {{{before}}} and {{{place}}}"
                raise _fault(text, what, "put a sign between them, as _")
            parts[-1].append((pending, place))
            pending = ""
    parts[-1].append((pending, ""))
    if any(part == [("", "")] for part in parts):
        raise _fault(text, "holds an empty name", _EXAMPLE)
    if len(parts) > MAX_DEPTH:
        raise _fault(text, f"has more than {MAX_DEPTH} folders", _EXAMPLE)
    return FilePattern(text, tuple(tuple(part) for part in parts))


def _tokens(text: str) -> list[tuple[str, str]]:
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise _fault(text, f"is no pattern ({error})", _EXAMPLE) from None
    tokens = []
    for literal, place, form, conversion in parsed:
        if place is not None and (form or conversion or place not in PLACES):
            hint = did_you_mean(place, PLACES)
            raise _fault(text, f"has the unknown place {{{place}}}", hint)
        tokens.append((literal, place or ""))
    return tokens


def _take_apart(name: str, part: Part, bound: Values) -> dict[str, str] | None:
    """Values of the places of one name, from its end; None where it does not fit."""
    *places, (tail, _) = _bound_spelt(part, bound)
    if not places:
        return {} if name == tail else None
    if not name.endswith(tail):
        return None
    end = len(name) - len(tail)
    values: dict[str, str] = {}
    for index in range(len(places) - 1, -1, -1):
        literal, place = places[index]
        if index == 0:
            start = len(literal) if name.startswith(literal) else end
        else:
            at = name.rfind(literal, 0, max(end - 1, 0))
            start = at + len(literal) if at >= 0 else end
        value = name[start:end]
        if not value or value != values.get(place, value):
            return None
        if place != ANY:
            values[place] = value
        end = start - len(literal)
    return values


def _bound_spelt(part: Part, bound: Values) -> Part:
    """A part in which places that folders above have filled are literal text."""
    spelt: list[tuple[str, str]] = []
    pending = ""
    for literal, place in part:
        pending += literal
        if place in bound:
            pending += bound[place]
        else:
            spelt.append((pending, place))
            pending = ""
    return tuple(spelt)


def _fault(text: str, what: str, remedy: str) -> InputError:
    return InputError(_WHERE, f"{text[:200]!r} {what}", remedy)
