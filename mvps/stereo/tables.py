"""Tables of angular errors as papers print them: a row a method, a column an object, the average.

CSV, Markdown and LaTeX (booktabs) show the same cells; what is not known stays empty.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

from mvps.errors import InputError
from mvps.files import write_text

AVERAGE = "average"
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


@dataclass(frozen=True)
class Row:
    """One method over all objects.

    Attributes
    ----------
    method : what stands in the first column
    errors : mean angular error of each object in degrees, None where there is none
    """

    method: str
    errors: tuple[float | None, ...]

    @property
    def average(self) -> float | None:
        """Mean over the objects; None where an object lacks, for that would be another average."""
        known = [error for error in self.errors if error is not None]
        return math.fsum(known) / len(known) if known and len(known) == len(self.errors) else None

    @property
    def cells(self) -> tuple[float | None, ...]:
        """The errors and their average."""
        return (*self.errors, self.average)


@dataclass(frozen=True)
class ErrorTable:
    """Methods over objects, in degrees.

    Attributes
    ----------
    objects : names, in the order of the columns
    rows : one a method
    notes : sentences that belong below the table, such as where published figures come from

    Raises
    ------
    ValueError
        A row has not one error an object.
    """

    objects: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(row.errors) != len(self.objects) for row in self.rows):
            raise ValueError(f"not every row has {len(self.objects)} errors")

    @property
    def header(self) -> tuple[str, ...]:
        """Titles of the columns."""
        return ("method", *self.objects, AVERAGE)


def as_csv(table: ErrorTable) -> str:
    """Comma-separated values with four decimals, without the notes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.header)
    for row in table.rows:
        writer.writerow([row.method, *(format_error(cell, 4) for cell in row.cells)])
    return text.getvalue()


def as_markdown(table: ErrorTable) -> str:
    """A pipe table with two decimals, the notes below it."""
    lines = [_pipes(table.header), _pipes(["---"] + ["---:"] * (len(table.objects) + 1))]
    lines += [_pipes([row.method, *map(format_error, row.cells)]) for row in table.rows]
    notes = "".join(f"\n{note}\n" for note in table.notes)
    return "\n".join(lines) + "\n" + notes


def as_latex(table: ErrorTable) -> str:
    """A ``tabular`` with the rules of the booktabs package, two decimals, notes as comments."""
    align = "l" + "r" * (len(table.objects) + 1)
    lines = [f"% {note}" for note in table.notes]
    lines += [f"\\begin{{tabular}}{{{align}}}", r"\toprule", _ampersands(table.header), r"\midrule"]
    lines += [_ampersands([row.method, *map(format_error, row.cells)]) for row in table.rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class TableFiles:
    """Where a table goes; None where that form is not wanted.

    Raises
    ------
    InputError
        Two forms share a file, or a folder does not exist: before hours of work, not after.
    """

    csv: Path | None = None
    markdown: Path | None = None
    latex: Path | None = None

    def __post_init__(self) -> None:
        named: dict[Path, str] = {}
        for form, path in self._given():
            if not path.absolute().parent.is_dir() or path.is_dir():
                raise InputError(f"--{form}", f"{path} cannot be a file", "make its folder first")
            if (other := named.setdefault(path.resolve(), form)) != form:
                raise InputError(
                    f"--{form}", f"{path} is that of --{other} as well", "name another"
                )

    def _given(self) -> list[tuple[str, Path]]:
        forms = (("csv", self.csv), ("markdown", self.markdown), ("latex", self.latex))
        return [(form, path) for form, path in forms if path is not None]

    def write(self, table: ErrorTable) -> tuple[Path, ...]:
        """Write every form that is wanted, each atomically."""
        render = {"csv": as_csv, "markdown": as_markdown, "latex": as_latex}
        for form, path in self._given():
            write_text(path, render[form](table))
        return tuple(path for _, path in self._given())


def format_error(error: float | None, digits: int = 2) -> str:
    """Degrees with that many decimals; empty where there is none."""
    return "" if error is None else f"{error:.{digits}f}"


def _pipes(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _ampersands(cells: tuple[str, ...] | list[str]) -> str:
    escaped = ("".join(_LATEX.get(letter, letter) for letter in cell) for cell in cells)
    return " & ".join(escaped) + r" \\"
