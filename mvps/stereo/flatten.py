"""The bend that an imperfect rig gives to parts that are flat, and normals without it.

Lights that are nearer, weaker or elsewhere than stated tilt normals by an amount that changes
slowly over the field. It is found as a polynomial in the slopes p = -nx/nz and q = -ny/nz, by least
squares that outliers do not bend (Beaton and Tukey 1974), or measured on a flat target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError

DEGREES = (0, 1, 2)
CELLS = 128  # along the long side of a map; one cell is one equation of the fit
STEEPEST = 0.1  # |nz|: at or below it a slope is no figure
LEAST_FILLED = 0.25  # of the pixels of a cell that counts
CELLS_A_COEFFICIENT = 3
_L1_STEPS, _TUKEY_STEPS = 15, 15
_SUBSETS, _JUDGES = 300, 1024  # bends tried, and cells that judge them
_TUKEY = 4.685  # standard deviations: 95% efficient on a normal distribution
_MEDIAN_OF_RAYLEIGH = math.sqrt(2 * math.log(2))
_FINEST = 1e-6  # slope: agreement closer than this is rounding

Array = NDArray[np.float64]


class SlopeCells:
    """Median slopes over square cells of a normal map, fed with any number of rows at a time.

    A median passes over relief that is smaller than its cell: what goes up on one side of a letter
    goes down on the other. Memory is one row of cells, whatever the size of the map.

    Parameters
    ----------
    width, height : of the map, in pixels
    edge : of a cell, in pixels; by default such that the long side has ``CELLS`` cells

    Attributes
    ----------
    slopes : (R, C, 2) float64, medians of p and q; NaN where too few pixels have a slope
    centres : y of the R rows and x of the C columns of cells, in pixels
    """

    def __init__(self, width: int, height: int, edge: int | None = None) -> None:
        self.width, self.height = width, height
        self.edge = edge or max(1, -(-max(width, height) // CELLS))
        rows, columns = -(-height // self.edge), -(-width // self.edge)
        self.slopes = np.full((rows, columns, 2), np.nan)
        self.centres = _centres(height, self.edge), _centres(width, self.edge)
        self._band = np.full((2, self.edge, columns * self.edge), np.nan, np.float32)
        self._row = 0

    def add_rows(self, normals: NDArray[np.float32], valid: NDArray[Any]) -> None:
        """Add rows, which follow those added before.

        Parameters
        ----------
        normals : (n, W, 3) float32 unit vectors
        valid : (n, W) bool or uint8
        """
        start = 0
        while start < len(normals):
            inside = self._row % self.edge
            count = min(self.edge - inside, len(normals) - start)
            rows = slice(start, start + count)
            band = self._band[:, inside : inside + count, : self.width]
            z = normals[rows, :, 2]
            steep = (np.abs(z) <= STEEPEST) | (np.asarray(valid[rows]) == 0)
            for axis in (0, 1):
                np.divide(-normals[rows, :, axis], np.where(steep, np.nan, z), out=band[axis])
            start += count
            self._row += count
            if self._row % self.edge == 0 or self._row == self.height:
                self._complete()

    def _complete(self) -> None:
        row = (self._row - 1) // self.edge
        tall = self._row - row * self.edge
        columns = self.slopes.shape[1]
        for axis in (0, 1):
            cells = self._band[axis].reshape(self.edge, columns, self.edge).swapaxes(0, 1)
            values = np.sort(cells.reshape(columns, -1), axis=1)  # NaN goes to the end
            found = np.count_nonzero(np.isfinite(values), axis=1)
            lower, upper = np.maximum(found - 1, 0) // 2, found // 2
            column = np.arange(columns)
            upper = np.minimum(upper, values.shape[1] - 1)
            median = (values[column, lower].astype(np.float64) + values[column, upper]) / 2
            wide = np.minimum(self.edge, self.width - column * self.edge)
            enough = found >= np.maximum(1, LEAST_FILLED * tall * wide)
            self.slopes[row, :, axis] = np.where(enough, median, np.nan)
        self._band.fill(np.nan)


@dataclass(frozen=True, eq=False)
class Bend:
    """A polynomial in p and q over a map of a stated size.

    Attributes
    ----------
    degree : 0 a constant tilt, 1 a plane, 2 a quadratic, in either slope
    p, q : coefficients of 1; u, v; u^2, u v, v^2, where u points right and v up, from the centre
        of the map, in halves of its long side
    kept : share of the cells that agree with the bend
    spread : degrees, robust standard deviation of the slopes of those that agree, in each axis
    """

    width: int
    height: int
    degree: int
    p: tuple[float, ...]
    q: tuple[float, ...]
    kept: float
    spread: float

    def about_tilt(self) -> Bend:
        """The bend without the tilt that it has at the centre of the map."""
        return replace(self, p=(0.0, *self.p[1:]), q=(0.0, *self.q[1:]))

    def slopes(self, y0: int, y1: int) -> NDArray[np.float32]:
        """Slopes (n, W, 2) of rows y0 to y1 - 1."""
        u, v = _coordinates(np.arange(self.width), np.arange(y0, y1), self.width, self.height)
        out = np.empty((y1 - y0, self.width, 2), np.float32)
        for axis, coefficients in enumerate((self.p, self.q)):
            of_row = np.zeros((y1 - y0, self.degree + 1))  # factors of 1, u, u^2 in each row
            for factor, (i, j) in zip(coefficients, _powers(self.degree), strict=True):
                of_row[:, i] += factor * v**j
            out[..., axis] = of_row @ np.vander(u, self.degree + 1, increasing=True).T
        return out


def fit_bend(cells: SlopeCells, degree: int, where: Any = "map") -> Bend:
    """Robust fit of a bend to the slopes of a map.

    It starts from least absolute deviations or, where that has half the median residual, from the
    least median of squares (Rousseeuw 1984), which holds against a part of which nearly half lies
    otherwise, and goes on with Tukey's biweight at the scale of the median residual.

    Parameters
    ----------
    cells : every row of the map has been added
    degree : 0, 1 or 2
    where : names the map in a fault

    Raises
    ------
    InputError
        No such degree, or too few cells with normals, or all in a line.
    """
    if degree not in DEGREES:
        raise InputError("--degree", f"{degree} is none of 0, 1, 2")
    known = np.isfinite(cells.slopes).all(axis=2)
    rows, columns = np.nonzero(known)
    powers = _powers(degree)
    wanted = CELLS_A_COEFFICIENT * len(powers) if degree else 1
    y, x = cells.centres
    u, v = _coordinates(x[columns], y[rows], cells.width, cells.height)
    design = np.stack([u**i * v**j for i, j in powers], axis=1)
    if len(rows) < wanted or np.linalg.matrix_rank(design, tol=1e-6 * len(rows)) < len(powers):
        what = f"normals in {len(rows)} cells of {cells.edge} x {cells.edge} pixels are too few"
        raise InputError(where, f"{what} for a bend of degree {degree}", "take a lower degree")
    coefficients, weights, sigma = _reweighted(design, cells.slopes[known])
    kept = float(np.mean(weights > 0))
    p, q = (tuple(float(c) for c in column) for column in coefficients.T)
    spread = math.degrees(math.atan(sigma))
    return Bend(cells.width, cells.height, degree, p, q, kept, spread)


def _reweighted(design: Array, slopes: Array) -> tuple[Array, NDArray[Any], float]:
    """Coefficients (n, 2), weights of the cells, and the standard deviation of a slope."""
    weights: NDArray[Any] = np.ones(len(design))
    start = _least_absolute(design, slopes)
    subset = _least_median(design, slopes)
    residuals = [np.linalg.norm(slopes - design @ c, axis=1) for c in (start, subset)]
    medians = [float(np.median(residual)) for residual in residuals]
    better = int(medians[1] < medians[0] / 2)
    coefficients, residual, sigma = (start, subset)[better], residuals[better], 0.0
    for _ in range(_TUKEY_STEPS):
        sigma = _scale(residual)
        weights = np.maximum(1 - (residual / (_TUKEY * sigma)) ** 2, 0) ** 2
        coefficients = _weighted(design, slopes, weights)
        residual = np.linalg.norm(slopes - design @ coefficients, axis=1)
    return coefficients, weights, sigma


def _scale(residual: Array) -> float:
    return max(float(np.median(residual)) / _MEDIAN_OF_RAYLEIGH, _FINEST)


def _weighted(design: Array, slopes: Array, weights: NDArray[Any]) -> Array:
    root = np.sqrt(weights)[:, None]
    solution: Array = np.linalg.lstsq(design * root, slopes * root, rcond=None)[0]
    return solution


def _least_absolute(design: Array, slopes: Array) -> Array:
    weights: NDArray[Any] = np.ones(len(design))
    coefficients = _weighted(design, slopes, weights)
    for _ in range(_L1_STEPS):
        residual = np.linalg.norm(slopes - design @ coefficients, axis=1)
        weights = 1 / np.maximum(residual, 0.1 * _scale(residual))
        coefficients = _weighted(design, slopes, weights)
    return coefficients


def _least_median(design: Array, slopes: Array) -> Array:
    """The best of some bends through as many cells as they have coefficients, by the median."""
    rng = np.random.default_rng(0)
    few = rng.integers(0, len(design), (_SUBSETS, design.shape[1]))
    judges = np.linspace(0, len(design) - 1, min(len(design), _JUDGES)).astype(np.intp)
    through = np.linalg.pinv(design[few]) @ slopes[few]
    residual = np.linalg.norm(slopes[judges] - design[judges] @ through, axis=2)
    best: Array = through[np.argmin(np.median(residual, axis=1))]
    return best


def remove_bend(
    normals: NDArray[np.float32], valid: NDArray[Any], degree: int
) -> tuple[NDArray[np.float32], Bend]:
    """A map in memory without its bend, and the bend; :func:`fit_bend` says how it is found.

    Parameters
    ----------
    normals : (H, W, 3) float32 unit vectors; x right, y up, z to the camera
    valid : (H, W) bool or uint8
    degree : 0, 1 or 2

    Raises
    ------
    InputError
        No such degree, or too few valid normals.
    """
    height, width = normals.shape[:2]
    cells = SlopeCells(width, height)
    cells.add_rows(normals, valid)
    bend = fit_bend(cells, degree)
    return subtract_slopes(normals, valid, bend.slopes(0, height)), bend


def subtract_slopes(
    normals: NDArray[np.float32], valid: NDArray[Any], slopes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Normals (n, W, 3) less slopes (n, W, 2), unit again, zero where invalid.

    p - a = -(nx + a nz) / nz: a shear, which needs no division and so holds for walls as well.
    """
    z = normals[..., 2]
    sheared = np.stack(
        [normals[..., 0] + slopes[..., 0] * z, normals[..., 1] + slopes[..., 1] * z, z], axis=-1
    )
    length = np.sqrt(np.einsum("...c,...c->...", sheared, sheared))
    sheared /= np.where((np.asarray(valid) != 0) & (length > 0), length, np.inf)[..., None]
    return sheared


