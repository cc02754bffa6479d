"""Whether normals belong to a surface: the curl of the slopes, and what takes its place when the
axes are wrong.

With p = -nx/nz and q = -ny/nz, x right and y up, a surface has dp/dy = dq/dx (Horn and Brooks,
CVGIP 1986). The four derivatives make four combinations: the curl dp/dy - dq/dx, the Laplacian
dp/dx + dq/dy, and the saddles dp/dy + dq/dx and dp/dx - dq/dy. White noise of the slopes is the
same in all four. Lights that are turned by 90 degrees bring the Laplacian to the place of the curl,
flipped axes bring the saddles there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

STEEPEST = 0.25  # nz below which a slope says nothing
BATCH = 128  # tiles at a time, whose derivatives stay in the cache
COVER = 0.25  # of a tile's squares must be usable


def bends(values: NDArray[Any], usable: Flags, directions: Array) -> Array:
    """Median size in every tile of curl, Laplacian and the two saddles of the slopes.

    Parameters
    ----------
    values : (B, K, n, n) grey samples over intensity, of B tiles, rows going down
    usable : (B, n, n)
    directions : (K, 3) unit, the light of each image

    Returns
    -------
    (B, 4) in the order of :data:`mvps.stereo.hypotheses.AXES`, NaN where too few squares count
    """
    pinv = np.linalg.pinv(directions).astype(np.float32)
    parts = range(0, len(values), BATCH)
    found = [_bends(values[i : i + BATCH], usable[i : i + BATCH], pinv) for i in parts]
    return np.concatenate(found) if found else np.empty((0, 4))


def _bends(values: NDArray[Any], usable: Flags, pinv: NDArray[np.float32]) -> Array:
    g = np.matmul(pinv, values.reshape(*values.shape[:2], -1)).reshape(-1, 3, *usable.shape[1:])
    facing = usable & (g[:, 2] > STEEPEST * np.sqrt(np.square(g).sum(axis=1)))
    slope = -g[:, :2] / np.where(facing, g[:, 2], 1)[:, None]
    # Differences over squares of 2 x 2, so that both directions sit at the same point.
    a, b, c, d = (slope[:, :, i, j] for i, j in _CORNERS)
    dx, dy = (b - a + d - c) / 2, (a - c + b - d) / 2
    px, qx, py, qy = dx[:, 0], dx[:, 1], dy[:, 0], dy[:, 1]
    four = np.abs(np.stack([py - qx, px + qy, py + qx, px - qy], axis=1))
    whole = np.logical_and.reduce([facing[:, i, j] for i, j in _CORNERS])
    return _median(four.reshape(*four.shape[:2], -1), whole.reshape(len(whole), -1))


_CORNERS = tuple(
    (rows, columns)
    for rows in (slice(None, -1), slice(1, None))
    for columns in (slice(None, -1), slice(1, None))
)


def median(values: NDArray[Any]) -> float:
    """As ``np.median`` of one or more numbers, which imports masked arrays for it: 10 MB."""
    ordered = np.sort(values, axis=None)
    half = len(ordered) // 2
    return float(ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def _median(values: NDArray[Any], usable: Flags) -> Array:
    """Lower median over the last axis of the usable ones; (B, 4, N), (B, N) to (B, 4)."""
    count = usable.sum(axis=1)
    ordered = np.sort(np.where(usable[:, None], values, np.inf), axis=2)
    middle = np.maximum(count - 1, 0) // 2
    median = np.take_along_axis(ordered, middle[:, None, None], axis=2)[..., 0].astype(np.float64)
    median[count < COVER * usable.shape[1]] = np.nan
    return np.asarray(median, dtype=np.float64)
