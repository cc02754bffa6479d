"""Figures that the Real-IAD-MVN paper published, to print beside ours: tables 2 and 3 by category,
table 4 by row of the ablation. Whoever prints them prints :func:`cautions` with them.

The numbers lie in ``published.json``, digit by digit as they were printed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from mvps.datasets.words import category_of
from mvps.detect.evaluation import means
from mvps.detect.tables import Cell, Printed, Table

AS_PUBLISHED = "as published"
_FILE = "published.json"
_MARK = "†"  # of printed figures that the paper itself contradicts


@dataclass(frozen=True)
class Difference:
    """A printed figure that something else in the paper contradicts.

    Attributes
    ----------
    method, metric : its column
    row : its row, "" for the mean of all rows
    printed : as the table prints it
    other : what the rows give, or what the text says
    """

    method: str
    metric: str
    row: str
    printed: str
    other: str

    @property
    def words(self) -> str:
        """In words."""
        column = " ".join(word for word in (self.method, self.metric) if word)
        if self.row:
            return f"{self.row}, {column}: the table prints {self.printed}, the text {self.other}"
        return f"{column} prints {self.printed}, its rows give {self.other}"


@dataclass(frozen=True)
class PublishedTable:
    """A table of the paper.

    Attributes
    ----------
    number : in the paper
    of : which pictures it is about
    methods, inputs : names of the methods, and what they see; one method "" in table 4
    metrics : of each method
    rows : a cell a method and metric, metrics of the first method first, as printed
    mean : of all rows, as printed; empty in table 4
    text : figures that the text of the paper states otherwise, by row and metric
    """

    number: int
    of: str
    methods: tuple[str, ...]
    inputs: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    mean: tuple[str, ...]
    text: Mapping[str, Mapping[str, str]]

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Method and metric of every cell of a row."""
        return tuple((method, metric) for method in self.methods for metric in self.metrics)

    def column(self, method: str, metric: str) -> dict[str, float]:
        """Figures of a column by row."""
        place = self.columns.index((method, metric))
        return {name: float(cells[place]) for name, cells in self.rows.items()}

    def differences(self) -> tuple[Difference, ...]:
        """Printed means further from the mean of their rows than rounding, and the text's."""
        found = []
        for (method, metric), printed in zip(self.columns, self.mean, strict=False):
            true = float(np.mean(list(self.column(method, metric).values())))
            unit = 10.0 ** -len(printed.partition(".")[2])
            if abs(float(printed) - true) > 0.5 * unit + 1e-9:
                found.append(Difference(method, metric, "", printed, f"{true:.4f}"))
        for row, figures in self.text.items():
            for place, (method, metric) in enumerate(self.columns):
                if metric in figures:
                    printed = self.rows[row][place]
                    found.append(Difference(method, metric, row, printed, figures[metric]))
        return tuple(found)


@dataclass(frozen=True)
class Published:
    """The paper's tables by their numbers, and where they stand."""

    title: str
    authors: str
    identifier: str
    tables: Mapping[int, PublishedTable]

    def source(self, number: int) -> str:
        """Where a table stands."""
        table = self.tables[number]
        first = self.authors.partition(",")[0]
        return f'{first} et al., "{self.title}", {self.identifier}, table {number} ({table.of})'


@cache
def published() -> Published:
    """The tables of the package."""
    stated = json.loads(files("mvps.detect").joinpath(_FILE).read_text(encoding="utf-8"))
    tables = {int(number): _table(int(number), one) for number, one in stated["tables"].items()}
    return Published(**stated["source"], tables=tables)


def _table(number: int, stated: Mapping[str, Any]) -> PublishedTable:
    return PublishedTable(
        number,
        stated["of"],
        tuple(stated["methods"]),
        tuple(stated.get("inputs", ())),
        tuple(stated["metrics"]),
        {name: tuple(cells.split()) for name, cells in stated["rows"].items()},
        tuple(stated["mean"].split()),
        stated.get("text", {}),
    )


