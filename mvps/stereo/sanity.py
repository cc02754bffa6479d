"""Are these the right lights? Whether another order or other axes of the lights explain the images
better, by the residual of least squares and by the curl of the slopes.

A permutation of the lights leaves tr G - tr(P M P' G) of the samples' Gram matrix G unexplained,
M = L (L'L)^-1 L'; a rotation or reflection of all lights leaves the residual as it is and shows in
the curl alone (Yuille and Snow, CVPR 1997). What cannot be seen, by any method that looks at one
capture of matt surfaces under distant lights: half a turn of all lights (x and y both negated, for
an even ring also a roll by half of it), which exchanges hills and hollows, so that "y flipped"
always stands for "or x flipped" too; on parts that are flat, or cylinders along an axis, the flips;
with three lights a wrong order, unless they stand in a regular triangle; two lights swapped that
are a few degrees apart; on a flat part everything but the slant of the lights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.curl import BATCH, COVER, bends, median
from mvps.stereo.hypotheses import AXES, Hypothesis, likely_orders

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SCALES = (1, 2, 4, 8)  # pixels along the side of a cell
TILE = 8  # cells along the side of a tile
MIN_TILES = 10
PLENTY = 24  # tiles that a coarser scale must leave
KEEP = 12  # orders that are looked at beside the given one
DARK = 0.1  # of a pixel's brightest sample: darker ones lie in shadow
LIT_ENOUGH = 0.25  # of the pixels should be free of shadow
GAIN_STIFFNESS = 0.05  # see _unexplained
# Doubt needs a gain (mean log ratio over tiles) and certainty (over its standard error): that of
# the curl alone, or that of the residual with twice the curl's added. A second fault in the same
# hypothesis costs the gain again. benchmarks/light_sanity.py shows what they let through.
TOTAL_GAIN, RESIDUAL_SURE = 0.6, 4.0
CURL_GAIN, CURL_SURE = 0.15, 4.0
NOISE = 0.5  # share of the curl where there is nothing but noise
TOLERATED = 0.1  # loss in one figure that a gain in the other may cost
MAX_SHEAR = 1.3  # condition number of what a hypothesis does to the normals
FLIPPED, EXCHANGED = AXES[2:]
FLOOR = 1e-7  # of a pixel's energy: below rounding of 8-bit samples


@dataclass(frozen=True, eq=False)
class Patch:
    """A piece of all images.

    Attributes
    ----------
    values : (K, h, w) float32 grey samples over intensity
    usable : (h, w) bool, inside the mask and not saturated under any light
    """

    values: NDArray[np.float32]
    usable: Flags


@dataclass(frozen=True)
class Fit:
    """How well one hypothesis fits.

    Attributes
    ----------
    name : in plain words, "as given" for the light file as it stands
    residual : root of the share of a pixel's energy that least squares leaves, typical of a tile
    curl : of the slopes, over twice the root mean square of curl, Laplacian and saddles; NOISE
        where there is nothing else, and where nothing is known
    residual_gain, curl_gain : mean log ratio, over tiles, of the given lights' figure to this one
    residual_sure, curl_sure : the same over its standard error
    """

    name: str
    residual: float
    curl: float
    residual_gain: float
    residual_sure: float
    curl_gain: float
    curl_sure: float


@dataclass(frozen=True)
class Verdict:
    """What the images say about the lights.

    Attributes
    ----------
    answer : "right", "wrong" or "inconclusive"
    words : one phrase that says why
    given, best : the light file as it stands, and what fits best (the same unless wrong); None
        where too few pixels are lit
    tiles, scale : pieces of the images that were compared, and pixels to the side of their cells
    """

    answer: Literal["right", "wrong", "inconclusive"]
    words: str
    given: Fit | None
    best: Fit | None
    tiles: int
    scale: int


def judge(patches: Sequence[Patch], directions: Array, intensities: Array | None = None) -> Verdict:
    """Compare the given lights with every hypothesis.

    Parameters
    ----------
    patches : pieces of the images, true neighbours inside each
    directions : (K, 3) unit, towards the light; x right, y up, z to the camera; K >= 3
    intensities : (K,) by which the samples were divided, relative; all equal when None
    """
    if median(directions[:, 2]) <= 0:
        return Verdict("inconclusive", "most lights are behind the object", None, None, 0, 1)
    values, usable, scale = _best_scale(patches, directions)
    tiles = len(values)
    if tiles < MIN_TILES:
        return Verdict("inconclusive", "too few pixels are lit", None, None, tiles, scale)
    if intensities is None:
        intensities = np.ones(len(directions))
    found = compare(values, usable, directions, intensities)
    given = found[0][1]
    better = [(h, fit) for h, fit in found[1:] if _better(h, fit, directions)]
    if better:
        names, best = _simplest(better)
        return Verdict("wrong", _accuse(names, best), given, best, tiles, scale)
    flips = [fit for h, fit in found if not h.words and AXES[h.axes] in (FLIPPED, EXCHANGED)]
    if all(fit.curl_gain < -CURL_GAIN and fit.curl_sure < -CURL_SURE for fit in flips):
        return Verdict("right", "nothing else fits better", given, given, tiles, scale)
    words = "the part is too flat, too noisy or too regular to tell"
    return Verdict("inconclusive", words, given, given, tiles, scale)


def _better(hypothesis: Hypothesis, fit: Fit, directions: Array) -> bool:
    """Whether this is reason to doubt the given lights."""
    if min(fit.residual_gain, fit.curl_gain) < -TOLERATED:
        return False
    if _score(fit) > TOTAL_GAIN * hypothesis.faults and fit.residual_sure > RESIDUAL_SURE:
        return True
    # Shares of the curl compare like with like only between surfaces that are turned, not sheared.
    turn = np.linalg.pinv(directions[list(hypothesis.order)]) @ directions
    surely = fit.curl_gain > CURL_GAIN * hypothesis.faults and fit.curl_sure > CURL_SURE
    return surely and float(np.linalg.cond(turn)) < MAX_SHEAR


def _score(fit: Fit) -> float:
    return fit.residual_gain + 2 * fit.curl_gain


def _simplest(better: list[tuple[Hypothesis, Fit]]) -> tuple[list[str], Fit]:
    """The best fit in the fewest words, and the names of all that fit as well in as few."""
    limit = max(_score(fit) for _, fit in better) - TOLERATED
    equal = [(h, fit) for h, fit in better if _score(fit) >= limit]
    fewest = min(h.faults for h, _ in equal)
    short = [(h, fit) for h, fit in equal if h.faults == fewest]
    short.sort(key=lambda pair: bool(pair[0].words))
    return list(dict.fromkeys(h.name for h, _ in short)), short[0][1]


def _accuse(names: list[str], best: Fit) -> str:
    if best.residual_gain > TOLERATED:
        before = best.residual * float(np.exp(best.residual_gain / 2))
        figures = f"residual {best.residual:.3f} against {before:.3f}"
    else:
        before = best.curl * float(np.exp(best.curl_gain))
        figures = f"curl {best.curl:.2f} against {before:.2f}"
    return f"the lights fit better {' or '.join(names[:2])} ({figures})"


def compare(
    values: NDArray[Any], usable: Flags, directions: Array, intensities: Array
) -> list[tuple[Hypothesis, Fit]]:
    """Every hypothesis with its fit, the given lights first; arguments as in :func:`judge`."""
    grams = _grams(values, usable)
    found: list[tuple[Hypothesis, Fit]] = []
    first: tuple[Array, Array] | None = None
    for order in likely_orders(directions, intensities, grams.mean(axis=0), KEEP):
        lights = directions[list(order.order)]
        left = np.log(_unexplained(order.scaled(grams), lights))
        scale = np.array(order.scale, np.float32)[:, None, None]
        four = bends(values if (scale == 1).all() else values * scale, usable, lights)
        total = np.sqrt(np.square(four).mean(axis=1, keepdims=True))
        four[total[:, 0] == 0] = np.nan  # quite flat: nothing is known
        share = np.log(four / total * NOISE)
        first = first or (left, share[:, 0])
        for axes in range(len(AXES)):
            hypothesis = replace(order, axes=axes)
            found.append((hypothesis, _fit(hypothesis, left, share[:, axes], first)))
    return found


def _fit(hypothesis: Hypothesis, left: Array, share: Array, given: tuple[Array, Array]) -> Fit:
    residual_gain, residual_sure = _paired(given[0] - left)
    curl_gain, curl_sure = _paired(given[1] - share)
    return Fit(
        hypothesis.name,
        float(np.exp(left.mean() / 2)),
        float(np.exp(np.nanmean(share))) if np.isfinite(share).any() else NOISE,
        residual_gain,
        residual_sure,
        curl_gain,
        curl_sure,
    )


def _paired(difference: Array) -> tuple[float, float]:
    """Mean over tiles and that over its standard error."""
    difference = difference[np.isfinite(difference)]
    if len(difference) < MIN_TILES:
        return 0.0, 0.0
    mean = float(difference.mean())
    error = float(difference.std()) / np.sqrt(len(difference))
    return mean, mean / max(error, 1e-9)


def _grams(values: NDArray[Any], usable: Flags) -> Array:
    """(B, K, K) mean over a tile's usable pixels of the outer product of unit sample vectors."""
    grams = np.empty((len(values), values.shape[1], values.shape[1]))
    for i in range(0, len(values), BATCH):
        part = slice(i, i + BATCH)
        flat = values[part].reshape(*values[part].shape[:2], -1)
        length = np.sqrt(np.square(flat).sum(axis=1, keepdims=True))
        unit = flat / np.maximum(length, 1e-12) * usable[part].reshape(len(flat), 1, -1)
        count = usable[part].sum(axis=(1, 2))
        grams[part] = np.matmul(unit, unit.transpose(0, 2, 1)) / count[:, None, None]
    return grams


