"""Angular error between normal maps: the figures and the picture of ``mvps evaluate``.

The angle is atan2(|n x t|, n . t) in float64: arccos(n . t) loses half the digits near zero, where
good results lie, and needs unit vectors, which this does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.images.colour_picture import colour_picture, repeated
from mvps.images.preview import BlockSums

BLOCK_ROWS = 64
PICTURE_LIMIT = 1024

_TICKS = 5


@dataclass(frozen=True)
class ErrorSummary:
    """Figures of an error map, in degrees.

    Parameters
    ----------
    mean, median, p95, max, rmse : over the pixels compared; p95 is the 95th percentile
    count : pixels compared
    missing : pixels where the truth is known and the result has no normal
    """

    mean: float
    median: float
    p95: float
    max: float
    rmse: float
    count: int
    missing: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.missing < 0:
            raise ValueError(f"{self.count} pixels compared, {self.missing} missing")


def angular_error(
    normals: NDArray[Any], truth: NDArray[Any], mask: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """Angle between two normal maps, pixel by pixel.

    Parameters
    ----------
    normals, truth : (H, W, 3), one frame; any length but zero, which marks an invalid pixel
    mask : (H, W), pixels to compare; all by default

    Returns
    -------
    (H, W) float32, degrees in 0..180; NaN outside the mask and where either map is invalid

    Raises
    ------
    InputError
        The sizes differ.
    """
    check_sizes(normals, truth, mask)
    error = np.full(truth.shape[:2], np.nan, np.float32)
    for y in range(0, len(truth), BLOCK_ROWS):
        rows = slice(y, y + BLOCK_ROWS)
        inside = known(normals[rows]) & known(truth[rows])
        if mask is not None:
            inside &= np.asarray(mask[rows]) != 0
        n = normals[rows][inside].astype(np.float64)
        t = truth[rows][inside].astype(np.float64)
        across = np.linalg.norm(np.cross(n, t), axis=-1)
        along = np.einsum("...c,...c->...", n, t)
        error[rows][inside] = np.degrees(np.arctan2(across, along))
    return error


def known(normals: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels (H, W) that hold a direction: finite and not zero."""
    directions: NDArray[np.bool_] = np.isfinite(normals).all(axis=-1) & normals.any(axis=-1)
    return directions


def check_sizes(normals: NDArray[Any], truth: NDArray[Any], mask: NDArray[Any] | None) -> None:
    """Refuse maps that do not lie on one grid.

    Raises
    ------
    InputError
        With both sizes.
    """
    height, width = truth.shape[:2]
    for name, other in (("result", normals), ("mask", mask)):
        if other is not None and other.shape[:2] != (height, width):
            h, w = other.shape[:2]
            raise InputError(
                name, f"{w} x {h} pixels, the truth {width} x {height}", "crop one to the other"
            )


def summarise(error: NDArray[np.float32], wanted: NDArray[np.bool_] | None = None) -> ErrorSummary:
    """Figures of an error map.

    Parameters
    ----------
    error : (H, W) degrees, NaN where nothing was compared
    wanted : (H, W), pixels whose truth is known; those without an error count as missing

    Raises
    ------
    InputError
        No pixel was compared.
    """
    compared = np.isfinite(error)
    values = error[compared].astype(np.float64)
    if not values.size:
        raise InputError("truth", "shares no valid pixel with the result", "check mask and frame")
    median, p95 = np.percentile(values, (50, 95))
    return ErrorSummary(
        mean=float(values.mean()),
        median=float(median),
        p95=float(p95),
        max=float(values.max()),
        rmse=float(np.sqrt(np.mean(values**2))),
        count=int(values.size),
        missing=0 if wanted is None else int(np.count_nonzero(wanted & ~compared)),
    )


def error_picture(error: NDArray[np.float32], upper: float | None = None) -> NDArray[np.uint8]:
    """Picture of an error map in colours that colour-blind readers tell apart (viridis).

    Parameters
    ----------
    error : (H, W) degrees; NaN becomes light grey
    upper : degrees at the upper end of the colour bar; larger errors take its colour. By default
        the 99th percentile, rounded up to 1, 2 or 5 times a power of ten

    Returns
    -------
    (h, w, 3) uint8 RGB: the map, at most 1024 pixels on its long side, and the labelled bar
    """
    if upper is None:
        upper = _round_up(error)
    digits = max(0, 1 - math.floor(math.log10(upper)))
    ticks = [(tick / _TICKS, f"{upper * tick / _TICKS:.{digits}f}") for tick in range(_TICKS + 1)]
    clipped = bool(np.nanmax(error, initial=0) > upper)
    ticks[-1] = (1.0, f"{'>= ' if clipped else ''}{ticks[-1][1]} deg")
    return colour_picture(_fit(error) / np.float32(upper), ticks)


def _fit(error: NDArray[np.float32]) -> NDArray[np.float32]:
    """Error map at a size to look at: block means of the finite pixels, or whole repetitions."""
    height, width = error.shape
    long_side = max(height, width)
    if long_side <= PICTURE_LIMIT:
        return repeated(error)
    sums = BlockSums(width, height, 2, -(-long_side // PICTURE_LIMIT))
    for y in range(0, height, BLOCK_ROWS):
        rows = error[y : y + BLOCK_ROWS]
        finite = np.isfinite(rows)
        sums.add_rows(np.stack([np.where(finite, rows, 0), finite], axis=-1, dtype=np.float32))
    total, count = sums.sums[..., 0], sums.sums[..., 1]
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan))


def _round_up(error: NDArray[np.float32]) -> float:
    values = error[np.isfinite(error)]
    top = float(np.percentile(values, 99)) if values.size else 0.0
    if top <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(top))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= top * (1 - 1e-9))
