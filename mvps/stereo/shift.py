"""Did the part or the camera move between two photographs? A shift for every light, in pixels.

Each image is compared with the one that the other lights predict for it, v_k = l_k (L'L)^-1 L' v of
the others, because shading changes from light to light and only a prediction has the right one. The
shift is the peak of the phase correlation (Kuglin and Hines, 1975) of the complex gradient of both.
A highlight moves with its light as if the part had: a shift counts only where most of the picture,
tile by tile, fits better after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.sanity import Patch, lit_pixels

Array = NDArray[np.float64]
Spectra = NDArray[np.complex64]
Since = Literal["the others", "those before", "those after"]

ALARM = 0.5  # px
REACH = 24  # px, the largest shift that is looked for
BLUR = 1.0  # px, standard deviation of the low pass on the correlation
EDGE = 1.5  # px, standard deviation of the soft edge round shadows and mask
WHITEN = 0.3  # of the mean amplitude: below it a frequency counts as noise
SHARP = 8.0  # height of the peak over the deviation of the rest
COHERENT = 0.3  # height of the peak; 1 if both pictures are equal
MAX_WEIGHT = 2.0  # length of the weights of a prediction; above it noise is amplified too far
MOST_REFERENCES = 16  # images that one prediction needs; more cost more and say no more
TILE = 16  # px
IMPROVED = 0.7  # share of the tiles that must fit better
MIN_TILES = 8


@dataclass(frozen=True)
class Shift:
    """How far one image lies from where the others predict it.

    Attributes
    ----------
    light : index of the image, from 0
    x, y : px to the right and downwards
    since : what it was compared with: "the others", "those before" or "those after"
    certain : whether most of the picture agrees; always so up to ``ALARM``
    """

    light: int
    x: float
    y: float
    since: Since
    certain: bool

    @property
    def length(self) -> float:
        """In px."""
        return float(np.hypot(self.x, self.y))

    @property
    def alarming(self) -> bool:
        """Whether the user should know."""
        return self.certain and self.length > ALARM


def measure_shifts(patches: Sequence[Patch], directions: Array) -> tuple[Shift, ...]:
    """Shifts of the images that can be measured, at most one a light.

    Parameters
    ----------
    patches : pieces of the images, all of one size
    directions : (K, 3) unit, the right lights; with fewer than 4 nothing can be measured

    Notes
    -----
    A light that moved alone disagrees with all others; a part that moved once, between two
    photographs, shows where an image is predicted from those before or after it alone.
    """
    if len(directions) < 4 or not patches or min(patches[0].usable.shape) < 2 * REACH:
        return ()
    spectra = [_spectra(patch) for patch in patches]
    found = []
    for light in range(len(directions)):
        measured = [
            shift
            for since, rows in _references(light, len(directions))
            if (shift := _measure(spectra, directions, light, since, rows))
        ]
        alarming = [shift for shift in measured if shift.alarming]
        found += (alarming or measured)[:1]
    return tuple(found)


def _references(light: int, K: int) -> list[tuple[Since, list[int]]]:
    """The sets of lights that an image is predicted from, spread over all that qualify."""
    before, after = list(range(light)), list(range(light + 1, K))
    sets: list[tuple[Since, list[int]]] = [("the others", before + after)]
    sets += [("those before", before)] if len(before) >= 3 and after else []
    sets += [("those after", after)] if len(after) >= 3 and before else []
    return [(since, rows[:: 1 + (len(rows) - 1) // MOST_REFERENCES]) for since, rows in sets]


def _measure(
    spectra: Sequence[Spectra], directions: Array, light: int, since: Since, rows: list[int]
) -> Shift | None:
    weights = directions[light] @ np.linalg.pinv(directions[rows])
    if np.linalg.matrix_rank(directions[rows], tol=0.05) < 3:
        return None
    if float(np.linalg.norm(weights)) > MAX_WEIGHT:
        return None
    pairs = [(s[light], np.tensordot(weights.astype(np.float32), s[rows], axes=1)) for s in spectra]
    peak = _peak(pairs)
    if peak is None:
        return None
    x, y = peak
    certain = float(np.hypot(x, y)) <= ALARM or _most_agree(pairs, x, y)
    return Shift(light, x, y, since, certain)


def _spectra(patch: Patch) -> Spectra:
    """(K, h, w) spectra of the complex gradients of all lights, away from shadows and mask."""
    rows, columns = (n - n % TILE for n in patch.usable.shape)  # sizes that a transform likes
    patch = Patch(patch.values[:, :rows, :columns], patch.usable[:rows, :columns])
    opened = ~_shrunk(~_shrunk(lit_pixels(patch)))
    soft = np.fft.fft2(_shrunk(opened)) * _low_pass((rows, columns), EDGE)
    window = np.outer(np.hanning(rows), np.hanning(columns)) * np.fft.ifft2(soft).real
    window = window.astype(np.float32)
    spectra = np.empty(patch.values.shape, np.complex64)
    slope = np.zeros((rows, columns), np.complex64)
    for values, spectrum in zip(patch.values, spectra, strict=True):
        slope.real[:, 1:-1] = values[:, 2:] - values[:, :-2]
        slope.imag[1:-1] = values[2:] - values[:-2]
        spectrum[:] = np.fft.fft2(slope * window)
    return spectra


def _peak(pairs: Sequence[tuple[Spectra, Spectra]]) -> tuple[float, float] | None:
    """Shift (x, y) at the peak of the phase correlation, None where there is no clear one."""
    low_pass = _low_pass(pairs[0][0].shape)
    surface, full = np.zeros_like(low_pass), 0.0
    for image, prediction in pairs:
        size = np.abs(image) * np.abs(prediction)
        weight = low_pass / (size + WHITEN * size.mean() + np.finfo(np.float32).tiny)
        surface += np.fft.ifft2(image * np.conj(prediction) * weight).real
        full += float((size * weight).mean())
    rows, columns = surface.shape
    reach = min(REACH, rows // 3, columns // 3)
    near = np.fft.fftshift(surface)[
        rows // 2 - reach : rows // 2 + reach + 1, columns // 2 - reach : columns // 2 + reach + 1
    ]
    i, j = np.unravel_index(int(np.argmax(near[1:-1, 1:-1])), (2 * reach - 1, 2 * reach - 1))
    row, column = int(i) + 1, int(j) + 1
    height = float(near[row, column])
    rest = near.copy()
    rest[max(row - 4, 0) : row + 5, max(column - 4, 0) : column + 5] = np.nan
    if height <= 0 or height < COHERENT * full or height < SHARP * float(np.nanstd(rest)):
        return None
    around = np.log(np.maximum(near[row - 1 : row + 2, column - 1 : column + 2], 1e-6 * height))
    return column - reach + _vertex(around[1]), row - reach + _vertex(around[:, 1])


def _vertex(three: NDArray[Any]) -> float:
    """Where a parabola through values at -1, 0 and 1 is highest."""
    bend = float(three[0] - 2 * three[1] + three[2])
    return 0.0 if bend >= 0 else float(three[0] - three[2]) / (2 * bend)


def _shrunk(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels whose neighbours, diagonal ones too, are all set; beyond the border all are."""
    padded = np.pad(flags, 1, constant_values=True)
    down = padded[:-2] & padded[1:-1] & padded[2:]
    return np.asarray(down[:, :-2] & down[:, 1:-1] & down[:, 2:])