def _unexplained(grams: Array, lights: Array) -> Array:
    """(B,) share of energy that least squares leaves in every tile, with gains made good.

    Lights are never quite as bright as stated, and on a flat part a swap could mend that. So every
    light may have a gain 1 + e_k of its own, at the price GAIN_STIFFNESS |e|^2 / K: e minimises
    (1+e)' A (1+e) + price with A = (1 - M) o G.
    """
    K = len(lights)
    rest = np.eye(K) - lights @ np.linalg.pinv(lights)
    A = rest * grams.mean(axis=0)
    stiff = GAIN_STIFFNESS / K
    e = -np.linalg.solve(A + stiff * np.eye(K), A.sum(axis=1))
    gain = 1 + e
    left = np.einsum("i,bij,j->b", gain, rest * grams, gain) + stiff * float(e @ e)
    return np.asarray(np.maximum(left, FLOOR), dtype=np.float64)


def _best_scale(
    patches: Sequence[Patch], directions: Array
) -> tuple[NDArray[np.float32], Flags, int]:
    """Tiles at the finest scale whose slopes are more than noise.

    Averaging cells halves the differences of white noise and doubles those of a smooth surface. The
    four derivatives are added up, so the choice favours no turn or flip.
    """
    lit = [lit_pixels(patch) for patch in patches]
    chosen, lowest = _tiles(patches, lit, SCALES[0]), np.inf
    scale = SCALES[0]
    for size in SCALES:
        tiles = chosen if size == SCALES[0] else _tiles(patches, lit, size)
        if len(tiles[0]) < (MIN_TILES if size == SCALES[0] else PLENTY):
            break
        chosen, scale = tiles, size
        energy = np.square(bends(*tiles, directions)).sum(axis=1)
        if not np.isfinite(energy).any():
            break
        level = median(energy[~np.isnan(energy)])
        if level > lowest:
            break
        lowest = level
    return *chosen, scale


