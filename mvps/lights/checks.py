"""Checks of a list of lights: enough of them, well spread, in front of the object, in agreement.

The condition number of the (K, 3) direction matrix bounds how much image noise a least-squares
normal amplifies (Drbohlav and Chantler, ICCV 2005); at 50 it is already no measurement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mvps.findings import Finding
from mvps.lights.rig import LightRig

MIN_LIGHTS = 3
MAX_LIGHTS = 128
COPLANAR = 1e-3  # smallest over largest singular value
POOR_CONDITION = 50.0
CLOSE_DEGREES = 1.0
MOST_CLOSE = 20  # pairs that are named one by one
GRAZING_DEGREES = 10.0  # elevation
OVERHEAD_DEGREES = 80.0  # elevation
TURNING_DEGREES = 80.0  # elevation below which an azimuth means something
GAP_DEGREES = 130.0  # of azimuth; three lights evenly around leave 120
OPPOSITE_AZIMUTH = 20.0  # degrees off half a turn
OPPOSITE_ELEVATION = 15.0
MOST_OPPOSITE = 0.7  # share of lights with an opposite above which the others should have theirs
INTENSITY_RATIO = 8.0  # three stops
NEAR_DEGREES = 5.0

Array = NDArray[np.float64]
Level = Literal["error", "warning"]

RULES: dict[str, tuple[Level, str]] = {
    "K-MIN": ("error", "fewer than 3 lights"),
    "K-MAX": ("error", "more than 128 lights"),
    "COPLANAR": (
        "error",
        "the light directions lie in one plane: smallest over largest singular value below 0.001",
    ),
    "CONDITION": ("warning", "condition number of the light directions above 50"),
    "CLOSE": ("warning", "two lights less than 1° apart"),
    "BEHIND": ("warning", "a light at z ≤ 0, behind the object: often another convention"),
    "NAME-TWICE": ("error", "two rows name the same image"),
    "GAP": ("warning", "no light within an azimuth of more than 130°"),
    "OPPOSITE": (
        "warning",
        "a light without an opposite (half a turn within 20°, elevation within 15°), though at "
        "least 70% of the lights have theirs",
    ),
    "GRAZING": ("warning", "a light less than 10° above the image plane"),
    "OVERHEAD": ("warning", "more than half of the lights are more than 80° above the image plane"),
    "INTENSITY": ("warning", "the strongest light is more than 8 times the weakest"),
    "NEAR": (
        "warning",
        "a direction more than 5° off that from the point that the lights have in common to the "
        "light's position",
    ),
}


def check_lights(rig: LightRig, *, where: str = "") -> tuple[Finding, ...]:
    """Every rule of ``RULES`` applied to a list of lights, errors first.

    Parameters
    ----------
    where : what messages call the lights; by default their source
    """
    where = where or rig.source or "lights"
    found = [*solvable(rig, where=where), *layout(rig, where=where)]
    return tuple(sorted(found, key=lambda finding: finding.level != "error"))


def solvable(rig: LightRig, *, where: str, images: Sequence[str] = ()) -> Iterator[Finding]:
    """Rules on whether normals can be solved under the lights, and how noisy they would be.

    Parameters
    ----------
    images : names of the K images, for messages; rows alone are named without them
    """
    L = rig.directions
    K = len(L)
    if K < MIN_LIGHTS:
        yield _finding("K-MIN", f"{where}: {K} lights, at least {MIN_LIGHTS} fix a surface normal")
        return
    if K > MAX_LIGHTS:
        yield _finding("K-MAX", f"{where}: {K} lights, at most {MAX_LIGHTS} are solved")
    condition = rig.condition()
    if condition > 1 / COPLANAR:
        yield _finding(
            "COPLANAR",
            f"{where}: the {K} light directions lie in one plane (smallest over largest singular "
            f"value {1 / condition:.1g}, at least {COPLANAR:g} is needed)",
        )
    elif condition > POOR_CONDITION:
        yield _finding(
            "CONDITION",
            f"{where}: the condition number of the light directions is {condition:.0f}, above "
            f"{POOR_CONDITION:.0f}; normals will be noisy",
        )
    close = _close(L, where, images)
    yield from islice(close, MOST_CLOSE)
    if next(close, None) is not None:
        yield _finding("CLOSE", f"{where}: further lights are closer than 1 degree to each other")
    behind = np.flatnonzero(L[:, 2] <= 0)
    if len(behind):
        yield _finding(
            "BEHIND",
            f"{where}: row {behind[0] + 1}: the light is behind the object, as {len(behind)} "
            f"of {K} are (z {L[behind[0], 2]:.2g}); check the convention",
        )


def layout(rig: LightRig, *, where: str) -> Iterator[Finding]:
    """Rules on how the lights are laid out: names, gaps, pairs, elevations, strengths, places."""
    first: dict[str, int] = {}
    for row, name in enumerate(rig.names, start=1):
        if first.setdefault(name, row) != row:
            text = f"{where}: row {row} names {name!r} again, after row {first[name]}"
            yield _finding("NAME-TWICE", f"{text}; one image has one light")
    x, y, z = rig.directions.T
    azimuth = np.degrees(np.arctan2(y, x)) % 360
    elevation = np.degrees(np.arctan2(z, np.hypot(x, y)))
    turning = np.flatnonzero((elevation > 0) & (elevation < TURNING_DEGREES))
    if MIN_LIGHTS <= len(rig) <= MAX_LIGHTS:
        yield from _around(azimuth, elevation, turning, where)
        yield from _heights(elevation, where)
    yield from _strengths(rig.intensities, where)
    if rig.positions is not None and len(rig) > 1:
        yield from _places(rig.directions, rig.positions, where)


def _finding(code: str, message: str) -> Finding:
    return Finding(RULES[code][0], code, message)


def _close(L: Array, where: str, images: Sequence[str]) -> Iterator[Finding]:
    # |a - b| = 2 sin(angle/2) stays exact for small angles, where the dot product loses digits.
    chord = 2 * np.sin(np.radians(CLOSE_DEGREES) / 2)
    for i in range(len(L) - 1):
        distance = np.linalg.norm(L[i + 1 :] - L[i], axis=1)
        for j in (np.flatnonzero(distance < chord) + i + 1).tolist():
            angle = np.degrees(2 * np.arcsin(distance[j - i - 1] / 2))
            rows = f"rows {i + 1} and {j + 1}"
            which = f"{images[i]} and {images[j]} ({rows})" if images else rows
            text = f"{where}: the lights of {which} are {angle:.2g} degrees apart"
            yield _finding("CLOSE", text)


def _around(
    azimuth: Array, elevation: Array, rows: NDArray[np.intp], where: str
) -> Iterator[Finding]:
    """Gaps of azimuth and opposites that are missing, among the lights that have an azimuth."""
    if not len(rows):
        return
    sorted_azimuth = np.sort(azimuth[rows])
    gaps = np.diff(sorted_azimuth, append=sorted_azimuth[0] + 360)
    widest = int(gaps.argmax())
    if gaps[widest] > GAP_DEGREES:
        start = sorted_azimuth[widest]
        yield _finding(
            "GAP",
            f"{where}: no light between the azimuths {start:.0f} and "
            f"{(start + gaps[widest]) % 360:.0f} degrees ({gaps[widest]:.0f} degrees wide, at most "
            f"{GAP_DEGREES:.0f} is good); surfaces that face there are seen under few lights",
        )
    turn = azimuth[rows][:, None] - azimuth[rows][None, :]
    off = np.abs((turn % 360) - 180)
    height = np.abs(elevation[rows][:, None] - elevation[rows][None, :])
    paired = ((off <= OPPOSITE_AZIMUTH) & (height <= OPPOSITE_ELEVATION)).any(axis=1)
    if len(rows) < 4 or paired.all() or paired.mean() < MOST_OPPOSITE:
        return
    alone = rows[~paired]
    yield _finding(
        "OPPOSITE",
        f"{where}: row {alone[0] + 1}: no light stands opposite{_others(len(alone) - 1)}, though "
        f"{int(paired.sum())} of {len(rows)} lights have theirs; is one missing?",
    )


def _heights(elevation: Array, where: str) -> Iterator[Finding]:
    low = np.flatnonzero((elevation > 0) & (elevation < GRAZING_DEGREES))
    if len(low):
        yield _finding(
            "GRAZING",
            f"{where}: row {low[0] + 1}: the light is {elevation[low[0]]:.1f} degrees above the "
            f"image plane{_others(len(low) - 1)}; below {GRAZING_DEGREES:.0f} most of a relief "
            "lies in shadow",
        )
    high = np.flatnonzero(elevation > OVERHEAD_DEGREES)
    if 2 * len(high) > len(elevation):
        yield _finding(
            "OVERHEAD",
            f"{where}: {len(high)} of {len(elevation)} lights are more than "
            f"{OVERHEAD_DEGREES:.0f} degrees above the image plane; slopes hardly change the "
            "shading of light from the camera's side",
        )


def _strengths(intensities: Array, where: str) -> Iterator[Finding]:
    strength = intensities.reshape(len(intensities), -1).mean(axis=1)
    strong, weak = int(strength.argmax()), int(strength.argmin())
    ratio = strength[strong] / strength[weak]
    if ratio > INTENSITY_RATIO:
        yield _finding(
            "INTENSITY",
            f"{where}: row {strong + 1} is {ratio:.1f} times as strong as row {weak + 1} (above "
            f"{INTENSITY_RATIO:.0f}); the weaker image has the noise of fewer photons",
        )


def _places(directions: Array, positions: Array, where: str) -> Iterator[Finding]:
    """Directions against those from the point nearest to all lines (position, direction)."""
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    right = np.einsum("kij,kj->i", across, positions)
    point = np.linalg.lstsq(across.sum(axis=0), right, rcond=None)[0]
    seen = positions - point
    cross = np.linalg.norm(np.cross(seen, directions), axis=1)
    angle = np.degrees(np.arctan2(cross, (seen * directions).sum(axis=1)))
    worst = int(angle.argmax())
    if angle[worst] > NEAR_DEGREES:
        at = ", ".join(f"{value:.0f}" for value in point)
        yield _finding(
            "NEAR",
            f"{where}: row {worst + 1}: direction and position differ by {angle[worst]:.1f} "
            f"degrees{_others(int((angle > NEAR_DEGREES).sum()) - 1)}, seen from the point that "
            f"the lights have in common ({at} mm); check frame, unit and order of the positions",
        )


def _others(count: int) -> str:
    return f" (and {count} more rows)" if count else ""
