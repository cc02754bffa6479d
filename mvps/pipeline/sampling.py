"""Shares of saturated and black samples and the bits in use, from the first row of every strip.

A full count would cost a second pass over every image; one row in 64 (times the binning) gives each
share to about 0.1% on a 20 MP stack and names an undeclared 12-bit camera just as well.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

COUNTED_TOGETHER = 16  # strips: each count on its own may hand the interpreter to another worker


class SampleStatistics:
    """Running counts over sampled rows of raw images, before any correction.

    Parameters
    ----------
    white : value of a sample at full scale
    """

    def __init__(self, white: float) -> None:
        self._white = white
        self._waiting: list[NDArray[Any]] = []
        self._samples = self._saturated = self._black = self._bits = 0

    def add(self, rows: NDArray[Any], inside: NDArray[np.bool_] | None) -> None:
        """Count one raw row a light, shape (K, W) or (K, W, 3), where ``inside`` (W,) holds.

        The rows are kept for a while: they must not change.
        """
        values = rows if inside is None else rows[:, inside]
        if values.size:
            self._waiting.append(values.reshape(-1))
        if len(self._waiting) >= COUNTED_TOGETHER:
            self._count()

    @property
    def bits(self) -> int:
        """Every bit that an integer sample had set."""
        self._count()
        return self._bits

    @property
    def saturated_share(self) -> float:
        """Share of the sampled values at full scale."""
        self._count()
        return self._saturated / max(self._samples, 1)

    @property
    def black_share(self) -> float:
        """Share of the sampled values at zero."""
        self._count()
        return self._black / max(self._samples, 1)

    def _count(self) -> None:
        if not self._waiting:
            return
        values = np.concatenate(self._waiting)
        self._waiting = []
        self._samples += values.size
        if values.dtype.kind != "u":
            self._saturated += int(np.count_nonzero(values >= self._white))
            self._black += int(np.count_nonzero(values <= 0))
            return
        # In the samples' own type: a limit that is not whole would make each of them a float.
        self._saturated += int(np.count_nonzero(values >= math.ceil(self._white)))
        self._black += values.size - int(np.count_nonzero(values))
        self._bits |= int(np.bitwise_or.reduce(values, axis=None))
