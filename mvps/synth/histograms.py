"""Whether a rendered picture could have come from a well-set camera: bounds on its histogram.

A picture beyond them was exposed wrongly, shows nothing, or holds fireflies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_CLIPPED = 0.02  # share of pixels with a channel at full scale: highlights alone
MAX_BLACK = 0.05  # share of pixels of a diffuse picture without any light
MEAN_RANGE = (0.06, 0.85)  # of the diffuse picture, as encoded
MIN_SPREAD = 0.10  # between the 1st and the 99th percentile of the diffuse picture
MIN_PEAK = 0.15  # 99.5th percentile of the brightest picture of a stack, of full scale
MAX_FIREFLIES = 2e-4  # share of pixels that outshine every neighbour by FIREFLY of full scale
FIREFLY = 0.35
FEWEST_FIREFLIES = 3  # pixels; one or two are glints


@dataclass(frozen=True)
class Histogram:
    """Figures of one picture, as shares of its pixels and of full scale."""

    clipped: float
    black: float
    mean: float
    low: float
    high: float
    fireflies: float

    def as_dict(self) -> dict[str, float]:
        """Plain JSON types."""
        return {name: round(float(value), 5) for name, value in vars(self).items()}


def histogram(pixels: NDArray[Any], white: float, black: float = 0.0) -> Histogram:
    """Figures of a picture (H, W) or (H, W, 3) with samples from ``black`` to ``white``."""
    planes = pixels.reshape(*pixels.shape[:2], -1)
    brightest = planes.max(axis=2)
    levels = np.clip((planes.mean(axis=2, dtype=np.float32) - black) / (white - black), 0, 1)
    low, high = np.percentile(levels, (1, 99.5))
    return Histogram(
        clipped=float((brightest >= white).mean()),
        black=float((brightest <= black + (white - black) / 255).mean()),
        mean=float(levels.mean()),
        low=float(low),
        high=float(high),
        fireflies=_fireflies(levels),
    )


def diffuse_faults(found: Histogram) -> tuple[str, ...]:
    """What is wrong with a diffuse picture, in words; empty for a good one."""
    faults = _common_faults(found)
    if found.black > MAX_BLACK:
        faults.append(f"{found.black:.1%} black")
    if not MEAN_RANGE[0] <= found.mean <= MEAN_RANGE[1]:
        faults.append(f"mean level {found.mean:.2f} outside {MEAN_RANGE[0]} to {MEAN_RANGE[1]}")
    if found.high - found.low < MIN_SPREAD:
        faults.append(f"contrast {found.high - found.low:.2f} below {MIN_SPREAD}")
    return tuple(faults)


def stack_faults(found: list[Histogram]) -> tuple[str, ...]:
    """What is wrong with the pictures under single lights, in words; empty for a good stack."""
    faults = []
    for number, each in enumerate(found, 1):
        faults += [f"light {number}: {fault}" for fault in _common_faults(each)]
    if max(each.high for each in found) < MIN_PEAK:
        faults.append(f"no light reaches {MIN_PEAK} of full scale")
    return tuple(faults)


def _common_faults(found: Histogram) -> list[str]:
    faults = []
    if found.clipped > MAX_CLIPPED:
        faults.append(f"{found.clipped:.1%} clipped")
    if found.fireflies > MAX_FIREFLIES:
        faults.append(f"{found.fireflies:.2%} fireflies")
    return faults


def _fireflies(levels: NDArray[np.float32]) -> float:
    """Share of pixels far above the brightest of their eight neighbours."""
    import cv2

    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    around = cv2.dilate(np.ascontiguousarray(levels), ring)
    count = int(np.count_nonzero(levels - around > FIREFLY))
    return count / levels.size if count >= FEWEST_FIREFLIES else 0.0
