"""Flat fields: the gain that each gives, normalised by its mean light.

The mean needs a pass of its own over the flat field; a rig's flat fields serve thousands of stacks,
so it is kept for as long as the files stay what they are.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.images import ImageInfo, ImageRef, parse_response
from mvps.lights.correction import correct
from mvps.pipeline.options import STRIP_ROWS
from mvps.pipeline.windowed import WindowedRows

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class FlatField:
    """Everything that the mean of a flat field depends on; ``stamps`` change with its files."""

    ref: ImageRef
    dark: ImageRef | None
    response: str
    bayer: str | None
    white: float
    max_pixels: int
    stamps: tuple[tuple[int, int], ...]


def stamp(*frames: ImageRef | None) -> tuple[tuple[int, int], ...]:
    """Size and time of change of the files behind a flat field."""
    states = [frame.path.stat() for frame in frames if frame is not None]
    return tuple((state.st_size, state.st_mtime_ns) for state in states)


@lru_cache(maxsize=4096)
def mean_light(flat: FlatField) -> float:
    """Mean of the flat field less the dark frame over its lit pixels, in raw units.

    The whole frame counts, whatever the region of interest, so that a pixel's normal does not
    depend on how much of its surroundings is solved.

    Raises
    ------
    InputError
        No pixel of the flat field is brighter than the dark frame.
    """
    total, lit = 0.0, 0
    with ExitStack() as files:

        def opened(ref: ImageRef) -> WindowedRows:
            rows = WindowedRows.open(ref, None, flat.bayer, flat.max_pixels)
            return files.enter_context(closing(rows))

        frame = opened(flat.ref)
        dark = opened(flat.dark) if flat.dark else None
        table = response_table(flat.response, frame.info, flat.white)
        for y0 in range(0, frame.info.height, STRIP_ROWS):
            y1 = min(y0 + STRIP_ROWS, frame.info.height)
            light = linear_rows(frame, y0, y1, table)
            if dark is not None:
                light -= linear_rows(dark, y0, y1, table)
            positive = light > 0
            total += float(light.sum(where=positive, dtype=np.float64))
            lit += int(np.count_nonzero(positive))
    if lit == 0:
        raise InputError(flat.ref.path, "this flat field holds no light", "check --flat and --dark")
    return total / lit


def response_table(response: str, info: ImageInfo, white: float) -> Rows | None:
    """Lookup table that undoes the camera's curve, or None for a linear camera.

    Raises
    ------
    InputError
        The samples are floating point, which no table can index.
    """
    curve = parse_response(response)
    if curve.is_linear:
        return None
    if info.dtype.kind == "f":
        raise InputError(info.path, f"float samples cannot take --response {curve.name}")
    return curve.table(info.dtype, white)


def linear_rows(frame: WindowedRows, y0: int, y1: int, table: Rows | None) -> Rows:
    """Rows of one frame on the linear scale, float32 in raw units."""
    raw = frame.empty(y1 - y0)
    frame.read(y0, y1, raw)
    linear = np.empty(raw.shape, np.float32)
    correct(raw, table, None, None, linear)
    return linear


def gain_rows(flat: Rows, dark: Rows | None, mean: float) -> Rows:
    """``mean / (flat - dark)``; NaN, hence an invalid pixel, where the flat field has no light."""
    light = flat if dark is None else flat - dark
    gain = np.full(light.shape, np.nan, np.float32)
    np.divide(np.float32(mean), light, out=gain, where=light > 0)
    return gain
