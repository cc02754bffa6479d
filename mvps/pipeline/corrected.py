"""Strip-wise correction of one stack: response, dark or ambient frame, flat fields, binning.

linear = response^-1(raw); corrected = (linear - offset) / flat. The offset is the ambient frame,
which holds the dark signal too, or else the dark frame; flat is the flat field less the dark frame,
divided by its mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mvps.capture import Stack
from mvps.images import ImageRef, Window, parse_response, probe
from mvps.lights.correction import correct, is_finished_flat
from mvps.pipeline.flatfield import (
    FlatField,
    Rows,
    gain_rows,
    linear_rows,
    mean_light,
    response_table,
    stamp,
)
from mvps.pipeline.options import RunOptions
from mvps.pipeline.windowed import WindowedRows, bin_all, bin_mean

# Correction hides the raw samples from the solver, so that those beyond the limits are marked by a
# value below anything that a camera can give, yet not so large that the solver takes it as missing.
UNUSABLE = np.float32(-1e12)

Opener = Callable[[ImageRef, str | None], WindowedRows]  # image and its mosaic


class Corrector:
    """Corrected float32 strips of every light of one stack.

    ``low`` is the limit at which the solver leaves out the samples that are marked unusable.

    Frames that all lights share are read once a strip, by :meth:`begin`; :meth:`fill` may then run
    for several lights side by side.
    """

    @classmethod
    def for_stack(
        cls,
        stack: Stack,
        *,
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
        return cls(
            stack,
            white=white,
            window=window,
            options=options,
            limits=limits,
            opener=opener,
        )

    def __init__(
        self,
        stack: Stack,
        *,
        white: float,
        window: Window,
        options: RunOptions,
        limits: tuple[float, float],
        opener: Opener,
    ) -> None:
        self._table = response_table(stack.response, stack.infos[0], white)
        dark = stack.ref(stack.dark) if stack.dark else None
        ambient = stack.ref(stack.ambient) if stack.ambient else None
        self._dark = opener(dark, stack.bayer) if dark else None
        self._ambient = opener(ambient, stack.bayer) if ambient else None
        self._shared_flat = len(set(stack.flats)) == 1
        refs = stack.flats[:1] if self._shared_flat else stack.flats
        limit = options.max_pixels
        self._finished = [
            is_finished_flat(probe(ref, max_pixels=limit), stack.infos[0]) for ref in refs
        ]
        self._flats, self._means = [], []
        for ref, finished in zip(refs, self._finished, strict=True):
            curve = ("linear", None, 1.0) if finished else (stack.response, stack.bayer, white)
            below = None if finished else dark
            self._flats.append(opener(ref, curve[1]))
            self._means.append(mean_light(FlatField(ref, below, *curve, limit, stamp(ref, below))))
        self._limits = limits
        self._limited = any(np.isfinite(limits))
        self.low = float(UNUSABLE) / 2 if self._limited else -np.inf
        self._bin = options.bin
        self._offset: Rows | None = None
        self._dark_rows: Rows | None = None
        self._gain: Rows | None = None

    def begin(self, y0: int, y1: int) -> None:
        """Read the frames that every light of the next strip shares."""
        self._dark_rows = self._linear(self._dark, y0, y1)
        ambient = self._linear(self._ambient, y0, y1)
        self._offset = self._dark_rows if ambient is None else ambient
        if self._shared_flat:
            self._gain = self._flat_gain(0, y0, y1)

    def fill(
        self, k: int, light: WindowedRows, y0: int, y1: int, out: NDArray[np.float32]
    ) -> NDArray[Any]:
        """Corrected, binned rows of light ``k`` into ``out``; returns its first raw row."""
        raw = light.empty(y1 - y0)
        light.read(y0, y1, raw)
        gain = self._gain
        if self._flats and not self._shared_flat:
            gain = self._flat_gain(k, y0, y1)
        linear = np.empty(raw.shape, np.float32)
        correct(raw, self._table, self._offset, gain, linear)
        out[...] = bin_mean(linear, self._bin)
        if self._limited:
            peak = raw if raw.ndim == 2 else raw.max(axis=2)
            low, high = self._limits
            out[~bin_all((peak > low) & (peak < high), self._bin)] = UNUSABLE
        first: NDArray[Any] = raw[0]
        return first

    def _flat_gain(self, k: int, y0: int, y1: int) -> Rows:
        finished = self._finished[k]
        flat = linear_rows(self._flats[k], y0, y1, None if finished else self._table)
        return gain_rows(flat, None if finished else self._dark_rows, self._means[k])

    def _linear(self, frame: WindowedRows | None, y0: int, y1: int) -> Rows | None:
        return None if frame is None else linear_rows(frame, y0, y1, self._table)