def lit_pixels(patch: Patch) -> Flags:
    """(h, w) usable pixels in as few shadows as a quarter of them allow."""
    values = patch.values
    peak = values.max(axis=0)
    if not patch.usable.any():
        return patch.usable
    bright = patch.usable & (peak > 0.02 * peak[patch.usable].mean())
    shadows = (values < DARK * peak).sum(axis=0)
    allowed = 0
    enough = LIT_ENOUGH * np.count_nonzero(bright)
    while np.count_nonzero(bright & (shadows <= allowed)) < enough and allowed < len(values) - 3:
        allowed += 1
    return np.asarray(bright & (shadows <= allowed))


def _tiles(
    patches: Sequence[Patch], lit: Sequence[Flags], scale: int
) -> tuple[NDArray[np.float32], Flags]:
    """(B, K, TILE, TILE) means over cells and (B, TILE, TILE): all pixels of the cell are lit."""
    edge = TILE * scale
    K = len(patches[0].values) if patches else 0
    room = sum((flags.shape[0] // edge) * (flags.shape[1] // edge) for flags in lit)
    values = np.empty((room, K, TILE, TILE), np.float32)
    usable = np.empty((room, TILE, TILE), np.bool_)
    found = 0
    for patch, flags in zip(patches, lit, strict=True):
        rows, columns = (n // edge for n in flags.shape)
        shape = (rows, TILE, scale, columns, TILE, scale)
        part = (slice(rows * edge), slice(columns * edge))
        cells = np.zeros((K, rows * TILE, columns * TILE), np.float32)
        for i in range(scale):
            for j in range(scale):
                cells += patch.values[(slice(None), *part)][:, i::scale, j::scale]
        cells /= scale**2
        whole = np.asarray(flags[part].reshape(shape).all(axis=(2, 5)))
        whole = whole.transpose(0, 2, 1, 3).reshape(-1, TILE, TILE)
        full = whole.mean(axis=(1, 2)) >= COVER
        tiles = cells.reshape(K, rows, TILE, columns, TILE).transpose(1, 3, 0, 2, 4)
        kept = slice(found, found + int(np.count_nonzero(full)))
        values[kept] = tiles[full.reshape(rows, columns)]
        usable[kept] = whole[full]
        found = kept.stop
    return values[:found], usable[:found]
