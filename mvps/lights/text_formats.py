"""Light descriptions in plain text: the DiLiGenT pair of tables and the RTI ``.lp`` file.

DiLiGenT: Shi et al., TPAMI 2019, one light a row. RTI: first line the count, then ``name x y z``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.files import read_text
from mvps.lights.rig import UNIT_TOLERANCE, LightRig, flips
from mvps.numbers import number_fault, parse_integer, parse_number

DIRECTIONS_NAME = "light_directions.txt"


def read_pair(
    path: Path, *, intensities: Path | None = None, convention: str | None = None
) -> LightRig:
    """Rig from a table of K rows ``x y z`` and, beside it, K rows of 1 or 3 intensities.

    The intensities are those of the file given, else of the file whose name has ``intensities``
    where this one has ``directions``, else 1.
    """
    rows = _read_table(path, columns=(3,), what="directions")
    directions = rows.values * flips(convention or "opengl", str(path))
    _check_unit(rows, path)
    beside = path.with_name(path.name.replace("directions", "intensities"))
    if intensities is None and beside != path and beside.is_file():
        intensities = beside
    values = np.ones(len(directions))
    if intensities is not None:
        table = _read_table(intensities, columns=(1, 3), what="intensities")
        if len(table.values) != len(directions):
            raise InputError(
                intensities,
                f"{len(table.values)} rows of intensities for {len(directions)} directions "
                f"in {path.name}",
            )
        for line, row in zip(table.lines, table.values, strict=True):
            if not (row > 0).all():
                raise InputError(f"{intensities}, line {line}", "the intensity is not positive")
        values = table.values[:, 0] if table.values.shape[1] == 1 else table.values
    return LightRig(directions, values, source=str(path))


def read_lp(path: Path, *, convention: str | None = None) -> LightRig:
    """Rig from an RTI ``.lp`` file; the names stay as the file spells them.

    Directions of a common radius other than 1 (within 1%) are normalised, with a note.
    """
    lines = _numbered_lines(path)
    if not lines:
        raise InputError(path, "the file is empty")
    (first_line, first), *rest = lines
    count = parse_integer(first)
    if count is None:
        raise InputError(
            f"{path}, line {first_line}",
            f"expected the number of lights alone, found {first[:40]!r}",
            "the first line of a .lp file is the count",
        )
    if count != len(rest):
        raise InputError(
            f"{path}, line {first_line}",
            f"the count says {count} lights, but {len(rest)} rows follow",
        )
    if not rest:
        raise InputError(path, "holds no light")
    names: list[str] = []
    vectors = np.empty((len(rest), 3))
    for i, (line, text) in enumerate(rest):
        name, vectors[i] = _lp_row(f"{path}, line {line}", text)
        names.append(name)
    numbers = [line for line, _ in rest]
    radius = _common_radius(vectors, numbers, path)
    notes: tuple[str, ...] = ()
    if abs(radius - 1) > UNIT_TOLERANCE:
        notes = (f"{path}: directions of common radius {radius:.4g} were normalised",)
    return LightRig(
        vectors / radius * flips(convention or "opengl", str(path)),
        np.ones(len(vectors)),
        names=tuple(names),
        source=str(path),
        notes=notes,
    )


def looks_like_lp(path: Path, text: str) -> bool:
    """Whether a text is a ``.lp`` file: by its ending, its count, or names before the numbers."""
    first = text.lstrip().split("\n", 1)[0].split()
    if path.suffix.lower() == ".lp" or (len(first) == 1 and first[0].isdigit()):
        return True
    return len(first) == 4 and parse_number(first[0]) is None and parse_number(first[3]) is not None


class _Table:
    """Rows of numbers with the line each stands on."""

    def __init__(self, values: NDArray[np.float64], lines: list[int]) -> None:
        self.values = values
        self.lines = lines


def _read_table(path: Path, *, columns: tuple[int, ...], what: str) -> _Table:
    rows: list[list[float]] = []
    lines: list[int] = []
    for line, text in _numbered_lines(path):
        where = f"{path}, line {line}"
        row = [_number(where, part) for part in text.split()]
        allowed = columns if not rows else (len(rows[0]),)
        if len(row) not in allowed:
            expected = " or ".join(str(n) for n in allowed)
            remedy = "write one light a row" if len(row) > 3 else ""
            raise InputError(where, f"{len(row)} numbers, expected {expected}", remedy)
        rows.append(row)
        lines.append(line)
    if not rows:
        raise InputError(path, f"holds no {what}")
    return _Table(np.array(rows), lines)


def _numbered_lines(path: Path) -> list[tuple[int, str]]:
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def _number(where: str, text: str) -> float:
    value = parse_number(text)
    if value is None:
        raise InputError(where, number_fault(text))
    return value


def _lp_row(where: str, text: str) -> tuple[str, list[float]]:
    """Name and vector of ``name x y z``; the name may hold spaces or stand in quotes."""
    parts = text.rsplit(None, 3)
    if len(parts) < 4:
        raise InputError(where, f"expected 'name x y z', found {text[:40]!r}")
    vector = [_number(where, part) for part in parts[1:]]
    return parts[0].strip().strip('"'), vector


def _check_unit(rows: _Table, path: Path) -> None:
    length = np.linalg.norm(rows.values, axis=1)
    for line, value in zip(rows.lines, length, strict=True):
        if abs(value - 1) > UNIT_TOLERANCE:
            raise _not_unit(path, line, value)


def _common_radius(vectors: NDArray[np.float64], lines: list[int], path: Path) -> float:
    """Length that all vectors share within 1%; 1 where they are unit; else InputError."""
    length = np.linalg.norm(vectors, axis=1)
    radius = float(np.median(length))
    if not 1e-12 < radius < 1e12:
        raise InputError(path, f"directions of length {radius:.4g}")
    if (np.abs(length - 1) <= UNIT_TOLERANCE).all():
        return 1.0
    # Most lengths near 1 mean unit vectors with one bad row, not a sphere of another radius.
    reference = 1.0 if abs(radius - 1) <= UNIT_TOLERANCE else radius
    for line, value in zip(lines, length, strict=True):
        if abs(value / reference - 1) > UNIT_TOLERANCE:
            raise _not_unit(
                path, line, value, "" if reference == 1 else f", the others {radius:.4g}"
            )
    return radius


def _not_unit(path: Path, line: int, length: float, others: str = "") -> InputError:
    return InputError(
        f"{path}, line {line}",
        f"the direction has length {length:.4g}, not 1 within 1%{others}",
        "give unit vectors",
    )
