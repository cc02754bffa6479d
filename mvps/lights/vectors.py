"""Vectors of lights: from nested lists, from positions, and from angles and back.

Azimuth turns counter-clockwise from +x with y up; elevation rises from the image plane (90 degrees
minus the slant).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError

Array = NDArray[np.float64]


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


def angles_from_directions(directions: Array) -> Array:
    """(K, 2) azimuth in 0 to 360 and elevation in -90 to 90 degrees of (K, 3) unit directions."""
    x, y, z = directions.T
    azimuth = np.degrees(np.arctan2(y, x)) % 360.0
    # arcsin(z) would lose half of the digits where the light stands above the object.
    return np.stack([azimuth, np.degrees(np.arctan2(z, np.hypot(x, y)))], axis=1)


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
