"""The surface under near lights, found by turns of normals and depth.

Normals of the assumed plane are integrated to a depth, which gives better light vectors and these
better normals, until the depth stays (as Queau et al., JMIV 2018, begin). The surface is found on
a grid of at most 131072 cells, because light varies slowly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.stereo.near import NearBackend, run
from mvps.stereo.near_problem import NearProblem
from mvps.stereo.near_view import NearView
from mvps.surface.slopes import Slopes, orthographic_slopes, perspective_slopes
from mvps.surface.sparse import sparse_height

TOLERANCE_MM = 0.01  # at 150 mm a lamp moves by 0.004 degrees
ROUNDS = 20
CELLS = 1 << 17  # of the grid of the depth
INTEGRATION = 1e-7  # relative error of the integrated slopes
STALLED = 0.9  # a change that shrinks less than this asks for smaller steps
SMALLEST_STEP = 0.1

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NearSurface:
    """Depth that belongs to its own normals.

    Attributes
    ----------
    view : of the whole image
    cell : pixels a side of a cell of the grid
    depth : (h, w) float64 mm along the optical axis; the nearest one where nothing was measured
    known : (h, w) bool, where the depth was measured
    changes : RMS change in mm of each round, before damping
    largest_change : of the last round, mm
    converged : whether the last RMS change is below the tolerance
    parts : connected parts of the surface, each anchored at the assumed plane
    """

    view: NearView
    cell: int
    depth: Array
    known: NDArray[np.bool_]
    changes: tuple[float, ...]
    largest_change: float
    converged: bool
    parts: int

    @property
    def rounds(self) -> int:
        """Number of times that normals and depth took turns."""
        return len(self.changes)

    def rows(self, y0: int, y1: int) -> Array:
        """(y1 - y0, W) depth of rows of the whole image, mm, linear between cells."""
        down = _cell_places(y0, y1, self.cell)
        return np.asarray(_linear(_linear(self.depth, down).T, self._across).T)

    @cached_property
    def _across(self) -> Array:
        return _cell_places(0, self.view.size[0], self.cell)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the record of a run."""
        mean = "mean of 1/depth" if self.view.perspective else "mean depth"
        return {
            "cell_px": self.cell,
            "rounds": self.rounds,
            "converged": self.converged,
            "rms_change_mm": list(self.changes),
            "largest_change_mm": self.largest_change,
            "parts": self.parts,
            "anchor": f"the {mean} of each connected part is that of the assumed plane",
        }


def cell_size(view: NearView) -> int:
    """Pixels a side of a cell, a power of two, so that the grid has at most ``CELLS``.

    Strips of a run hold whole cells up to 64 px: two gigapixels.
    """
    wanted = math.sqrt(view.size[0] * view.size[1] / CELLS)
    return 1 << max(0, math.ceil(math.log2(wanted)))


def find_surface(
    backend: NearBackend,
    problem: NearProblem,
    view: NearView,
    samples: NDArray[Any],
    mask: NDArray[Any] | None,
    *,
    tolerance_mm: float = TOLERANCE_MM,
    rounds: int = ROUNDS,
) -> NearSurface:
    """Take turns of normals and depth on the grid of cells.

    Parameters
    ----------
    view : of the whole image
    samples : (K, h, w[, 3]), means over cells, rests of rows and columns left out
    mask : (h, w) or None

    Raises
    ------
    InputError
        A tolerance or a number of rounds that is not positive; no cell has a normal.
    """
    if not (tolerance_mm > 0 and rounds >= 1):
        what = f"a tolerance of {tolerance_mm} mm and {rounds} rounds"
        raise InputError("near lights", what, "give positive numbers")
    grid = view.binned(cell_size(view))
    plane = grid.plane_depth(grid.lateral())
    depth, step = plane, 1.0
    changes: list[float] = []
    while True:
        rows = partial(_rows_of, depth)
        found = run(backend, problem, grid, samples, mask=mask, depth=rows)
        known = found.valid & np.isfinite(plane)
        if not known.any():
            what = "no pixel has a normal, so that there is no surface to find"
            raise InputError("images", what, "check the mask, the lights and the assumed plane")
        target, parts = _integrated(grid, found.normals, known, plane)
        apart = target[known] - depth[known]
        change = float(np.sqrt(np.mean(np.square(apart))))
        if changes and change > STALLED * changes[-1]:
            step = max(SMALLEST_STEP, step / 2)
        changes.append(change)
        depth = np.where(np.isfinite(depth), depth + step * (target - depth), target)
        if change < tolerance_mm or len(changes) == rounds:
            largest = float(np.abs(apart).max())
            ended = change < tolerance_mm
            cell = cell_size(view)
            return NearSurface(view, cell, depth, known, tuple(changes), largest, ended, parts)


