"""Shares of saturated and black samples and the bits in use, from the first row of every strip.

A full count would cost a second pass over every image; one row in 64 (times the binning) gives each
share to about 0.1% on a 20 MP stack and names an undeclared 12-bit camera just as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class SampleStatistics:
    """Running counts over sampled rows of raw images, before any correction."""

    white: float
    samples: int = 0
    saturated: int = 0
    black: int = 0
    bits: int = field(default=0)

    def add(self, rows: NDArray[Any], inside: NDArray[np.bool_] | None) -> None:
        """Count one raw row a light, shape (K, W) or (K, W, 3), where ``inside`` (W,) holds."""
        values = rows if inside is None else rows[:, inside]
        if values.size == 0:
            return
        self.samples += values.size
        if values.dtype.kind != "u":
            self.saturated += int(np.count_nonzero(values >= self.white))
            self.black += int(np.count_nonzero(values <= 0))
            return
        # In the samples' own type: a limit that is not whole would make each of them a float.
        self.saturated += int(np.count_nonzero(values >= math.ceil(self.white)))
        self.black += values.size - int(np.count_nonzero(values))
        self.bits |= int(np.bitwise_or.reduce(values, axis=None))

    @property
    def saturated_share(self) -> float:
        """Share of the sampled values at full scale."""
        return self.saturated / max(self.samples, 1)

    @property
    def black_share(self) -> float:
        """Share of the sampled values at zero."""
        return self.black / max(self.samples, 1)
