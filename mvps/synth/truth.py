"""Truth: what a renderer knows of every pixel of a view, at pixel centres, free of noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HIGHLIGHT_SHARE = 0.25  # of what a matt surface of the same albedo would send back


@dataclass(frozen=True, eq=False)
class Truth:
    """One ray through the centre of every pixel.

    Attributes
    ----------
    normals : (H, W, 3) float32, unit, house frame of the camera (x right, y up, z to the camera);
        smoothed normals of the surface, grain included; 0 where nothing is seen
    depth : (H, W) float32, mm along the optical axis; NaN where nothing is seen
    height : (H, W) float32, mm above the ground plate; NaN where nothing is seen
    albedo : (H, W, 3) float32, linear, grain included; of a metal, what it reflects straight on
    part : (H, W) bool, the part is seen (not the plate)
    label : (H, W) int16, 0 for sound surface and elsewhere, d for a face of defect d
    shadow : (K, H, W) bool, no direct light of a lamp gets there: turned away from it, or something
        stands between
    highlight : (K, H, W) bool, lit, and the glossy part of what is reflected exceeds 0.25 of what
        a matt surface of the same albedo (mean of R, G, B) would send back
    """

    normals: NDArray[np.float32]
    depth: NDArray[np.float32]
    height: NDArray[np.float32]
    albedo: NDArray[np.float32]
    part: NDArray[np.bool_]
    label: NDArray[np.int16]
    shadow: NDArray[np.bool_]
    highlight: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Seen:
    """First faces: (H, W) int32, a face of the part, -1 for the plate, -2 for nothing; depth mm."""

    face: NDArray[np.int32]
    depth: NDArray[np.float32]
