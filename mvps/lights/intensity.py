"""Intensities of lights from what a white target shows under each.

A Lambertian plane of normal n and albedo a shows a e_k (l_k . n) under light k of intensity e_k, so
that e_k is its level over l_k . n, up to one factor for all lights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.lights.rig import LightRig

LEAST_FACING = 0.05  # l.n below which a light grazes the target, 87 degrees off its normal
POOR_FACING = 0.2  # 78 degrees: 1 degree of error in n changes the intensity by 9%

Array = NDArray[np.float64]


def parse_normal(text: str) -> Array:
    """(3,) unit normal of the target from ``x,y,z`` in the house frame.

    Raises
    ------
    InputError
        Not three numbers, zero, or a target that faces away from the camera.
    """
    try:
        normal = np.array([float(word) for word in text.split(",")])
    except ValueError:
        normal = np.zeros(0)
    if normal.shape != (3,) or not np.isfinite(normal).all() or not normal[2] > 0:
        what = f"{text!r} is not the normal of a target that faces the camera"
        raise InputError("--target-normal", what, "give x,y,z with z above 0, as 0,0,1")
    return np.asarray(normal / np.linalg.norm(normal))


def facing(rig: LightRig, normal: Array) -> Array:
    """(K,) l_k . n of a plane target.

    Raises
    ------
    InputError
        A light grazes the target or stands behind it, so that its intensity cannot be told.
    """
    cosine = rig.directions @ normal
    worst = int(cosine.argmin())
    if cosine[worst] < LEAST_FACING:
        raise InputError(
            rig.source or "lights",
            f"row {worst + 1}: the light hardly reaches the target (l.n = {cosine[worst]:.2g})",
            "check the convention and --target-normal",
        )
    return np.asarray(cosine)


def relative_intensities(levels: Array, cosine: Array | None) -> Array:
    """Intensities of mean 1 over all lights and channels.

    Parameters
    ----------
    levels : (K,) or (K, 3) linear mean of the target under each light, positive
    cosine : (K,) l_k . n, or None where the directions are not known
    """
    values = levels if cosine is None else (levels.T / cosine).T
    return np.asarray(values / values.mean())
