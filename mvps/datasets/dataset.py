"""What a reader returns, what it may be told, and how what it meets becomes a few findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mvps.datasets.record import Record
from mvps.datasets.tree import Tree
from mvps.files import natural_key
from mvps.findings import Finding

EXAMPLES = 3  # names that a finding shows


@dataclass(frozen=True)
class ReadOptions:
    """What a user may tell a reader.

    Attributes
    ----------
    categories : to be read; empty for all
    patterns : of files, for layouts of one's own
    lists, images : folder of the lists, and of the images, where a data set has several
    labels : table of labels; by default ``labels.csv`` of the data folder
    test_share : of the sound samples, for layouts that do not say what is for testing
    """

    categories: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    lists: str = ""
    images: str = ""
    labels: Path | None = None
    test_share: float = 0.3

    def wants(self, category: str) -> bool:
        """Whether a category is to be read."""
        return not self.categories or category in self.categories


@dataclass(frozen=True)
class Dataset:
    """What was found in a data folder.

    Attributes
    ----------
    root : the data folder
    layout : name of the layout
    records : in natural order of category, sample and view
    findings : of the reader
    """

    root: Path
    layout: str
    records: tuple[Record, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories, in natural order."""
        return tuple(dict.fromkeys(record.category for record in self.records))


@dataclass(frozen=True)
class Layout:
    """One way in which data sets lie on disk.

    Attributes
    ----------
    name, title : for options, and for messages
    recognises : whether a folder looks like it; lists few folders, opens no image
    read : all its records
    """

    name: str
    title: str
    recognises: Callable[[Tree], bool]
    read: Callable[[Tree, ReadOptions], Dataset]


@dataclass
class Tally:
    """Names of what is odd, by kind, folded into one finding a kind.

    A hundred thousand missing files are one line with a count and three names.
    """

    _kinds: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    _counts: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, level: Literal["error", "warning"], code: str, what: str, name: str) -> None:
        """Count one thing; ``what`` reads after "N times: "."""
        key = (level, code, what)
        self._counts[key] = self._counts.get(key, 0) + 1
        names = self._kinds.setdefault(key, [])
        if len(names) < EXAMPLES:
            names.append(name)

    def findings(self) -> tuple[Finding, ...]:
        """One finding a kind, in the order in which they were met."""
        return tuple(
            Finding(level, code, f"{what}: {self._shown(key, names)}")  # type: ignore[arg-type]
            for key, names in self._kinds.items()
            for level, code, what in (key,)
        )

    def _shown(self, key: tuple[str, str, str], names: list[str]) -> str:
        count = self._counts[key]
        return f"{count:,}, as {', '.join(names)}" if count > 1 else names[0]


def in_order(records: Sequence[Record]) -> tuple[Record, ...]:
    """Records by category, sample and view, numbers by value."""
    keys: dict[str, tuple[tuple[int, int, str], ...]] = {}

    def key(text: str) -> tuple[tuple[int, int, str], ...]:
        if text not in keys:
            keys[text] = natural_key(text)
        return keys[text]

    return tuple(sorted(records, key=lambda r: (key(r.category), key(r.sample), key(r.view))))


def split_note(options: ReadOptions) -> str:
    """What is said where nothing on disk tells training from testing."""
    return (
        f"nothing says what is for testing; taken for it are {options.test_share:.0%} of the sound "
        "samples, chosen by name, and all defective ones"
    )