def rotate_to_axis(
    normals: NDArray[np.float32], valid: NDArray[Any], reference: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Normals turned by the least rotation that takes their reference normal to (0, 0, 1).

    Parameters
    ----------
    normals, reference : (n, W, 3) float32 unit vectors, those of the reference with z > 0
    valid : (n, W); where it is zero, the result is zero
    """
    a, b, c = (reference[..., k] for k in range(3))
    x, y, z = (normals[..., k] for k in range(3))
    along = a * x + b * y
    # Rodrigues' formula about (b, -a, 0), whose length is the sine and c the cosine of the angle.
    turned = z + along / (1 + np.maximum(c, 0))
    out = np.stack([x - a * turned, y - b * turned, c * z + along], axis=-1)
    out *= (np.asarray(valid) != 0)[..., None]
    return out


class SmoothSlopes:
    """A flat target's slopes without its dust and noise: cell medians, linear between them."""

    def __init__(self, cells: SlopeCells, where: Any = "reference") -> None:
        known = np.isfinite(cells.slopes).all(axis=2)
        if not known.any():
            raise InputError(where, "holds no normal", "photograph a flat target")
        self._known = known
        self._slopes = _spread_out(np.where(known[..., None], cells.slopes, 0), known)
        self._centres = cells.centres
        self._edge = cells.edge
        self._x = _between(np.arange(cells.width), cells.centres[1])

    def normals(self, y0: int, y1: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Unit normals (n, W, 3) of rows y0 to y1 - 1 and where the target has any (n, W)."""
        y = np.arange(y0, y1)
        (low, high, t), (left, right, s) = _between(y, self._centres[0]), self._x
        t, s = t[:, None, None], s[None, :, None]
        rows = self._slopes[low] * (1 - t) + self._slopes[high] * t
        slopes = rows[:, left] * (1 - s) + rows[:, right] * s
        out = np.empty((len(y), slopes.shape[1], 3), np.float32)
        out[..., :2] = -slopes
        out[..., 2] = 1
        out /= np.sqrt(np.einsum("...c,...c->...", out, out))[..., None]
        x = np.arange(slopes.shape[1]) // self._edge
        return out, self._known[(y // self._edge)[:, None], x[None, :]]


def _powers(degree: int) -> list[tuple[int, int]]:
    """Exponents of u and v, low ones first."""
    return [(total - j, j) for total in range(degree + 1) for j in range(total + 1)]


def _coordinates(x: NDArray[Any], y: NDArray[Any], width: int, height: int) -> tuple[Array, Array]:
    half = max(width, height) / 2
    return (x - (width - 1) / 2) / half, -(y - (height - 1) / 2) / half


def _centres(length: int, edge: int) -> Array:
    starts = np.arange(0, length, edge)
    return (starts + np.minimum(starts + edge, length) - 1) / 2


def _between(
    positions: NDArray[Any], centres: Array
) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """The two centres that a position lies between (or beyond, at the border), and how far on."""
    last = len(centres) - 1
    low = np.clip(np.searchsorted(centres, positions, side="right") - 1, 0, max(last - 1, 0))
    high = np.minimum(low + 1, last)
    gap = np.where(high > low, centres[high] - centres[low], 1)
    return low, high, (positions - centres[low]) / gap


def _spread_out(slopes: Array, known: NDArray[np.bool_]) -> Array:
    """Slopes in every cell: unknown ones take the mean of their neighbours, from the known on."""
    import cv2

    weight = known.astype(np.float64)
    while not weight.all():
        near = cv2.blur(weight, (3, 3), borderType=cv2.BORDER_CONSTANT)
        mean = cv2.blur(slopes * weight[..., None], (3, 3), borderType=cv2.BORDER_CONSTANT)
        new = (weight == 0) & (near > 1e-9)
        slopes[new] = mean[new] / near[new][:, None]
        weight[new] = 1
    return slopes
