"""Lights listed one by one, as vectors, angles or positions: in a call, in rig.yml or in our YAML.

Angles after photometric convention: azimuth counter-clockwise from +x with y up, slant from +z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.lights.rig import LightRig, flips
from mvps.lights.vectors import directions_from, directions_from_angles, number_rows
from mvps.yaml_nodes import Node, did_you_mean

ENTRY_KEYS = (
    *("direction", "azimuth", "elevation", "slant", "intensity", "name"),
    *("position", "axis", "mu"),
)

Array = NDArray[np.float64]


def parse_lights(
    entries: Sequence[Any], *, source: str = "lights", convention: str | None = None
) -> LightRig:
    """Lights from an inline list.

    Parameters
    ----------
    entries : one a light: ``[x, y, z]``, or a mapping with ``direction: [x, y, z]``, with
        ``azimuth`` and ``elevation`` (or ``slant``) in degrees, or with ``position: [x, y, z]``
        in mm alone, which is seen from the origin; and optionally ``intensity`` (one number or
        three), ``name``, and for near lights ``position``, ``axis`` and ``mu``
    source : what error messages call the list
    convention : frame of the list, opengl when None
    """
    if not entries:
        raise InputError(source, "the list of lights is empty")
    rows = [_entry(entry, f"{source}, row {i}") for i, entry in enumerate(entries, start=1)]
    directions = number_rows([row["direction"] for row in rows], 3, source, "directions")
    stated = [row.get("intensity", 1.0) for row in rows]
    if any(isinstance(value, list) for value in stated):
        stated = [value if isinstance(value, list) else [value] * 3 for value in stated]
    names = tuple(str(row["name"]) for row in rows if "name" in row)
    flip = flips(convention or "opengl", source)
    positions, axes = (_column(rows, key, 3, source) for key in ("position", "axis"))
    return LightRig(
        directions * flip,
        number_rows(stated, None, source, "intensities"),
        positions=None if positions is None else positions * flip,
        axes=None if axes is None else axes * flip,
        mu=_column(rows, "mu", None, source),
        names=names,
        source=source,
    )


def _column(rows: list[dict[str, Any]], key: str, columns: int | None, source: str) -> Array | None:
    """Values of a key that every row has, or none."""
    having = [key in row for row in rows]
    if not any(having):
        return None
    if not all(having):
        row = having.index(False) + 1
        raise InputError(f"{source}, row {row}", f"no {key}, though other rows have one")
    return number_rows([row[key] for row in rows], columns, source, key)


def _entry(entry: Any, where: str) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        return {"direction": entry}
    for key in entry:
        if key not in ENTRY_KEYS:
            raise InputError(where, f"unknown key {key!r}", did_you_mean(str(key), ENTRY_KEYS))
    angles = entry.keys() & {"azimuth", "elevation", "slant"}
    if "direction" in entry:
        if angles:
            raise InputError(where, "holds both a direction and angles", "keep one of them")
        return dict(entry)
    if "position" in entry and not angles:
        position = number_rows([entry["position"]], 3, where, "position")
        return {**entry, "direction": directions_from(position, where)[0].tolist()}
    tilts = angles - {"azimuth"}
    if "azimuth" not in entry or len(tilts) != 1:
        raise InputError(where, "expected a direction, or azimuth with elevation or slant")
    (tilt,) = tilts
    values = number_rows([[entry["azimuth"], entry[tilt]]], 2, where, f"azimuth and {tilt}")
    if tilt == "slant":
        values[:, 1] = 90 - values[:, 1]
    (direction,) = directions_from_angles(values)
    return {**entry, "direction": direction.tolist()}


def entries_of(node: Node) -> list[Any]:
    """Plain values of a YAML list of lights, for `parse_lights`."""
    return [_plain(entry) for entry in node.sequence()]


def _plain(node: Node) -> Any:
    if isinstance(node.value, list):
        return [item.number() for item in node.value]
    values = node.mapping(ENTRY_KEYS)
    return {
        key: value.text() if key == "name" else _numbers(value) for key, value in values.items()
    }


def _numbers(node: Node) -> float | list[float]:
    if isinstance(node.value, list):
        return [item.number() for item in node.value]
    return node.number()