def binned(
    images: NDArray[Any], mask: NDArray[Any] | None, n: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Means (K, h, w[, 3]) over the pixels inside of n x n, and whether half of them are.

    The rests of rows and columns are left out.
    """
    K, height, width = images.shape[:3]
    h, w = height // n, width // n
    inside = np.ones((h * n, w * n), np.float32) if mask is None else mask[: h * n, : w * n] != 0
    cells = inside.reshape(h, n, w, n).astype(np.float32)
    share = cells.sum(axis=(1, 3))
    out = np.empty((K, h, w, *images.shape[3:]), np.float32)
    rest = "c" * (images.ndim - 3)
    for image, small in zip(images, out, strict=True):
        samples = image[: h * n, : w * n].reshape(h, n, w, n, *images.shape[3:])
        total = np.einsum(f"yixj{rest},yixj->yx{rest}", samples, cells)
        small[...] = total / np.maximum(share, 1).reshape(h, w, *[1] * len(rest))
    return out, share >= n * n / 2


def _integrated(
    grid: NearView, normals: NDArray[Any], known: NDArray[np.bool_], plane: Array
) -> tuple[Array, int]:
    """Depth (h, w) mm of normals, each connected part anchored at the plane; number of parts."""
    slopes = _slopes(grid, normals, known)
    height, _ = sparse_height(slopes, tolerance=INTEGRATION)
    scale = float(grid.mm_per_px or 0)
    depth = np.exp(-height / slopes.focal) if grid.perspective else -height * scale
    depth, parts = _anchored(grid, depth, slopes.valid, plane)
    return _filled(depth, slopes.valid), parts


def _anchored(
    grid: NearView, depth: Array, valid: NDArray[np.bool_], plane: Array
) -> tuple[Array, int]:
    """Each connected part moved to the plane, along parallel lines or those of the camera."""
    import cv2

    count, part = cv2.connectedComponents(valid.astype(np.uint8), connectivity=4)

    def sums(values: Array) -> Array:
        total = np.bincount(part.ravel(), np.nan_to_num(values).ravel(), count)
        return np.asarray(total, dtype=np.float64)

    if grid.perspective:
        wanted, found = sums(1 / plane), sums(1 / depth)
        depth = depth * np.divide(found, wanted, out=np.ones(count), where=wanted > 0)[part]
    else:
        wanted, found, sizes = sums(plane), sums(depth), sums(np.ones_like(depth))
        depth = depth + ((wanted - found) / np.maximum(sizes, 1))[part]
    return depth, count - 1


def _slopes(grid: NearView, normals: NDArray[Any], known: NDArray[np.bool_]) -> Slopes:
    if grid.camera is not None:
        return perspective_slopes(normals, grid.camera, known)
    return orthographic_slopes(normals, known)


def _filled(depth: Array, known: NDArray[np.bool_]) -> Array:
    """The nearest known depth where there is none."""
    if known.all():
        return depth
    import cv2

    unknown = (~known).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        unknown, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_label = np.zeros(int(nearest.max()) + 1)
    by_label[nearest[known]] = depth[known]
    return np.asarray(by_label[nearest], dtype=np.float64)


def _rows_of(depth: Array, y0: int, y1: int) -> Array:
    return depth[y0:y1]


def _cell_places(start: int, stop: int, cell: int) -> Array:
    """Where pixels lie between the centres of cells."""
    return (np.arange(start, stop) + 0.5) / cell - 0.5


def _linear(values: Array, places: Array) -> Array:
    """Values at places along the first axis, linear also beyond its ends."""
    if len(values) == 1:
        return np.repeat(values, len(places), axis=0)
    first = np.clip(np.floor(places).astype(int), 0, len(values) - 2)
    share = (places - first)[:, None]
    return np.asarray(values[first] * (1 - share) + values[first + 1] * share)
