"""The ``.dome`` file of relight (ISTI-CNR): JSON with directions, a sphere or positions.

Relight states centimetres from the image centre, x right, y to the top of the image, z up: the
house frame but for the unit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.files import read_text, write_json
from mvps.lights.json_format import parse_json
from mvps.lights.losses import held_losses, moved_directions
from mvps.lights.rig import LightRig, flips
from mvps.lights.vectors import directions_from, number_rows

MM_PER_CM = 10.0
DOME_KEYS = frozenset(
    {"domeDiameter", "diameter", "lightConfiguration", "positions3d", "positionsSphere"}
    | {"imageWidth", "verticalOffset", "ledAdjust"}
)

Array = NDArray[np.float64]


def looks_like_dome(path: Path, text: str) -> bool:
    """Whether a text is a ``.dome`` file: by its keys, or by its ending."""
    if path.suffix.lower() == ".dome":
        return True
    return text.lstrip().startswith("{") and bool(DOME_KEYS & parse_json(path, text).keys())


def read_dome(path: Path, *, convention: str | None = None) -> LightRig:
    """Rig from a relight ``.dome`` file.

    ``lightConfiguration`` says what holds: "directional" the directions, "spherical" directions on
    a sphere of ``domeDiameter`` raised by ``verticalOffset``, "lights3d" the positions. Where it is
    absent, positions count before directions.
    """
    data = parse_json(path, read_text(path))
    where = str(path)
    flip = flips(convention or "opengl", where)
    directions = _vectors(data, "directions", where)
    positions = None
    for key in ("positions3d", "positions", "positionsSphere"):
        positions = positions if positions is not None else _vectors(data, key, where)
    kind = data.get("lightConfiguration")
    if kind == "directional" and directions is not None:
        positions = None
    elif kind == "spherical" and directions is not None:
        positions = _on_sphere(data, directions, where)
    if positions is not None:
        directions = directions_from(positions, where)
    if directions is None:
        raise InputError(path, "holds neither directions nor positions")
    notes: tuple[str, ...] = ()
    if data.get("ledAdjust"):
        notes = (f"{path}: ledAdjust is not applied; intensities are taken as equal",)
    return LightRig(
        directions * flip,
        np.ones(len(directions)),
        positions=None if positions is None else positions * MM_PER_CM * flip,
        source=where,
        notes=notes,
    )


def dome_losses(rig: LightRig) -> tuple[str, ...]:
    """What a ``.dome`` file cannot hold of a rig."""
    return (
        *held_losses(rig, "names", "intensities", "axes", "mu"),
        *moved_directions(rig, (0.0, 0.0, 0.0), "the image centre"),
    )


def write_dome(rig: LightRig, path: Path) -> tuple[Path, ...]:
    """Write directions, or positions in centimetres, with what relight asks for beside them."""
    near = rig.positions is not None
    centimetres = [] if rig.positions is None else _objects(rig.positions / MM_PER_CM)
    write_json(
        path,
        {
            "imageWidth": 0,
            "domeDiameter": 0,
            "verticalOffset": 0,
            "lightConfiguration": "lights3d" if near else "directional",
            "directions": _objects(rig.directions),
            "positionsSphere": [],
            "positions3d": centimetres,
            "ledAdjust": [],
        },
    )
    return (path,)


def _objects(rows: Array) -> list[dict[str, float]]:
    return [dict(zip("xyz", row, strict=True)) for row in rows.tolist()]


def _vectors(data: dict[str, Any], key: str, where: str) -> Array | None:
    """Rows of a dome array, written as {"x":, "y":, "z":} or [x, y, z]; None when empty."""
    value = data.get(key)
    if not value:
        return None
    if not isinstance(value, list):
        raise InputError(where, f"{key}: expected a list")
    rows = [[row.get(c) for c in "xyz"] if isinstance(row, dict) else row for row in value]
    return number_rows(rows, 3, where, key)


def _on_sphere(data: dict[str, Any], directions: Array, where: str) -> Array:
    diameter = data.get("domeDiameter", data.get("diameter"))
    offset = data.get("verticalOffset", 0)
    (row,) = number_rows([[diameter, offset]], 2, where, "domeDiameter and verticalOffset")
    if not row[0] > 0:
        raise InputError(where, "domeDiameter is not positive")
    raised = np.array([0.0, 0.0, row[1]])
    return np.asarray(directions * row[0] / 2 + raised, dtype=np.float64)
