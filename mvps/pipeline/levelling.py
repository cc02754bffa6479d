"""How a bend leaves the rows of a normal map, for written maps and for a run alike.

A polynomial in the slopes is subtracted, or the map of a flat target divided out; the maths is in
:mod:`mvps.stereo.flatten`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.files import RECORD, natural_key, read_text
from mvps.images.normal_rows import NormalRows
from mvps.stereo.comparison import MAP_SUFFIXES
from mvps.stereo.flatten import Bend, SlopeCells, SmoothSlopes, rotate_to_axis, subtract_slopes

STRIP_ROWS = 64
WIDEST_SPREAD = 3.0  # degrees: beyond it a part hardly has one nominally flat face

Normals = NDArray[np.float32]
Valid = NDArray[np.bool_]
# Rows y0 to y1 - 1 with their normals and validity, to the same rows without the bend.
Remove = Callable[[int, int, Normals, Valid], tuple[Normals, Valid]]
Maps = list[tuple[str, Path]]  # names of stacks and files of their maps


def maps_of(source: Path) -> Maps:
    """Names and files of the maps of a run, or the one map.

    Raises
    ------
    InputError
        There is no such file or folder, or it holds no map of a run.
    """
    if source.is_file():
        return [(source.stem, source)]
    if not source.is_dir():
        raise InputError(source, "no such file or folder", "give a normal map or a run's folder")
    found = sorted(source.rglob(RECORD), key=lambda path: natural_key(path.as_posix()))
    maps = []
    for folder in (record.parent for record in found):
        if (path := _map_in(folder)) is not None:
            maps.append((folder.relative_to(source).as_posix(), path))
    if not maps:
        raise InputError(source, f"holds no normals beside a {RECORD}", "give a normal map")
    return maps


def target_of(reference: Path, maps: Maps, name: str) -> Path:
    """The flat target's map for one stack: the only one, or that of its name or of its view.

    Raises
    ------
    InputError
        None of ``maps``, which are those of ``reference``, is the stack's, or several are.
    """
    if len(maps) == 1:
        return maps[0][1]
    same = [path for other, path in maps if other == name]
    view = name.rpartition("/")[2]
    like = same or [path for other, path in maps if other.rpartition("/")[2] == view]
    if len(like) != 1:
        found = "no map" if not like else f"{len(like)} maps"
        raise InputError(reference, f"holds {found} for {name}", f"e.g. {name}/normals.tif")
    return like[0]


def open_map(path: Path, max_pixels: int) -> NormalRows:
    """A map with the signs that the record beside it states, for formats that cannot say so.

    Raises
    ------
    InputError, ImageError
        That record or the map cannot be read.
    """
    return NormalRows(path, _convention(path), max_pixels)


def strips_of(rows: NormalRows) -> Iterator[tuple[int, int, Normals, Valid]]:
    """First row, row after the last, normals and validity, from top to bottom."""
    for y0 in range(0, rows.height, STRIP_ROWS):
        y1 = min(y0 + STRIP_ROWS, rows.height)
        yield y0, y1, *rows.read(y0, y1)


def cells_of(rows: NormalRows, edge: int | None = None) -> SlopeCells:
    """Median slopes of a whole map."""
    cells = SlopeCells(rows.width, rows.height, edge)
    for _, _, normals, valid in strips_of(rows):
        cells.add_rows(normals, valid)
    return cells


def by_bend(bend: Bend) -> Remove:
    """Takes off a polynomial in the slopes."""

    def remove(y0: int, y1: int, normals: Normals, valid: Valid) -> tuple[Normals, Valid]:
        return subtract_slopes(normals, valid, bend.slopes(y0, y1)), valid

    return remove


def by_reference(flat: NormalRows, smooth: int = 0) -> Remove:
    """Turns normals by what takes those of a flat target to the axis."""
    smoothed = SmoothSlopes(cells_of(flat, smooth), flat.path) if smooth else None

    def remove(y0: int, y1: int, normals: Normals, valid: Valid) -> tuple[Normals, Valid]:
        target, known = flat.read(y0, y1) if smoothed is None else smoothed.normals(y0, y1)
        both = valid & known & (target[..., 2] > 0)
        return rotate_to_axis(normals, both, target), both

    return remove


def describe_bend(bend: Bend) -> dict[str, Any]:
    """Plain JSON types, for the record."""
    return {
        "method": "bend",
        "degree": bend.degree,
        "p": list(bend.p),
        "q": list(bend.q),
        "agreeing_share": round(bend.kept, 4),
        "spread_deg": round(bend.spread, 5),
    }


def doubt(bend: Bend, where: Any) -> str:
    """The warning about a part that may not be flat; empty without one."""
    if bend.spread <= WIDEST_SPREAD:
        return ""
    return (
        f"{where}: slopes differ from the bend by {bend.spread:.1f} degrees; the part "
        "may have no nominally flat face"
    )


def check_target(
    flat: NormalRows, where: Any, size: tuple[int, int], statement: dict[str, Any]
) -> None:
    """Refuse a flat target that another grid or frame parts from a map.

    Parameters
    ----------
    where, size, statement : name of the map, its (width, height), and what it says of itself

    Raises
    ------
    InputError
        They do not go together, or the frame of both has z pointing away.
    """
    if size != (flat.width, flat.height):
        found = f"is {flat.width}x{flat.height}, {where} is {size[0]}x{size[1]}"
        raise InputError(flat.path, found, "one camera view")
    for key, default in (("frame", "camera"), ("board_up", False), ("undistorted", False)):
        said = [each.get(key, default) for each in (statement, flat.statement)]
        if said[0] != said[1]:
            what = f"states {key} {said[1]!r}, {where} {said[0]!r}"
            raise InputError(flat.path, what, "solve both alike")
    if statement.get("frame") == "board" and not statement.get("board_up"):
        what = "a facing part has normals (0, 0, -1) in this frame"
        raise InputError(where, what, "solve with --frame camera or --board-up")


class Removed:
    """By how much normals were turned, in degrees, over all rows."""

    def __init__(self) -> None:
        self._sum = self._squares = self._largest = 0.0
        self._count = self.lost = 0

    def add(self, before: Normals, after: Normals, valid: Valid, kept: Valid) -> None:
        """Compare rows (n, W, 3), valid before and after."""
        self._count += int(np.count_nonzero(kept))
        self.lost += int(np.count_nonzero(valid & ~kept))
        # The chord of an angle is exact where it is small, which an arc cosine is not.
        gap = (before - after)[kept]
        chord = np.sqrt(np.einsum("nc,nc->n", gap, gap, dtype=np.float64))
        angle = np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1)))
        self._sum += float(angle.sum())
        self._squares += float(angle @ angle)
        self._largest = max(self._largest, float(angle.max(initial=0)))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the record."""
        count = max(self._count, 1)
        return {
            "removed_mean_deg": round(self._sum / count, 5),
            "removed_rms_deg": round(math.sqrt(self._squares / count), 5),
            "removed_max_deg": round(self._largest, 5),
            "valid": self._count,
            "lost": self.lost,
        }


def _map_in(folder: Path) -> Path | None:
    paths = (folder / f"normals{suffix}" for suffix in MAP_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _convention(path: Path) -> str | None:
    """Signs that the record beside a map states."""
    record = path.with_name(RECORD)
    if not record.is_file():
        return None
    try:
        stated = json.loads(read_text(record)).get("convention")
    except (ValueError, AttributeError):
        raise InputError(record, "is not a record of mvps normals") from None
    return stated if isinstance(stated, str) else None
