"""Checks of the lights of a stack: enough of them, well spread, in front of the object.

The condition number of the (K, 3) direction matrix bounds how much image noise a least-squares
normal amplifies (Drbohlav and Chantler, ICCV 2005); at 50 it is already no measurement.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mvps.capture.stack import Stack
from mvps.findings import Finding

MIN_LIGHTS = 3
MAX_LIGHTS = 128
COPLANAR = 1e-3  # smallest over largest singular value
POOR_CONDITION = 50.0
CLOSE_DEGREES = 1.0


def check_lights(stack: Stack) -> Iterator[Finding]:
    """Findings on the light directions alone."""
    where = stack.lights.source or stack.name
    L = stack.lights.directions
    K = len(L)
    if K < MIN_LIGHTS:
        yield Finding(
            "error", "K-MIN", f"{where}: {K} lights, at least {MIN_LIGHTS} fix a surface normal"
        )
        return
    if K > MAX_LIGHTS:
        yield Finding("error", "K-MAX", f"{where}: {K} lights, at most {MAX_LIGHTS} are solved")
    condition = stack.lights.condition()
    if condition > 1 / COPLANAR:
        yield Finding(
            "error",
            "COPLANAR",
            f"{where}: the {K} light directions lie in one plane (smallest over largest singular "
            f"value {1 / condition:.1g}, at least {COPLANAR:g} is needed)",
        )
    elif condition > POOR_CONDITION:
        yield Finding(
            "warning",
            "CONDITION",
            f"{where}: the condition number of the light directions is {condition:.0f}, above "
            f"{POOR_CONDITION:.0f}; normals will be noisy",
        )
    yield from _close(stack, where)
    behind = np.flatnonzero(L[:, 2] <= 0)
    if len(behind):
        yield Finding(
            "warning",
            "BEHIND",
            f"{where}: row {behind[0] + 1}: the light is behind the object, as {len(behind)} "
            f"of {K} are (z {L[behind[0], 2]:.2g}); check the convention",
        )


def _close(stack: Stack, where: str) -> Iterator[Finding]:
    L = stack.lights.directions
    # |a - b| = 2 sin(angle/2) stays exact for small angles, where the dot product loses digits.
    chord = 2 * np.sin(np.radians(CLOSE_DEGREES) / 2)
    for i in range(len(L) - 1):
        distance = np.linalg.norm(L[i + 1 :] - L[i], axis=1)
        for j in np.flatnonzero(distance < chord) + i + 1:
            angle = np.degrees(2 * np.arcsin(distance[j - i - 1] / 2))
            first, second = stack.images[i], stack.images[j]
            yield Finding(
                "warning",
                "CLOSE",
                f"{where}: the lights of {first.path.name} and {second.path.name} "
                f"(rows {i + 1} and {j + 1}) are {angle:.2g} degrees apart",
            )
