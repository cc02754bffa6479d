"""Image warping in NumPy and float64: the definition of kernels/remap.cuh, and the fallback.

Bilinear interpolation between pixel centres at integers. A pixel is valid where every neighbour
with a weight lies in the source and, with a mask, is marked in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib.camera import Array
from mvps.calib.distortion import apply_polynomial
from mvps.calib.warp import Warp

NEGLIGIBLE = 1e-6  # a neighbour with less weight is not needed
SHORTEST = 1e-3  # a sum of unit normals shorter than this has no direction

Mask = NDArray[np.bool_]


def positions(warp: Warp, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> Array:
    """Source pixels (n, w, 2) of the output pixels in rows y0 to y1 - 1; NaN where none."""
    v, u = np.mgrid[y0:y1, x0 : warp.size[0] if x1 is None else x1].astype(np.float64)
    if warp.positions is not None:
        return warp.positions(np.stack([u, v], axis=-1))
    assert warp.model is not None
    model = warp.model[0]
    fx, s, cx, fy, cy = model["camera"]
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1)
    ray = pixels @ model["matrix"].reshape(3, 3).T
    seen = (ray[..., 2] > 0) & (pixels @ model["front"] > 0)
    with np.errstate(all="ignore"):
        flat = ray[..., :2] / ray[..., 2:]
        seen &= (flat**2).sum(axis=-1) <= model["limit2"]
        x, y = np.moveaxis(apply_polynomial(model["distortion"], flat), -1, 0)
        found = np.stack([fx * x + s * y + cx, fy * y + cy], axis=-1)
    return np.where(seen[..., None], found, np.nan)


def sample(
    source: NDArray[Any],
    where: Array,
    *,
    mask: NDArray[Any] | None = None,
    first_row: int = 0,
    nearest: bool = False,
) -> tuple[Array, Mask]:
    """Values of a source at positions, neither rounded nor set to zero where not valid.

    Parameters
    ----------
    source : (rows, W, C), rows ``first_row`` and on of an image
    where : (n, w, 2) x y in pixels of that image
    mask : (rows, W), non-zero where the source counts

    Returns
    -------
    values : (n, w, C) float64
    valid : (n, w)
    """
    rows, width = source.shape[:2]
    x, y = where[..., 0], where[..., 1] - first_row
    with np.errstate(invalid="ignore"):
        valid = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= rows - 1)
    x, y = np.where(valid, x, 0.0), np.where(valid, y, 0.0)
    if nearest:
        column = np.minimum((x + 0.5).astype(np.intp), width - 1)
        row = np.minimum((y + 0.5).astype(np.intp), rows - 1)
        right = below = np.zeros_like(x)
    else:
        column = np.clip(x.astype(np.intp), 0, max(width - 2, 0))
        row = np.clip(y.astype(np.intp), 0, max(rows - 2, 0))
        right, below = x - column, y - row
    corners = [
        (row + dy, column + dx, (below if dy else 1 - below) * (right if dx else 1 - right))
        for dy in ((0, 1) if rows > 1 else (0,))
        for dx in ((0, 1) if width > 1 else (0,))
    ]
    if nearest:
        corners = corners[:1]
    values = np.zeros((*x.shape, source.shape[2]))
    coverage = np.zeros_like(x)
    for at_row, at_column, weight in corners:
        values += source[at_row, at_column].astype(np.float64) * weight[..., None]
        marked = 1.0 if mask is None else (mask[at_row, at_column] != 0)
        coverage += weight * marked
    valid &= coverage >= 1 - NEGLIGIBLE
    return values, valid


def remap(
    source: NDArray[Any],
    where: Array,
    *,
    mask: NDArray[Any] | None = None,
    first_row: int = 0,
    nearest: bool = False,
) -> tuple[NDArray[Any], Mask]:
    """As :func:`sample`, in the source's type: rounded, zero where not valid."""
    values, valid = sample(source, where, mask=mask, first_row=first_row, nearest=nearest)
    if source.dtype.kind == "f" and not nearest:
        valid &= np.isfinite(values).all(axis=-1)
    values = np.where(valid[..., None], values, 0)
    if source.dtype.kind != "f":
        values = np.floor(values + 0.5)
    return values.astype(source.dtype), valid


def remap_normals(
    normals: NDArray[np.float32],
    mask: NDArray[Any],
    where: Array,
    rotation: Array,
    *,
    first_row: int = 0,
) -> tuple[NDArray[np.float32], Mask]:
    """Interpolated normals (n, w, 3), turned by ``rotation`` and made unit vectors again."""
    values, valid = sample(normals, where, mask=mask, first_row=first_row)
    turned = values @ np.asarray(rotation, dtype=np.float64).T
    length = np.linalg.norm(turned, axis=-1)
    valid &= np.isfinite(length) & (length > SHORTEST)
    unit = turned / np.where(valid, length, 1.0)[..., None]
    return np.where(valid[..., None], unit, 0).astype(np.float32), valid
