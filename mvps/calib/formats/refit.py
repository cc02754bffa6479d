"""Distortion fitted anew with fewer coefficients, and what that costs in pixels.

The polynomial is linear in k1 k2 p1 p2 k3, so the fit is one linear least squares over the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mvps.calib.camera import DIRECTIONS, Camera
from mvps.calib.formats.losses import Holds
from mvps.errors import InputError

LINEAR = 5  # k1 k2 p1 p2 k3; the others stand in a denominator or are rarely held
GRID = (80, 60)
_FEWEST = 20


@dataclass(frozen=True)
class Refit:
    """What fitting a camera anew cost.

    Attributes
    ----------
    name : the camera
    largest_px, mean_px : distance between where the two cameras put a point, over the image
    left_out : share of the image, 0 to 1, that the camera cannot undistort, which was not fitted
    """

    name: str
    largest_px: float
    mean_px: float
    left_out: float

    def __str__(self) -> str:
        away = f"refitted, {self.largest_px:.3g} px off at most, {self.mean_px:.3g} px on average"
        missing = f"; {self.left_out:.1%} of the image could not be fitted" if self.left_out else ""
        return f"{self.name}: {away}{missing}"


def needs_refit(camera: Camera, holds: Holds) -> bool:
    """Whether a format drops coefficients of the camera, or turns its polynomial round."""
    turned = camera.distortion_direction != DIRECTIONS[0] and not holds.direction
    dropped = camera.distortion[holds.coefficients :].any()
    return bool(dropped or (turned and camera.distortion.any()))


def refit_distortion(camera: Camera, count: int) -> tuple[Camera, Refit]:
    """Camera with the first ``count`` of k1 k2 p1 p2 k3, in OpenCV's direction, and the error.

    Matrix and pose stay. Least squares of the distance in px over a grid of 80 x 60 raw pixels.

    Raises
    ------
    InputError
        Hardly a pixel of the image can be undistorted, so that nothing can be fitted.
    """
    from mvps.calib.distortion import apply_polynomial
    from mvps.calib.geometry import normalise, to_pixels, undistort_points

    width, height = camera.image_size
    x, y = np.meshgrid(np.linspace(0, width - 1, GRID[0]), np.linspace(0, height - 1, GRID[1]))
    raw = np.stack([x.ravel(), y.ravel()], axis=-1)
    undistorted, valid = undistort_points(camera, raw)
    if np.count_nonzero(valid) < _FEWEST:
        name = camera.name or "camera"
        raise InputError(name, "its image cannot be undistorted", "check the distortion")
    raw, points = raw[valid], normalise(camera.matrix, undistorted[valid])
    plain = to_pixels(camera.matrix, points)
    count = min(count, LINEAR)
    columns = [
        (to_pixels(camera.matrix, apply_polynomial(unit, points)) - plain).ravel()
        for unit in np.eye(12)[:count]
    ]
    design = np.stack(columns, axis=1)
    lengths = np.linalg.norm(design, axis=0)
    scale = np.where(lengths > 0, lengths, 1.0)
    solution = np.linalg.lstsq(design / scale, (raw - plain).ravel(), rcond=None)[0] / scale
    off = np.hypot(*(raw - plain - (design @ solution).reshape(-1, 2)).T)
    fitted = replace(
        camera,
        distortion=np.concatenate([solution, np.zeros(12 - count)]),
        distortion_direction=DIRECTIONS[0],
    )
    left_out = 1.0 - float(np.mean(valid))
    return fitted, Refit(camera.name or "camera", float(off.max()), float(off.mean()), left_out)
