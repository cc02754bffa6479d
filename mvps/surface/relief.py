"""A height with its unit: millimetres by a scale or a camera, pixels where neither is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera
from mvps.calib.geometry import normalise
from mvps.calib.transforms import board_distance
from mvps.errors import InputError
from mvps.surface.slopes import BLOCK_ROWS, Plane, pixel_rays

BOARD = "the calibration board, in the middle of the image"


@dataclass(frozen=True, eq=False)
class Relief:
    """A height as it is written.

    Attributes
    ----------
    height : (H, W) float32 in ``unit``, NaN where there is none, growing towards the camera
    unit : "mm" or "px"
    scale : length of a pixel in ``unit``, at ``distance`` of a perspective view
    camera : of a perspective view, else None
    distance : depth of the median pixel along the optical axis, in ``unit``; the height is what
        is nearer than this. 0 without a camera
    distance_from : who stated the distance
    """

    height: Plane
    unit: str
    scale: float
    camera: Camera | None = None
    distance: float = 0.0
    distance_from: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        known = self.height[np.isfinite(self.height)]
        found: dict[str, Any] = {
            "unit": self.unit,
            "projection": "orthographic" if self.camera is None else "perspective",
            "unit_per_px": self.scale,
            "height_min": float(known.min()),
            "height_max": float(known.max()),
            "height_range": float(np.ptp(known)),
        }
        if self.camera is not None:
            found |= {"distance": self.distance, "distance_from": self.distance_from}
        return found

    def position(self, step: int = 1) -> tuple[Plane, Plane]:
        """Positions x to the right and y upwards (h, w) of the points of every n-th pixel, in
        ``unit``; without a camera from the middle of the map, with one from its optical axis.
        """
        shape = self.height.shape
        if self.camera is None:
            rows = np.arange(0, shape[0], step, dtype=np.float32) - np.float32((shape[0] - 1) / 2)
            columns = np.arange(0, shape[1], step, dtype=np.float32)
            columns -= np.float32((shape[1] - 1) / 2)
            x, y = np.meshgrid(columns * np.float32(self.scale), -rows * np.float32(self.scale))
            return x, y
        x, y = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for top in range(0, shape[0], BLOCK_ROWS):
            part = slice(top, min(top + BLOCK_ROWS, shape[0]))
            ray, _, _ = pixel_rays(self.camera, part)
            depth = self.distance - self.height[part]
            x[part], y[part] = ray[..., 0] * depth, -ray[..., 1] * depth
        return x[::step, ::step], y[::step, ::step]


def orthographic_relief(height: Plane, mm_per_px: float | None) -> Relief:
    """Height in px times the scale; in px where the scale is None.

    Raises
    ------
    InputError
        The scale is not positive.
    """
    if mm_per_px is None:
        return Relief(height, "px", 1.0)
    if not (np.isfinite(mm_per_px) and mm_per_px > 0):
        raise InputError("--mm-per-px", f"{mm_per_px} is not a positive length")
    return Relief(height * np.float32(mm_per_px), "mm", mm_per_px)


def perspective_relief(
    height: NDArray[np.float32], camera: Camera, focal: float, distance: float | None = None
) -> Relief:
    """Depth of a perspective view, Z = distance exp(-(h - median h)/focal), as a height.

    Parameters
    ----------
    height : (H, W) px, -focal ln Z up to a constant
    distance : mm, depth of the median pixel along the optical axis; None takes the calibration
        board's where the camera has a pose. Without either the unit is a pixel at the surface.

    Raises
    ------
    InputError
        The distance is not positive.
    """
    unit, source = "mm", "as stated"
    if distance is None and camera.rotation is not None:
        distance, source = _board_depth(camera), BOARD
    if distance is None:
        unit, distance, source = "px", focal, "unknown: lengths are in pixels at the surface"
    if not (np.isfinite(distance) and distance > 0):
        raise InputError("--distance", f"{distance} is not a positive length")
    nearness = (height - np.nanmedian(height)) / np.float32(focal)
    relief = np.float32(-distance) * np.expm1(-nearness)
    return Relief(relief, unit, distance / focal, camera, float(distance), source)


def _board_depth(camera: Camera) -> float:
    width, height = camera.image_size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    x, y = normalise(camera.matrix, middle)
    return float(board_distance(camera) / np.sqrt(1 + x * x + y * y))
