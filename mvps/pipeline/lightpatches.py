"""Patches of all images of a stack, true neighbours inside each, taken out of its strips.

The strips may be those of a run, which then decodes nothing for the light check, or read for the
check alone: both give the same patches.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.plan import PlannedStack
from mvps.pipeline.source import Strip, StripSource
from mvps.stereo import Problem, prepare
from mvps.stereo.curl import median
from mvps.stereo.sanity import Patch

PATCH = 192  # px along the side of a patch; whole strips
WHOLE = 384  # px: a shorter side is taken whole; as many pixels as all patches of a larger image
BANDS = (0.25, 0.75)  # where the rows of patches lie
EARLY_BANDS = (0.25, 0.5)  # in files whose rows can only be decoded one after another
PER_BAND = 2
GLANCE = 16  # px between the pixels that decide which patches are worth keeping
GLANCED = 32  # rows that hold them, fewer than the lowest strip
SATURATED = 0.99  # of full scale


def read_patches(planned: PlannedStack, options: RunOptions) -> list[Patch]:
    """Patches of all images, grey over intensity, the most telling first.

    Raises
    ------
    MvpsError, OSError
        An image cannot be read.
    """
    if planned.stack.infos[0].dtype.kind == "u":
        limit = SATURATED if options.saturation is None else options.saturation
        options = replace(options, saturation=min(limit, SATURATED))
    with StripSource(planned.stack, planned.window, options) as source:
        patches = PatchGatherer(planned, source)
        rows = patches.rows()
        for row, strip in zip(rows, source.strips(rows), strict=True):
            patches.add(row, strip)
    return patches.finish()


def shows_saturation(planned: PlannedStack, source: StripSource, options: RunOptions) -> bool:
    """Whether the strips of a run tell which samples the check must not use.

    Correction hides it, unless the run itself leaves such samples out.
    """
    raw, limit = planned.stack.infos[0].dtype, options.saturation
    return raw.kind != "u" or source.dtype == raw or (limit is not None and limit <= SATURATED)


@dataclass
class _Band:
    """Patches beside each other, as far as their rows have come."""

    top: int
    chosen: list[tuple[float, int]] = field(default_factory=list)  # worth, left edge
    samples: list[NDArray[Any]] = field(default_factory=list)
    masks: list[NDArray[np.bool_]] = field(default_factory=list)


class PatchGatherer:
    """Takes the patches of a stack out of its strips.

    The first strip of a band decides which columns are worth it, so that no more than the patches
    is held.

    Parameters
    ----------
    planned : the stack
    source : where its strips come from
    """

    def __init__(self, planned: PlannedStack, source: StripSource) -> None:
        high = source.high
        if source.dtype.kind == "u":
            high = min(high, SATURATED * source.white)
        self._problem = prepare(
            planned.stack.lights,
            channels=source.channels,
            dtype=source.dtype,
            white=source.white,
            low=source.low,
            high=high,
        )
        self._columns = source.width
        self._width = source.width if source.width <= WHOLE else PATCH
        self._height = planned.height if planned.height <= WHOLE else PATCH
        streamed = planned.stack.infos[0].format == "png"
        shares: tuple[float, ...] = EARLY_BANDS if streamed else BANDS
        if planned.height < 2 * self._height:
            shares = (0.5,)
        tops = (max(int(planned.height * share) - self._height // 2, 0) for share in shares)
        last = planned.height - self._height
        self._bands = [_Band(min(top, last) // STRIP_ROWS * STRIP_ROWS) for top in tops]

    def rows(self) -> list[int]:
        """First rows of the strips that hold patches, in order."""
        tops = (band.top for band in self._bands)
        return sorted({y for t in tops for y in range(t, t + self._height, STRIP_ROWS)})

    def add(self, row: int, strip: Strip) -> None:
        """Keep what lies in a patch of the strip that begins at ``row``; strips come in order."""
        for band in self._bands:
            if band.top <= row < band.top + self._height:
                self._add_to(band, row - band.top, strip)

    def finish(self) -> list[Patch]:
        """The patches, the most telling first; the samples are let go."""
        found: list[tuple[float, Patch]] = []
        for band in self._bands:
            for (worth, _), inside in zip(band.chosen, band.masks, strict=True):
                found.append((worth, _grey(band.samples.pop(0), inside, self._problem)))
        found.sort(key=lambda scored: -scored[0])
        self._bands = []
        return [patch for _, patch in found]

    def _add_to(self, band: _Band, start: int, strip: Strip) -> None:
        rows = min(strip.rows, self._height - start)
        shape = (len(strip.samples), strip.rows, self._columns, -1)
        block = strip.samples.reshape(shape)[:, :rows]
        mask = np.ones((rows, self._columns), np.bool_)
        if strip.mask is not None:
            mask = strip.mask.reshape(strip.rows, self._columns)[:rows] > 0
        if start == 0:
            self._choose(band, block, mask)
        done = slice(start, start + rows)
        for (_, left), patch, inside in zip(band.chosen, band.samples, band.masks, strict=True):
            patch[:, done] = block[:, :, left : left + self._width]
            inside[done] = mask[:, left : left + self._width]

    def _choose(self, band: _Band, block: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        width, height = self._width, self._height
        glances = []
        for left in range((self._columns % width) // 2, self._columns - width + 1, width):
            part = np.s_[:GLANCED:GLANCE, left : left + width : GLANCE]
            glances.append((_worth(_grey(block[:, *part], mask[part], self._problem)), left))
        band.chosen = sorted(glances, key=lambda scored: -scored[0])[:PER_BAND]
        shape = (len(block), height, width, block.shape[-1])
        band.samples = [np.empty(shape, block.dtype) for _ in band.chosen]
        band.masks = [np.empty((height, width), np.bool_) for _ in band.chosen]


def _grey(samples: NDArray[Any], inside: NDArray[np.bool_], problem: Problem) -> Patch:
    gain = problem.gain.astype(np.float32)
    if samples.shape[-1] == 1:
        peak = samples[..., 0]
        values = peak * gain[:, :, None]
    else:
        peak = samples.max(axis=-1)
        values = np.einsum("khwc,kc->khw", samples, gain)
    usable = ((peak > problem.low) & (peak < problem.high)).all(axis=0)
    if values.dtype.kind == "f" and samples.dtype.kind == "f":
        usable &= np.isfinite(values).all(axis=0)
        values = np.where(usable, values, 0)
    usable &= inside
    return Patch(values.astype(np.float32, copy=False), np.asarray(usable))


def _worth(glance: Patch) -> float:
    """Share of usable pixels times how much the shading differs among them."""
    values = glance.values[:, glance.usable]
    length = np.sqrt(np.square(values).sum(axis=0))
    if not length.any():
        return 0.0
    unit = values / np.maximum(length, 1e-12)
    spread = np.sqrt(np.square(unit - unit.mean(axis=1, keepdims=True)).sum(axis=0))
    return float(glance.usable.mean() * median(spread))
