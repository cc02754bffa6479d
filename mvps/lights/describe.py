"""A list of lights in figures: angles, strengths, and how much image noise normals would have.

Least squares gives g = P v with P = (L'L)^-1 L', so that noise of variance s_k in v_k has the
covariance P diag(s_k) P' in g (Woodham 1980; Drbohlav and Chantler, ICCV 2005).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.lights.rig import LightRig
from mvps.lights.vectors import angles_from_directions

IMAGE_NOISE = 0.01  # standard deviation, of the brightest that the surface can be

Array = NDArray[np.float64]


def normal_noise(rig: LightRig) -> float:
    r"""Standard deviation of the normal in degrees for 1% image noise on a pixel that faces us.

    The pixel is Lambertian with the normal (0, 0, 1) and no shadow; every image has the same noise
    s = 0.01 a, a being what the pixel shows under a light of mean intensity along its normal.
    Division by the intensity e_k (relative to the mean; that of R, G and B) makes s_k = s / e_k,
    and the angle between the normal and the truth has the root mean square

        sqrt(C_xx + C_yy) * 180 / pi,   C = P diag(s_k^2) P',   P = (L'L)^-1 L'

    to first order in s. Infinite where the lights are coplanar.
    """
    if not np.isfinite(rig.condition()) or np.linalg.matrix_rank(rig.directions, tol=1e-9) < 3:
        return float("inf")
    strength = rig.intensities.reshape(len(rig), -1).mean(axis=1)
    deviation = IMAGE_NOISE * strength.mean() / strength
    scaled = np.linalg.pinv(rig.directions)[:2] * deviation
    return float(np.degrees(np.sqrt(np.square(scaled).sum())))


def describe(rig: LightRig) -> dict[str, Any]:
    """Plain JSON types: a row for each light, condition number and noise of the normal.

    ``condition_number`` and ``normal_noise_degrees`` are None for lights in one plane.
    """
    angles = angles_from_directions(rig.directions)
    rows = []
    for k in range(len(rig)):
        row: dict[str, Any] = {"row": k + 1, "name": rig.names[k] if rig.names else None}
        row |= {"azimuth_degrees": angles[k, 0], "elevation_degrees": angles[k, 1]}
        row |= {"direction": rig.directions[k].tolist(), "intensity": rig.intensities[k].tolist()}
        for key, values in (("position_mm", rig.positions), ("axis", rig.axes), ("mu", rig.mu)):
            row[key] = None if values is None else values[k].tolist()
        rows.append(row)
    return {
        "lights": rows,
        "condition_number": _finite(rig.condition()),
        "normal_noise_degrees": _finite(normal_noise(rig)),
        "notes": list(rig.notes),
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
