"""Tables of a report, as text for a page and as CSV, Markdown and LaTeX files."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mvps.files import write_text
from mvps.report.numbers import MISSING

Cell = str | int | float | None
_COMMANDS = {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", MISSING: "--"}


@dataclass(frozen=True)
class Table:
    """Rows of figures under names.

    Attributes
    ----------
    name : of its files
    columns, rows : the first cell of a row names it; fractions are shown with three decimals
    note : how the figures were made
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def texts(self) -> list[list[str]]:
        """Every cell as it is shown."""
        return [[cell_text(cell) for cell in row] for row in self.rows]

    def to_csv(self) -> str:
        """Comma-separated values in full precision, undefined ones empty."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if undefined(cell) else cell for cell in row] for row in self.rows])
        return stream.getvalue()

    def to_markdown(self) -> str:
        """A pipe table under its title."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [self.columns, rule, *self.texts()]
        body = "\n".join("| " + " | ".join(map(_markdown, line)) + " |" for line in lines)
        return f"**{self.title}**\n\n{body}\n" + (f"\n{self.note}\n" if self.note else "")

    def to_latex(self) -> str:
        """A ``tabular`` that needs the package booktabs, its note as a comment."""
        head = " & ".join(map(_latex, self.columns))
        body = "\n".join(" & ".join(map(_latex, row)) + r" \\" for row in self.texts())
        columns = "l" + "r" * (len(self.columns) - 1)
        note = f"% {self.title}. {self.note}\n"
        return (
            f"{note}\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body}\n"
            "\\bottomrule\n\\end{tabular}\n"
        )


def write_tables(tables: Sequence[Table], folder: Path) -> None:
    """Write every table in its three forms."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        forms = {"csv": table.to_csv(), "md": table.to_markdown(), "tex": table.to_latex()}
        for ending, text in forms.items():
            write_text(folder / f"{table.name}.{ending}", text)


def cell_text(cell: Cell) -> str:
    """A cell as it is shown; a dash for what is undefined."""
    if undefined(cell):
        return MISSING
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def undefined(cell: Cell) -> bool:
    """Whether there is nothing to show."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _markdown(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _latex(text: str) -> str:
    escaped = re.sub(r"([&%$#_{}])", r"\\\1", text.replace("\\", "/"))
    for mark, command in _COMMANDS.items():
        escaped = escaped.replace(mark, command)
    return escaped
