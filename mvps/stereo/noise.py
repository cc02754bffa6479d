"""Noise of a stack's values, as the covariance of a normal needs it.

A value v has the variance read + shot v: what a sensor reads at no light, and the growth by Poisson
statistics (Janesick 2007).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Degrees of freedom that the noise of the whole stack counts for beside a pixel's own residual, as
# in the moderated variance of Smyth (2004); chosen on rendered captures of other seeds than those
# that benchmarks/quality.py measures.
PRIOR = 8.0

# QualityModel of kernels/quality.cuh: passed by value on a GPU, by address on a CPU.
MODEL = np.dtype(
    [
        ("read", np.float32),
        ("shot", np.float32),
        ("prior", np.float32),
        ("saturated", np.float32),
        ("marked", np.float32),
        ("shadow", np.float32),
    ]
)


@dataclass(frozen=True)
class Noise:
    """Variance of a value v (raw times gain): ``read`` + ``shot`` v.

    Attributes
    ----------
    source : "residuals" of a few thousand pixels, their "neighbours" along the rows where K lights
        leave no residual, "quantisation" where nothing else is known
    """

    read: float = 0.0
    shot: float = 0.0
    source: str = "none"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


UNKNOWN = Noise()
