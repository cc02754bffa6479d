"""Our light description in JSON, version 1: every quantity of a rig, without loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.files import read_text, write_json
from mvps.frames import CONVENTIONS
from mvps.lights.rig import LightRig, flips
from mvps.lights.vectors import directions_from, directions_from_angles, number_rows
from mvps.yaml_nodes import did_you_mean

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


def looks_like_json(path: Path, text: str) -> bool:
    """Whether a text is JSON: by its first character, or by its ending."""
    return text.lstrip().startswith("{") or path.suffix.lower() == ".json"


def read_json(path: Path, *, convention: str | None = None) -> LightRig:
    """Rig from our own JSON, version 1.

    ``directions`` (K, 3), or ``angles`` (K, 2) azimuth and elevation in degrees, or ``positions``
    (K, 3) in mm alone, whose directions are those seen from the origin.
    """
    data = parse_json(path, read_text(path))
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


def write_json_lights(rig: LightRig, path: Path) -> tuple[Path, ...]:
    """Write everything that a rig holds, in the house frame."""
    data: dict[str, Any] = {"version": 1, "convention": "opengl"}
    for key in ("directions", "intensities", "positions", "axes", "mu"):
        if (value := getattr(rig, key)) is not None:
            data[key] = value.tolist()
    if rig.names:
        data["names"] = list(rig.names)
    write_json(path, data)
    return (path,)


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
