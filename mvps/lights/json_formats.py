"""Light descriptions in JSON: ours, and the ``.dome`` file of relight (ISTI-CNR).

Relight states centimetres from the image centre, x right, y to the top of the image, z up: the
house frame but for the unit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.frames import CONVENTIONS
from mvps.lights.rig import LightRig, flips
from mvps.yaml_nodes import did_you_mean

MM_PER_CM = 10.0
OUR_KEYS = (
    "version",
    "convention",
    "directions",
    "angles",
    "intensities",
    "positions",
    "axes",
    "mu",
    "names",
)
DOME_KEYS = frozenset(
    {"domeDiameter", "diameter", "lightConfiguration", "positions3d", "positionsSphere"}
    | {"imageWidth", "verticalOffset", "ledAdjust"}
)

Array = NDArray[np.float64]


def parse_json(path: Path, text: str) -> dict[str, Any]:
    """Object of a JSON text; repeated keys, NaN and infinities are refused."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise InputError(path, f"the key {key!r} stands twice")
            found[key] = value
        return found

    def refuse(word: str) -> float:
        raise InputError(path, f"{word} is not a number of JSON")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}", f"not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, "not JSON that can be read", str(error)) from None
    if not isinstance(value, dict):
        raise InputError(path, "expected a JSON object")
    return value


def read_ours(path: Path, data: dict[str, Any], *, convention: str | None = None) -> LightRig:
    """Rig from our own JSON, version 1.

    ``directions`` (K, 3), or ``angles`` (K, 2) azimuth and elevation in degrees, or ``positions``
    (K, 3) in mm alone, whose directions are those seen from the origin.
    """
    where = str(path)
    for key in data:
        if key not in OUR_KEYS:
            raise InputError(path, f"unknown key {key!r}", did_you_mean(key, OUR_KEYS))
    if data.get("version") != 1 or isinstance(data.get("version"), bool):
        raise InputError(path, f"version {data.get('version')!r}, expected 1", 'add "version": 1')
    stated = data.get("convention", "opengl")
    if not isinstance(stated, str) or stated not in CONVENTIONS:
        raise InputError(
            path, f"unknown convention {stated!r}", did_you_mean(str(stated), CONVENTIONS)
        )
    flip = flips(convention or stated, where)
    positions = _array(data, "positions", 3, where)
    axes = _array(data, "axes", 3, where)
    directions = _directions(data, positions, where)
    intensities = _array(data, "intensities", None, where)
    mu = _array(data, "mu", None, where)
    return LightRig(
        directions * flip,
        np.ones(len(directions)) if intensities is None else intensities,
        positions=None if positions is None else positions * flip,
        axes=None if axes is None else axes * flip,
        mu=mu,
        names=_names(data, where),
        source=where,
    )


def read_dome(path: Path, data: dict[str, Any], *, convention: str | None = None) -> LightRig:
    """Rig from a relight ``.dome`` file.

    ``lightConfiguration`` says what holds: "directional" the directions, "spherical" directions on
    a sphere of ``domeDiameter`` raised by ``verticalOffset``, "lights3d" the positions. Where it is
    absent, positions count before directions.
    """
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


def directions_from(
    positions: Array, where: str, point: tuple[float, float, float] = (0, 0, 0)
) -> Array:
    """(K, 3) unit directions from ``point`` to lights at ``positions`` (K, 3), same unit."""
    vectors = positions - np.array(point, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=1)
    bad = np.flatnonzero(~(length > 0))
    if len(bad):
        raise InputError(where, f"row {bad[0] + 1}: the light stands at the point that it lights")
    return np.asarray(vectors / length[:, None], dtype=np.float64)


def directions_from_angles(angles: Array) -> Array:
    """(K, 3) unit directions from (K, 2) degrees: azimuth counter-clockwise from +x with y up,
    elevation above the image plane (90 minus the slant).
    """
    azimuth, elevation = np.radians(angles).T
    flat = np.cos(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=1)


def number_rows(value: Any, columns: int | None, where: str, what: str) -> Array:
    """Float array from nested lists: (K, columns), or (K,) or (K, 3) when ``columns`` is None."""
    if not isinstance(value, list) or not value:
        raise InputError(where, f"{what}: expected a list with one entry a light")
    width = columns or (len(value[0]) if isinstance(value[0], list) else 0)
    if columns is None and width not in (0, 3):
        raise InputError(where, f"{what}, row 1: expected one number or three")
    for i, row in enumerate(value, start=1):
        cells = row if isinstance(row, list) else [row]
        if isinstance(row, list) != bool(width) or (width and len(cells) != width):
            raise InputError(where, f"{what}, row {i}: expected {width or 1} number(s)")
        for cell in cells:
            if isinstance(cell, bool) or not isinstance(cell, (int, float)) or abs(cell) > 1e300:
                raise InputError(where, f"{what}, row {i}: {str(cell)[:40]!r} is not a number")
    return np.array(value, dtype=np.float64)


def _array(data: dict[str, Any], key: str, columns: int | None, where: str) -> Array | None:
    value = data.get(key)
    return None if value is None else number_rows(value, columns, where, key)


def _directions(data: dict[str, Any], positions: Array | None, where: str) -> Array:
    directions = _array(data, "directions", 3, where)
    angles = _array(data, "angles", 2, where)
    if directions is not None and angles is not None:
        raise InputError(where, "holds both directions and angles", "keep one of them")
    if angles is not None:
        return directions_from_angles(angles)
    if directions is not None:
        return directions
    if positions is None:
        raise InputError(where, "holds none of directions, angles and positions")
    return directions_from(positions, where)


def _names(data: dict[str, Any], where: str) -> tuple[str, ...]:
    names = data.get("names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(where, "names: expected a list of texts")
    return tuple(names)


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