def _low_pass(shape: tuple[int, ...], blur: float = BLUR) -> NDArray[np.float32]:
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None]
    return np.exp(-2 * (np.pi * blur) ** 2 * (fx**2 + fy**2)).astype(np.float32)


def _most_agree(pairs: Sequence[tuple[Spectra, Spectra]], x: float, y: float) -> bool:
    """Whether most tiles with anything in them fit their prediction better when moved back."""
    gains = []
    for image, prediction in pairs:
        fy = np.fft.fftfreq(image.shape[0])[:, None]
        fx = np.fft.fftfreq(image.shape[1])[None]
        moved = image * np.exp(2j * np.pi * (fx * x + fy * y)).astype(np.complex64)
        low_pass = _low_pass(image.shape)
        before, after, signal = (
            _tile_energy(np.fft.ifft2(spectrum * low_pass))
            for spectrum in (image - prediction, moved - prediction, prediction)
        )
        something = signal > 0.05 * signal.mean()
        gains.append(np.log((before[something] + 1e-30) / (after[something] + 1e-30)))
    gain = np.concatenate(gains)
    return len(gain) >= MIN_TILES and float((gain > 0).mean()) >= IMPROVED


def _tile_energy(field: NDArray[Any]) -> Array:
    rows, columns = (n // TILE for n in field.shape)
    part = np.square(np.abs(field[: rows * TILE, : columns * TILE]))
    return np.asarray(part.reshape(rows, TILE, columns, TILE).sum(axis=(1, 3)))
