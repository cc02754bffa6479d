"""Curvature of a surface from its normals alone, and its slopes as pictures.

With x right and y up in the plane of the image, J = d(nx, ny)/d(x, y) of the unit normals holds
both: mean curvature tr J / 2, Gaussian curvature det J (do Carmo 1976, 3-3, for a graph). The
shape index is that of Koenderink and van Doorn (Image and Vision Computing 1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.surface.slopes import Plane, Slopes

PERCENTILE = 99.5  # of the slopes that a picture shows without clipping
MIDDLE = 128


@dataclass(frozen=True, eq=False)
class Curvature:
    """Maps (H, W) float32, NaN where a pixel or one of its four neighbours has no normal.

    Attributes
    ----------
    mean : (k1 + k2)/2 per unit of length, positive on bumps, negative in dents
    gaussian : k1 k2 per squared unit, negative on saddles
    shape_index : 2/pi atan((k1 + k2)/(k1 - k2)): 1 dome, 0.5 ridge, 0 saddle, -0.5 rut, -1 cup
    """

    mean: Plane
    gaussian: Plane
    shape_index: Plane


def curvature(
    normals: NDArray[Any],
    valid: NDArray[Any],
    *,
    scale: float = 1.0,
    position: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> Curvature:
    """Curvatures by central differences of the normals over two pixels.

    Parameters
    ----------
    normals : (H, W, 3) unit vectors, house frame
    valid : (H, W), non-zero where there is a normal
    scale : length of a pixel; curvatures are per unit of it. Ignored with ``position``
    position : x and y (H, W) of the surface points of a perspective view, x right and y up
    """
    good = _whole(valid != 0)
    nx, ny = normals[..., 0], normals[..., 1]
    changes = *_differences(nx), *_differences(ny)
    if position is None:
        # Two pixels to the right; two pixels down are two steps against y.
        signs = (1, -1, 1, -1)
        a, b, c, d = (
            plane * np.float32(sign / (2 * scale))
            for plane, sign in zip(changes, signs, strict=True)
        )
    else:
        a, b, c, d = _in_space(changes, position)
    mean, gaussian = (a + d) / 2, a * d - b * c
    spread = np.sqrt(np.maximum(mean * mean - gaussian, 0))
    index = np.float32(2 / np.pi) * np.arctan2(mean, spread)
    for plane in (mean, gaussian, index):
        plane[~good] = np.nan
    return Curvature(*(np.asarray(plane, np.float32) for plane in (mean, gaussian, index)))


def slope_pictures(slopes: Slopes) -> tuple[dict[str, NDArray[np.uint8]], float]:
    """Slopes as inspection tools show them: 8 bit, level is mid-grey.

    Returns
    -------
    pictures : ``slope_x`` (bright rises to the right), ``slope_y`` (bright rises upwards), both
        128 at slope 0 and 0 where not valid; ``slope`` the steepness, 1 level to 255
    limit : slope at 255, which 99.5% of the valid pixels do not exceed
    """
    p, q, valid = slopes.p, slopes.q, slopes.valid
    steepness = np.hypot(p, q)
    known = steepness[valid]
    limit = max(float(np.percentile(known, PERCENTILE)) if known.size else 0.0, 1e-6)
    pictures = {
        "slope_x": _levels(p * np.float32(127 / limit) + MIDDLE, valid),
        "slope_y": _levels(q * np.float32(127 / limit) + MIDDLE, valid),
        "slope": _levels(steepness * np.float32(254 / limit) + 1, valid),
    }
    return pictures, limit


def _levels(values: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.clip(np.rint(values), 1, 255).astype(np.uint8)
    levels[~valid] = 0
    return levels


def _whole(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that have all four neighbours."""
    good = valid.copy()
    good[[0, -1]] = False
    good[:, [0, -1]] = False
    good[:, 1:-1] &= valid[:, 2:] & valid[:, :-2]
    good[1:-1] &= valid[2:] & valid[:-2]
    return good


def _differences(plane: NDArray[Any]) -> tuple[Plane, Plane]:
    """Right minus left and lower minus upper neighbour, zero at the borders."""
    right, down = np.zeros(plane.shape, np.float32), np.zeros(plane.shape, np.float32)
    right[:, 1:-1] = plane[:, 2:] - plane[:, :-2]
    down[1:-1] = plane[2:] - plane[:-2]
    return right, down


def _in_space(
    change: tuple[Plane, Plane, Plane, Plane], position: tuple[NDArray[Any], NDArray[Any]]
) -> tuple[NDArray[Any], ...]:
    """Derivatives in the plane of the image from those along the pixels."""
    a, b, c, d = change
    (xu, xv), (yu, yv) = (_differences(axis) for axis in position)
    with np.errstate(all="ignore"):
        by = 1 / (xu * yv - xv * yu)
        return (
            (a * yv - b * yu) * by,
            (b * xu - a * xv) * by,
            (c * yv - d * yu) * by,
            (d * xu - c * xv) * by,
        )
