"""Tables of figures, as text for a page and as CSV, Markdown and LaTeX files."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvps.files import write_text

MISSING = "–"  # stands for what is undefined
_COMMANDS = {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    MISSING: "--",
    "±": r"$\pm$",
    "†": r"$\dagger$",
}


@dataclass(frozen=True)
class Printed:
    """A number with the digits that somebody printed, and a mark for a footnote."""

    text: str
    mark: str = ""


Cell = str | int | float | Printed | None


@dataclass(frozen=True)
class Table:
    """Rows of figures under names.

    Attributes
    ----------
    name : of its files
    columns, rows : the first cell of a row names it; fractions are shown with three decimals
    note : how the figures were made
    groups : names above columns, each with the number of columns that it spans; none, or all of
        them; "" names none
    footnotes : one line each
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    groups: tuple[tuple[str, int], ...] = ()
    footnotes: tuple[str, ...] = ()

    @property
    def heads(self) -> tuple[str, ...]:
        """Columns with the names above them."""
        above = [name for name, span in self.groups for _ in range(span)]
        pairs = zip(above or [""] * len(self.columns), self.columns, strict=True)
        return tuple(f"{group}: {column}" if group else column for group, column in pairs)

    def texts(self) -> list[list[str]]:
        """Every cell as it is shown."""
        return [[cell_text(cell) for cell in row] for row in self.rows]

    def to_csv(self) -> str:
        """Comma-separated values in full precision, undefined ones empty, without notes."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.heads)
        writer.writerows([map(_plain, row) for row in self.rows])
        return stream.getvalue()

    def to_json(self) -> dict[str, Any]:
        """What it says, as JSON holds it: a row a mapping, undefined cells null."""
        rows = [dict(zip(self.heads, map(_plain, row), strict=True)) for row in self.rows]
        notes = [note for note in (self.note, *self.footnotes) if note]
        return {"title": self.title, "rows": rows, "notes": notes}

    def to_markdown(self) -> str:
        """A pipe table under its title."""
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [self.heads, rule, *self.texts()]
        body = "\n".join("| " + " | ".join(map(_markdown, line)) + " |" for line in lines)
        notes = "".join(f"\n{note}\n" for note in (self.note, *self.footnotes) if note)
        return f"**{self.title}**\n\n{body}\n{notes}"

    def to_latex(self) -> str:
        """A ``tabular`` that needs the package booktabs; its note is a comment above it."""
        names = [rf"\multicolumn{{{span}}}{{c}}{{{_latex(name)}}}" for name, span in self.groups]
        lines = [" & ".join(names)] if names else []
        lines.append(" & ".join(map(_latex, self.columns)))
        head = "".join(rf"{line} \\" + "\n" for line in lines)
        body = "".join(" & ".join(map(_latex, row)) + " \\\\\n" for row in self.texts())
        columns = "l" + "r" * (len(self.columns) - 1)
        notes = "".join(rf"\par{{\footnotesize {_latex(note)}}}" + "\n" for note in self.footnotes)
        return (
            f"% {self.title}. {self.note}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head}"
            f"\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n{notes}"
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
    if isinstance(cell, Printed):
        return cell.text + cell.mark
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def undefined(cell: Cell) -> bool:
    """Whether there is nothing to show."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _plain(cell: Cell) -> str | int | float | None:
    if undefined(cell):
        return None
    return cell.text if isinstance(cell, Printed) else cell


def _markdown(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _latex(text: str) -> str:
    escaped = re.sub(r"([&%$#_{}])", r"\\\1", text.replace("\\", "/"))
    for mark, command in _COMMANDS.items():
        escaped = escaped.replace(mark, command)
    return escaped
