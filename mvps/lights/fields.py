"""Smooth fields of light from means over cells of an image: a low pass that passes over dust.

A polynomial is fitted by least squares with Tukey's weights; a Gaussian weighs a plane fitted
around each cell (local linear regression, Cleveland 1979). Both are sums of separable terms, so
that any rows of the full image follow from two small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from mvps.errors import InputError

MAX_DEGREE = 8
ROUNDS = 8  # of reweighting
TUKEY = 4.685  # in robust standard deviations: 95% of the efficiency of least squares
TINY = 1e-6  # of the mean: the least deviation that counts as one
FOLLOWED = 5e-3  # of the mean: a gaussian bends where it must, so that less is never left out
MIN_MASS = 1e-3  # cells, by their weight
_MAD = 1.4826  # from the median of absolute deviations to a standard deviation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LowPass:
    """How a field is smoothed: "polynomial" of a total degree, "gaussian" of a width, or "none".

    Attributes
    ----------
    amount : degree, or standard deviation in percent of the longer side
    """

    kind: str = "polynomial"
    amount: float = 4.0

    @property
    def text(self) -> str:
        """As the user would state it."""
        return self.kind if self.kind == "none" else f"{self.kind}={self.amount:g}"


def parse_low_pass(text: str) -> LowPass:
    """``polynomial=4``, ``gaussian=5`` (percent of the longer side) or ``none``.

    Raises
    ------
    InputError
        Anything else.
    """
    kind, _, amount = text.strip().partition("=")
    if text.strip() == "none":
        return LowPass("none", 0.0)
    try:
        value = float(amount)
    except ValueError:
        value = 0.0
    whole = value == int(value) if np.isfinite(value) else False
    if kind == "polynomial" and whole and 0 < value <= MAX_DEGREE:
        return LowPass(kind, value)
    if kind == "gaussian" and 0 < value <= 50:
        return LowPass(kind, value)
    remedy = f"give polynomial=1 to {MAX_DEGREE}, gaussian=PERCENT of the longer side, or none"
    raise InputError("--low-pass", f"{text!r} is no low pass", remedy)


@dataclass(frozen=True)
class Field:
    """Smooth field of mean 1 over a frame.

    Attributes
    ----------
    left, right : (H, p) and (p, W) float64, whose product is the field
    level : mean of what was fitted
    residual : RMS of the cells about the field, relative, dust and scratches left out
    rejected : share of cells that were left out
    """

    left: Array
    right: Array
    level: float
    residual: float
    rejected: float

    def rows(self, y0: int, y1: int) -> NDArray[np.float32]:
        """(y1 - y0, W) float32 rows of the field."""
        return (self.left[y0:y1] @ self.right).astype(np.float32)


def smooth_field(cells: Array, size: tuple[int, int], edge: int, low_pass: LowPass) -> Field:
    """Field through the means over square cells.

    Parameters
    ----------
    cells : (gh, gw) means; NaN where a cell has no usable pixel
    size : (height, width) of the frame in px
    edge : side of a cell in px; the last row and column of cells may be cut
    low_pass : of kind "polynomial" or "gaussian"

    Raises
    ------
    ValueError
        Too few cells are usable to fit, or the field is nowhere bright.
    """
    usable = np.isfinite(cells)
    grid = [_centres(n, side, edge) for n, side in zip(cells.shape, size, strict=True)]
    full = [np.arange(side, dtype=np.float64) for side in size]
    if low_pass.kind == "polynomial":
        fitted = _fit_polynomial(cells, usable, grid, size, int(low_pass.amount))
        left, right = (_basis(f, n, fitted[0].shape[0]) for f, n in zip(full, size, strict=True))
        core, weights, model = fitted
    else:
        sigma = low_pass.amount / 100 * max(size)
        core, weights = _fit_gaussian(cells, usable, grid, sigma)
        left, right = (_hats(f, g) for f, g in zip(full, grid, strict=True))
        model = core
    values = np.where(usable, cells, 0.0)
    off = (values / np.where(model > 0, model, np.inf) - 1)[weights > 0]
    product = core @ right.T
    level = float(left.mean(axis=0) @ product.mean(axis=1))
    if not level > 0 or not model.min() > 0:
        raise ValueError("the light falls to nothing within the frame")
    residual = float(np.sqrt(np.square(off).mean()))
    return Field(left, product / level, level, residual, float((weights[usable] == 0).mean()))


def _centres(count: int, side: int, edge: int) -> Array:
    """Centres of cells in px, the last of which may be cut."""
    starts = np.arange(count) * edge
    return np.asarray((starts + np.minimum(starts + edge, side) - 1) / 2.0)


def _fit_polynomial(
    cells: Array, usable: NDArray[np.bool_], grid: list[Array], size: tuple[int, int], degree: int
) -> tuple[Array, Array, Array]:
    """(d, d) coefficients of Legendre products, (gh, gw) weights and (gh, gw) fit."""
    terms = degree + 1
    ys, xs = (_basis(g, n, terms) for g, n in zip(grid, size, strict=True))
    kept = [(i, j) for i in range(terms) for j in range(terms) if i + j <= degree]
    design = np.stack([np.outer(ys[:, i], xs[:, j]).ravel() for i, j in kept], axis=1)
    values = np.where(usable, cells, 0.0).ravel()
    weights = usable.ravel().astype(np.float64)
    if np.count_nonzero(weights) < 2 * len(kept):
        raise ValueError(f"too few usable pixels for a polynomial of degree {degree}")
    fit = values
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        solution = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        fit = design @ solution
        weights = usable.ravel() * _tukey((values - fit), usable.ravel(), values)
    core = np.zeros((terms, terms))
    for (i, j), value in zip(kept, solution, strict=True):
        core[i, j] = value
    return core, weights.reshape(cells.shape), fit.reshape(cells.shape)


def _fit_gaussian(
    cells: Array, usable: NDArray[np.bool_], grid: list[Array], sigma: float
) -> tuple[Array, Array]:
    """(gh, gw) smooth cells and their weights."""
    values = np.where(usable, cells, 0.0)
    weights = usable.astype(np.float64)
    smooth = values
    for _ in range(ROUNDS):
        smooth = _local_line(values, weights, [g / sigma for g in grid])
        weights = usable * _tukey(values - smooth, usable, values, FOLLOWED)
    return smooth, weights


def _local_line(values: Array, weights: Array, grid: list[Array]) -> Array:
    """Value at each cell of the plane fitted to its surroundings, Gaussian of width 1.

    A plane, unlike a mean, is not drawn towards the middle at the border of the frame.
    """
    down, along = (np.exp(-0.5 * np.square(g[:, None] - g)) for g in grid)
    y, x = grid[0][:, None], grid[1][None, :]

    def about(array: Array, i: int, j: int) -> Array:
        return np.asarray(down @ (array * y**i * x**j) @ along)

    m, my, mx = (about(weights, *power) for power in ((0, 0), (1, 0), (0, 1)))
    if not (m > MIN_MASS).all():
        raise ValueError("too few usable pixels for so narrow a gaussian")
    t, ty, tx = (about(weights * values, *power) for power in ((0, 0), (1, 0), (0, 1)))
    matrix = np.empty((*values.shape, 3, 3))
    matrix[..., 0, 0] = m
    matrix[..., 0, 1] = matrix[..., 1, 0] = my - y * m
    matrix[..., 0, 2] = matrix[..., 2, 0] = mx - x * m
    matrix[..., 1, 1] = about(weights, 2, 0) - 2 * y * my + y * y * m + TINY * m
    matrix[..., 2, 2] = about(weights, 0, 2) - 2 * x * mx + x * x * m + TINY * m
    matrix[..., 1, 2] = about(weights, 1, 1) - x * my - y * mx + x * y * m
    matrix[..., 2, 1] = matrix[..., 1, 2]
    right = np.stack([t, ty - y * t, tx - x * t], axis=-1)
    return np.asarray(np.linalg.solve(matrix, right[..., None])[..., 0, 0])


def _tukey(residual: Array, usable: NDArray[np.bool_], values: Array, least: float = TINY) -> Array:
    """Tukey's biweight of residuals; 0 from 4.685 robust standard deviations on.

    ``least`` is the least standard deviation that is believed, relative to the mean.
    """
    deviation = _MAD * np.median(np.abs(residual[usable]))
    scale = TUKEY * max(float(deviation), least * float(np.abs(values[usable]).mean()))
    return np.asarray(np.square(np.clip(1 - np.square(residual / scale), 0, None)))


def _basis(at: Array, side: int, terms: int) -> Array:
    """(n, terms) Legendre polynomials at pixels, the frame spanning -1 to 1."""
    scaled: Any = (2 * at - (side - 1)) / max(side - 1, 1)
    return np.asarray(legendre.legvander(scaled, terms - 1))


def _hats(at: Array, centres: Array) -> Array:
    """(n, cells) weights of linear interpolation, straight on beyond the outer centres."""
    count = len(centres)
    if count == 1:
        return np.ones((len(at), 1))
    low = np.clip(np.searchsorted(centres, at, side="right") - 1, 0, count - 2)
    part = (at - centres[low]) / (centres[low + 1] - centres[low])
    weights = np.zeros((len(at), count))
    rows = np.arange(len(at))
    weights[rows, low], weights[rows, low + 1] = 1 - part, part
    return weights
