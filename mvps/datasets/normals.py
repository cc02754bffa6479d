"""Normals of a record, also where a data set stores organised points instead.

A plane is spanned by the central differences of the points, smoothed over 5x5 valid neighbours;
its normal is turned to the camera. The points are in the camera frame: x right, y down, z forward.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import Record
from mvps.datasets.words import XYZ
from mvps.errors import ImageError, InputError
from mvps.images import DEFAULT_MAX_PIXELS, ImageRef, read_image
from mvps.images.maps import read_normals

SMOOTH = 5  # px; the points of MVTec 3D-AD are rough by about one step of depth

Normals = NDArray[np.float32]


def read_record_normals(
    record: Record, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[Normals, NDArray[np.bool_]]:
    """Normal map of a record, decoded or made from its points.

    Returns
    -------
    normals : (H, W, 3) float32, house frame, unit length, zero where invalid
    valid : (H, W) bool

    Raises
    ------
    InputError
        The record has none.
    ImageError
        The file cannot be used.
    """
    if record.normals is None:
        raise InputError(record.name, "has no normals")
    if record.convention != XYZ:
        return read_normals(record.normals, convention=record.convention, max_pixels=max_pixels)
    points = read_image(ImageRef(record.normals), max_pixels=max_pixels)
    if points.ndim != 3 or points.dtype != np.float32:
        raise ImageError(record.normals, "holds no organised points", "three float32 channels")
    return normals_of_points(points)


def normals_of_points(points: NDArray[np.float32]) -> tuple[Normals, NDArray[np.bool_]]:
    """Normals of organised points.

    Parameters
    ----------
    points : (H, W, 3) float32, camera frame (x right, y down, z forward), any unit; 0, 0, 0 or
        not finite where nothing was measured

    Returns
    -------
    normals : (H, W, 3) float32, house frame (x right, y up, z to the camera), zero where invalid
    valid : (H, W) bool; a point is valid if it and its four neighbours were measured
    """
    import cv2

    measured = np.isfinite(points).all(-1) & (points != 0).any(-1)
    filled = np.where(measured[..., None], points, np.float32(0))
    window = (SMOOTH, SMOOTH)
    weight = cv2.boxFilter(measured.astype(np.float32), -1, window, normalize=False)
    summed = cv2.boxFilter(filled, -1, window, normalize=False)
    smooth = summed / np.maximum(weight, 1)[..., None]

    valid = measured.copy()
    valid[[0, -1], :] = valid[:, [0, -1]] = False
    inner = (slice(1, -1), slice(1, -1))
    valid[inner] &= measured[1:-1, 2:] & measured[1:-1, :-2] & measured[2:, 1:-1]
    valid[inner] &= measured[:-2, 1:-1]
    across = np.zeros_like(smooth)
    down = np.zeros_like(smooth)
    across[:, 1:-1] = smooth[:, 2:] - smooth[:, :-2]
    down[1:-1] = smooth[2:] - smooth[:-2]
    normals = np.cross(across, down)
    normals *= -np.sign(np.einsum("hwc,hwc->hw", normals, smooth))[..., None]
    normals *= np.array([1, -1, -1], np.float32)
    length = np.linalg.norm(normals, axis=-1)
    valid &= length > 0
    unit = np.divide(normals, length[..., None], out=np.zeros_like(normals), where=valid[..., None])
    return unit.astype(np.float32), valid
