"""The pair of tables of DiLiGenT (Shi et al., TPAMI 2019): K directions, K intensities.

White space parts the numbers, whatever the line ends.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.files import write_text
from mvps.lights.losses import held_losses
from mvps.lights.rig import UNIT_TOLERANCE, LightRig, flips
from mvps.lights.text_rows import not_unit, number_at, numbered_lines, spelt

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
    beside = intensities_beside(path)
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


def intensities_beside(path: Path) -> Path:
    """The table of intensities that goes with a table of directions; itself where none can."""
    return path.with_name(path.name.replace("directions", "intensities"))


def pair_losses(rig: LightRig) -> tuple[str, ...]:
    """What the two tables cannot hold of a rig."""
    return held_losses(rig, "names", "positions", "axes", "mu")


def write_pair(rig: LightRig, path: Path) -> tuple[Path, ...]:
    """Write both tables; ``path`` is the table of directions, or a folder for both.

    Raises
    ------
    InputError
        The intensities differ from 1, and no name beside the table of directions can hold them.
    """
    path, *others = pair_files(path)
    if not others and (rig.intensities != 1).any():
        raise InputError(
            path,
            "no table of intensities can stand beside this name",
            f"name it {DIRECTIONS_NAME}",
        )
    path.parent.mkdir(exist_ok=True)
    tables = (rig.directions, rig.intensities.reshape(len(rig), -1))
    files = (path, *others)
    for file, values in zip(files, tables, strict=False):
        write_text(file, "".join(spelt(row) + "\n" for row in values.tolist()))
    return files


def pair_files(path: Path) -> tuple[Path, ...]:
    """The tables of a pair at ``path``, a folder or a table: directions, and intensities if any."""
    if path.is_dir() or not path.suffix:
        path = path / DIRECTIONS_NAME
    beside = intensities_beside(path)
    return (path,) if beside == path else (path, beside)


class _Table:
    """Rows of numbers with the line each stands on."""

    def __init__(self, values: NDArray[np.float64], lines: list[int]) -> None:
        self.values = values
        self.lines = lines


def _read_table(path: Path, *, columns: tuple[int, ...], what: str) -> _Table:
    rows: list[list[float]] = []
    lines: list[int] = []
    for line, text in numbered_lines(path):
        where = f"{path}, line {line}"
        row = [number_at(where, part) for part in text.split()]
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


def _check_unit(rows: _Table, path: Path) -> None:
    length = np.linalg.norm(rows.values, axis=1)
    for line, value in zip(rows.lines, length, strict=True):
        if abs(value - 1) > UNIT_TOLERANCE:
            raise not_unit(path, line, value)
