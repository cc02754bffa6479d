"""Strip-wise correction of one stack: response, dark or ambient frame, flat fields, binning.

linear = response^-1(raw); corrected = (linear - offset) / flat, with offset the ambient frame (which
holds the dark signal too) or else the dark frame, and flat the flat field less the dark frame,
divided by its mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mvps.capture import Stack
from mvps.images import ImageRef, parse_response
from mvps.lights.correction import correct
from mvps.pipeline.flatfield import (
    FlatField,
    Rows,
    gain_rows,
    linear_rows,
    mean_light,
    response_table,
    stamp,
)
from mvps.pipeline.options import RunOptions, Window
from mvps.pipeline.windowed import WindowedRows, bin_all, bin_mean

Opener = Callable[[ImageRef], WindowedRows]


class Corrector:
    """Corrected float32 strips of every light of one stack.

    Frames that all lights share are read once a strip, by :meth:`begin`; :meth:`fill` may then run
    for several lights side by side.
    """

    @classmethod
    def for_stack(
        cls,
        stack: Stack,
        white: float,
        window: Window,
        options: RunOptions,
        limits: tuple[float, float],
        opener: Opener,
    ) -> Self | None:
        """A corrector, or None where the raw samples can go to the solver as they are."""
        linear = parse_response(stack.response).is_linear
        frames = stack.dark or stack.ambient or stack.flats
        if linear and not frames and options.bin == 1:
            return None
        return cls(stack, white, window, options, limits, opener)

    def __init__(
        self,
        stack: Stack,
        white: float,
        window: Window,
        options: RunOptions,
        limits: tuple[float, float],
        opener: Opener,
    ) -> None:
        self._table = response_table(stack.response, stack.infos[0], white)
        self._dark = opener(ImageRef(stack.dark)) if stack.dark else None
        self._ambient = opener(ImageRef(stack.ambient)) if stack.ambient else None
        self._flats = [opener(ref) for ref in stack.flats]
        curve = (stack.response, stack.bayer, white)
        self._means = [
            mean_light(FlatField(ref, stack.dark, window, *curve, options.max_pixels, stamp(ref, stack.dark)))
            for ref in stack.flats
        ]
        self._limits = limits
        self._limited = any(np.isfinite(limits))
        self._bin = options.bin
        self._offset: Rows | None = None
        self._dark_rows: Rows | None = None
        self._usable: list[NDArray[np.bool_] | None] = [None] * len(stack.images)

    def begin(self, y0: int, y1: int) -> None:
        """Read the frames that every light of the next strip shares."""
        self._dark_rows = self._linear(self._dark, y0, y1)
        ambient = self._linear(self._ambient, y0, y1)
        self._offset = self._dark_rows if ambient is None else ambient

    def fill(
        self, k: int, light: WindowedRows, y0: int, y1: int, out: NDArray[np.float32]
    ) -> NDArray[Any]:
        """Corrected, binned rows of light ``k`` into ``out``; returns its first raw row."""
        raw = light.empty(y1 - y0)
        light.read(y0, y1, raw)
        if self._limited:
            peak = raw if raw.ndim == 2 else raw.max(axis=2)
            low, high = self._limits
            self._usable[k] = bin_all((peak > low) & (peak < high), self._bin)
        gain = None
        if self._flats:
            flat = self._linear(self._flats[k], y0, y1)
            assert flat is not None
            gain = gain_rows(flat, self._dark_rows, self._means[k])
        linear = np.empty(raw.shape, np.float32)
        correct(raw, self._table, self._offset, gain, linear)
        out[...] = bin_mean(linear, self._bin)
        return raw[0]

    def usable(self) -> NDArray[np.uint8] | None:
        """Usable lights of each pixel of the strip, (N,) uint8; None where no limits are set."""
        flags = [flag for flag in self._usable if flag is not None]
        if not flags:
            return None
        return np.sum(flags, axis=0, dtype=np.uint8).reshape(-1)

    def _linear(self, frame: WindowedRows | None, y0: int, y1: int) -> Rows | None:
        return None if frame is None else linear_rows(frame, y0, y1, self._table)
