"""Lists of angles in text: azimuth and elevation (or slant) in degrees, a light a row.

The first line names the columns. Azimuth turns counter-clockwise from +x with y up; elevation is 90
degrees minus the slant.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from mvps.errors import InputError
from mvps.files import write_text
from mvps.lights.losses import held_losses
from mvps.lights.rig import LightRig, flips
from mvps.lights.text_rows import number_at, numbered_lines, spelt
from mvps.lights.vectors import angles_from_directions, directions_from_angles
from mvps.numbers import parse_number
from mvps.yaml_nodes import did_you_mean

COLUMNS = ("azimuth", "elevation", "slant", "intensity", "red", "green", "blue")
RGB = ("red", "green", "blue")
_WORD = re.compile(r"[A-Za-z]+", re.ASCII)
_UNIT_LENGTH = 1.01  # components of a direction stay below; angles in degrees hardly do


def looks_like_angles(path: Path, text: str) -> bool:
    """Whether a text is a list of angles: by its columns' names, or two numbers of degrees a row.

    Two numbers that could be parts of a direction are not taken for angles.
    """
    rows = [line.split() for line in text.split("\n") if line.strip()]
    first = rows[0] if rows else []
    if "azimuth" in [word.lower() for word in _header(first)]:
        return True
    if not all(len(row) == 2 for row in rows):
        return False
    values = [parse_number(word) for row in rows for word in row]
    return any(value is not None and abs(value) > _UNIT_LENGTH for value in values)


def read_angles(path: Path, *, convention: str | None = None) -> LightRig:
    """Rig from a list of angles.

    The first line names the columns: azimuth with elevation or slant, and optionally intensity or
    red, green and blue. Two bare columns are azimuth and elevation, with a note.

    Raises
    ------
    InputError
        A column is unknown or missing, or a row is at fault; the message names file and line.
    """
    lines = numbered_lines(path)
    if not lines:
        raise InputError(path, "the file is empty")
    header = [word.lower() for word in _header(lines[0][1].split())]
    columns = _columns(header, f"{path}, line {lines[0][0]}") if header else COLUMNS[:2]
    rows = lines[1:] if header else lines
    if not rows:
        raise InputError(path, "holds no light")
    values = np.array([_row(columns, f"{path}, line {line}", text) for line, text in rows])
    table = dict(zip(columns, values.T, strict=True))
    for name in set(columns) & {"intensity", *RGB}:
        for (line, _), value in zip(rows, table[name], strict=True):
            if not value > 0:
                raise InputError(f"{path}, line {line}", "the intensity is not positive")
    note = f"{path}: two bare columns were read as azimuth and elevation in degrees"
    return LightRig(
        _directions(table) * flips(convention or "opengl", str(path)),
        _intensities(table, len(rows)),
        source=str(path),
        notes=() if header else (note,),
    )


def angle_losses(rig: LightRig) -> tuple[str, ...]:
    """What a list of angles cannot hold of a rig."""
    return held_losses(rig, "names", "positions", "axes", "mu")


def write_angles(rig: LightRig, path: Path) -> tuple[Path, ...]:
    """Write azimuth and elevation, and intensities where one differs from 1."""
    table = angles_from_directions(rig.directions)
    columns = list(COLUMNS[:2])
    if (rig.intensities != 1).any():
        table = np.column_stack([table, rig.intensities])
        columns += RGB if rig.intensities.ndim == 2 else ["intensity"]
    rows = "".join(spelt(row) + "\n" for row in table.tolist())
    write_text(path, " ".join(columns) + "\n" + rows)
    return (path,)


def _header(words: list[str]) -> list[str]:
    """Names of the columns, behind ``#`` or bare; none where the first line holds a number."""
    words = [word for word in (word.lstrip("#") for word in words) if word]
    return words if words and all(_WORD.fullmatch(word) for word in words) else []


def _columns(header: list[str], where: str) -> tuple[str, ...]:
    for i, name in enumerate(header):
        if name not in COLUMNS:
            raise InputError(where, f"unknown column {name!r}", did_you_mean(name, COLUMNS))
        if name in header[:i]:
            raise InputError(where, f"the column {name!r} stands twice")
    colours = [name for name in RGB if name in header]
    if "azimuth" not in header or ("elevation" in header) == ("slant" in header):
        raise InputError(where, "expected the columns azimuth and elevation, or azimuth and slant")
    if colours and (len(colours) != len(RGB) or "intensity" in header):
        raise InputError(where, "expected the column intensity, or red, green and blue")
    return tuple(header)


def _row(columns: tuple[str, ...], where: str, text: str) -> list[float]:
    words = text.split()
    if len(words) != len(columns):
        expected = f"{len(columns)} ({' '.join(columns)})"
        raise InputError(where, f"{len(words)} numbers, expected {expected}")
    row = [number_at(where, word) for word in words]
    for name, value in zip(columns, row, strict=True):
        limit = {"azimuth": 360.0, "elevation": 90.0, "slant": 180.0}.get(name)
        if limit is not None and abs(value) > limit:
            raise InputError(where, f"{name} {value:g} is beyond {limit:g} degrees")
    return row


def _directions(table: dict[str, Any]) -> Any:
    elevation = table["elevation"] if "elevation" in table else 90.0 - table["slant"]
    return directions_from_angles(np.stack([table["azimuth"], elevation], axis=1))


def _intensities(table: dict[str, Any], lights: int) -> Any:
    if "red" in table:
        return np.stack([table[name] for name in RGB], axis=1)
    return table.get("intensity", np.ones(lights))
