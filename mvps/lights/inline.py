"""Lights listed one by one, as vectors or angles: in a call, in rig.yml or in our YAML.

Angles after photometric convention: azimuth counter-clockwise from +x with y up, slant from +z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvps.errors import InputError
from mvps.lights.json_formats import directions_from_angles, number_rows
from mvps.lights.rig import LightRig, flips
from mvps.yaml_nodes import Node, did_you_mean

ENTRY_KEYS = ("direction", "azimuth", "elevation", "slant", "intensity", "name")


def parse_lights(
    entries: Sequence[Any], *, source: str = "lights", convention: str | None = None
) -> LightRig:
    """Lights from an inline list.

    Parameters
    ----------
    entries : one a light: ``[x, y, z]``, or a mapping with ``direction: [x, y, z]`` or with
        ``azimuth`` and ``elevation`` (or ``slant``) in degrees, and optionally ``intensity``
        (one number or three) and ``name``
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
    return LightRig(
        directions * flips(convention or "opengl", source),
        number_rows(stated, None, source, "intensities"),
        names=names,
        source=source,
    )


def _entry(entry: Any, where: str) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        return {"direction": entry}
    for key in entry:
        if key not in ENTRY_KEYS:
            raise InputError(where, f"unknown key {key!r}", did_you_mean(str(key), ENTRY_KEYS))
    if "direction" in entry:
        if entry.keys() & {"azimuth", "elevation", "slant"}:
            raise InputError(where, "holds both a direction and angles", "keep one of them")
        return dict(entry)
    tilts = entry.keys() & {"elevation", "slant"}
    if "azimuth" not in entry or len(tilts) != 1:
        raise InputError(where, "expected a direction, or azimuth with elevation or slant")
    (tilt,) = tilts
    angles = number_rows([[entry["azimuth"], entry[tilt]]], 2, where, f"azimuth and {tilt}")
    if tilt == "slant":
        angles[:, 1] = 90 - angles[:, 1]
    (direction,) = directions_from_angles(angles)
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