def cautions() -> tuple[str, ...]:
    """What must be read with any of the published figures, one line each."""
    tables, words, spreads = published().tables, [], []
    first, second = tables[2], tables[3]
    for metric in first.metrics:
        before, after = (table.column("CPRN", metric) for table in (first, second))
        rise = np.array([after[name] - before[name] for name in before])
        words.append(f"{metric} {rise.mean():+.4f}")
        spreads.append(float(rise.std(ddof=1)))
    return (
        "Published figures are for reference, no targets: CPRN's table 3 is its table 2 with "
        f"{', '.join(words)} in all {len(first.rows)} categories (standard deviation "
        f"{max(spreads):.4f} at most).",
        "The paper's loss supervises the mean over the layers, its map reads the last layer alone: "
        "the defaults here differ, mvps detect train --preset paper follows it to the letter.",
    )


def beside(number: int, ours: Mapping[str, Mapping[str, float]]) -> Table | None:
    """Table 2 or 3 of the paper beside our figures, for the categories that both have.

    Parameters
    ----------
    ours : figures by category and metric; one that is missing is shown as undefined

    Returns
    -------
    None where no category bears the name of one of the paper's.
    """
    paper = published().tables[number]
    names = {name: category_of(name) for name in ours if category_of(name) in paper.rows}
    if not names:
        return None
    rows: list[tuple[Cell, ...]] = []
    for name, known in names.items():
        own = [ours[name].get(metric) for metric in paper.metrics]
        rows.append((name, *own, *map(Printed, paper.rows[known])))
    mean = means(ours[name] for name in names)
    columns = [paper.column(*column) for column in paper.columns]
    theirs = [float(np.mean([c[known] for known in names.values()])) for c in columns]
    rows.append(("mean of these rows", *(mean.get(m) for m in paper.metrics), *theirs))
    wrong = {(one.method, one.metric) for one in paper.differences()}
    printed = [
        Printed(text, _MARK if column in wrong else "")
        for column, text in zip(paper.columns, paper.mean, strict=True)
    ]
    undefined = [None] * len(paper.metrics)
    rows.append((f"mean of {len(paper.rows)}, as printed", *undefined, *printed))
    groups = [
        (f"{method} ({inputs}), {AS_PUBLISHED}", len(paper.metrics))
        for method, inputs in zip(paper.methods, paper.inputs, strict=True)
    ]
    return Table(
        f"published_{number}",
        f"Beside table {number} of the paper, {AS_PUBLISHED}",
        ("category", *paper.metrics, *(metric for _, metric in paper.columns)),
        tuple(rows),
        f"Published by {published().source(number)}. Its pictures are those of Real-IAD-MVN: "
        "figures of other pictures are not comparable. Means of the rows shown are computed here.",
        (("", 1), ("this run", len(paper.metrics)), *groups),
        _footnotes(paper),
    )


def ablation_table() -> Table:
    """Table 4 of the paper, by itself."""
    paper = published().tables[4]
    marks = {(one.row, one.metric): _MARK for one in paper.differences()}
    rows: list[tuple[Cell, ...]] = []
    for name, cells in paper.rows.items():
        row_marks = [marks.get((name, metric), "") for metric in paper.metrics]
        rows.append((name, *map(Printed, cells, row_marks)))
    return Table(
        "published_4",
        f"Table 4 of the paper, {AS_PUBLISHED} (other data: not comparable)",
        ("configuration", *paper.metrics),
        tuple(rows),
        f"Published by {published().source(4)}.",
        footnotes=_footnotes(paper),
    )


def _footnotes(paper: PublishedTable) -> tuple[str, ...]:
    differences = "; ".join(one.words for one in paper.differences())
    notes = (f"{_MARK} {differences}.",) if differences else ()
    return (*cautions(), *notes)
