"""The reading end of a run: strips of every light of one stack, windowed, corrected and binned.

Samples stay in the integers of the file wherever no correction asks for more, because those are
the fewest bytes and the solver reads them as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mvps.capture import Stack
from mvps.errors import ImageError
from mvps.images import ImageRef, Window
from mvps.pipeline.corrected import Corrector
from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.sampling import SampleStatistics
from mvps.pipeline.windowed import WindowedRows, bin_all

LEAN_PIXEL = 8  # bytes of a pixel's samples over all lights


@dataclass(frozen=True)
class Strip:
    """The next rows of the maps.

    Attributes
    ----------
    rows : number of rows
    raw_pixels : raw pixels that were read for them, over all lights
    samples : (K, N) or (K, N, 3) raw samples or corrected float32, N = rows times width
    mask : (N,) uint8, zero where no normal is wanted, or None
    wanted : pixels inside the user's mask, None without one
    """

    rows: int
    raw_pixels: int
    samples: NDArray[Any]
    mask: NDArray[np.uint8] | None
    wanted: int | None

    def parts(self, rows: int) -> Iterator[Strip]:
        """Pieces of at most ``rows`` rows, from the top; they share the arrays."""
        if rows >= self.rows:
            yield self
            return
        width = self.samples.shape[1] // self.rows
        for start in range(0, self.rows, rows):
            count = min(rows, self.rows - start)
            pixels = slice(start * width, (start + count) * width)
            mask = None if self.mask is None else self.mask[pixels]
            wanted = None if mask is None else int(np.count_nonzero(mask))
            raw_pixels = self.raw_pixels * count // self.rows
            yield Strip(count, raw_pixels, self.samples[:, pixels], mask, wanted)


class StripSource:
    """Strips of one stack, in order from the top; a context manager that closes its files.

    Parameters
    ----------
    stack : inspected stack
    window : part of the raw images to read
    options : binning and sample limits are taken from here
    pool : reads the lights side by side where given

    Attributes
    ----------
    width : of a strip, after binning
    white : value of a full-scale sample of ``Strip.samples``
    dtype, channels : of ``Strip.samples``
    low, high : sample limits that the solver has to apply, -inf and inf where it has none
    statistics : shares and bits of the raw samples read so far

    Raises
    ------
    ImageError
        A file cannot be opened or decoded.
    """

    def __init__(
        self, stack: Stack, window: Window, options: RunOptions, pool: Executor | None = None
    ) -> None:
        self.white = stack.sample_format.white(stack.infos[0])
        self.statistics = SampleStatistics(self.white)
        self.width = window.width // options.bin
        self._height = window.height // options.bin
        self._bin = options.bin
        self._pool = pool
        with ExitStack() as opening:

            def rows(ref: ImageRef, bayer: str | None) -> WindowedRows:
                opened = WindowedRows.open(ref, window, bayer, options.max_pixels)
                return opening.enter_context(closing(opened))

            self._lights = [rows(ref, stack.bayer) for ref in stack.images]
            for light, planned in zip(self._lights, stack.infos, strict=True):
                if light.raw_shape != (planned.height, planned.width, planned.dtype):
                    raise ImageError(planned.path, "changed after it was checked", "run again")
            self._mask = rows(ImageRef(stack.mask), None) if stack.mask else None
            low = -np.inf if options.black is None else options.black * self.white
            high = np.inf if options.saturation is None else options.saturation * self.white
            self._corrector = Corrector.for_stack(
                stack,
                white=self.white,
                window=window,
                options=options,
                limits=(low, high),
                opener=rows,
            )
            self._files = opening.pop_all()
        info = self._lights[0].info
        self.channels = info.channels
        self.dtype = np.dtype(np.float32) if self._corrector else info.dtype
        self.low, self.high = (self._corrector.low, np.inf) if self._corrector else (low, high)

    @property
    def lean(self) -> bool:
        """Whether strips are small and no reader holds samples of its own, decoded or coded."""
        pixel_bytes = len(self._lights) * self.channels * self.dtype.itemsize
        plain = all(light.info.compression == "none" for light in self._lights)
        return plain and pixel_bytes <= LEAN_PIXEL

    @property
    def by_rows(self) -> bool:
        """Whether any number of rows costs the same; coded strips are decoded whole."""
        infos = [light.info for light in self._lights]
        return all(info.format == "png" or info.compression == "none" for info in infos)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def strips(
        self, first_rows: Iterable[int] | None = None, *, height: int = STRIP_ROWS
    ) -> Iterator[Strip]:
        """Strips from top to bottom, or those that start at the given rows of the maps.

        Each one's arrays are overwritten by the next. Statistics are those of strips of
        ``STRIP_ROWS``, whatever the height.
        """
        channels = () if self.channels == 1 else (self.channels,)
        shape = (len(self._lights), height * self.width, *channels)
        block = np.empty(shape, self.dtype)
        starts = range(0, self._height, height) if first_rows is None else first_rows
        for row in starts:
            rows = min(height, self._height - row)
            yield self._strip(row, rows, block, row % STRIP_ROWS == 0 or height == STRIP_ROWS)

    def _strip(self, row: int, rows: int, block: NDArray[Any], counted: bool) -> Strip:
        y0, y1 = row * self._bin, (row + rows) * self._bin
        count = rows * self.width
        samples = block[:, :count]
        mask, wanted = self._mask_rows(y0, y1), None
        if mask is not None:
            wanted = int(np.count_nonzero(mask))
        if self._corrector is not None:
            self._corrector.begin(y0, y1)

        def fill(k: int) -> NDArray[Any]:
            out = samples[k].reshape(rows, self.width, *samples.shape[2:])
            if self._corrector is not None:
                return self._corrector.fill(k, self._lights[k], y0, y1, out)
            self._lights[k].read(y0, y1, out)
            first: NDArray[Any] = out[0]
            return first

        lights = range(len(self._lights))
        first_rows = list(self._pool.map(fill, lights) if self._pool else map(fill, lights))
        if counted:
            inside = None if mask is None or self._bin > 1 else mask[: self.width] > 0
            self.statistics.add(np.stack(first_rows), inside)
        raw_pixels = (y1 - y0) * self.width * self._bin * len(self._lights)
        return Strip(rows, raw_pixels, samples, mask, wanted)

    def _mask_rows(self, y0: int, y1: int) -> NDArray[np.uint8] | None:
        if self._mask is None:
            return None
        rows = self._mask.empty(y1 - y0)
        self._mask.read(y0, y1, rows)
        inside: NDArray[np.bool_] = rows > 0
        if inside.ndim == 3:
            inside = np.any(inside, axis=2)
        return bin_all(inside, self._bin).reshape(-1).view(np.uint8)
