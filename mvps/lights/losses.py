"""What a light format cannot hold, in words: the rules that the writers share."""

from __future__ import annotations

import numpy as np

from mvps.lights.rig import LightRig
from mvps.lights.vectors import directions_from

SAME_DEGREES = 1e-6  # directions that a reader derives again may differ by this from those stated

_WORDS = {
    "names": "the names of the images",
    "intensities": "the intensities",
    "positions": "the positions (mm)",
    "axes": "the axes of the lights",
    "mu": "the anisotropy mu of the lights",
}


def held_losses(rig: LightRig, *fields: str) -> tuple[str, ...]:
    """Words for those of ``fields`` that the rig fills and the format has no place for."""
    return tuple(_WORDS[name] for name in fields if _filled(rig, name))


def moved_directions(
    rig: LightRig, point: tuple[float, float, float], origin: str
) -> tuple[str, ...]:
    """A loss where a format derives the directions from the positions and these say otherwise.

    Parameters
    ----------
    point : mm, house frame, from which the reader of the format sees the lights
    origin : what the format counts its positions from, in words
    """
    if rig.positions is None:
        return ()
    derived = directions_from(rig.positions, rig.source or "lights", point)
    # |a - b| = 2 sin(angle/2) stays exact for small angles.
    chord = np.linalg.norm(derived - rig.directions, axis=1) / 2
    angle = np.degrees(2 * np.arcsin(np.minimum(chord, 1.0)))
    if angle.max() <= SAME_DEGREES:
        return ()
    row = int(angle.argmax()) + 1
    return (
        f"the directions (the format derives them from positions counted from {origin}, and row "
        f"{row} would turn by {angle.max():.2g} degrees)",
    )


def _filled(rig: LightRig, name: str) -> bool:
    if name == "intensities":
        return bool((rig.intensities != 1).any())
    value = getattr(rig, name)
    return value is not None and len(value) > 0
