"""What is minimised at a pixel: plain least squares, or a way that outliers do not bend.

Trimmed least squares (Rousseeuw 1984) over a window of ranks, and iteratively reweighted least
squares (Holland and Welsch 1977) with the scale of Hampel's median absolute deviation.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.errors import InputError

SOLVERS = ("ls", "gated", "trimmed", "irls", "auto")
LOSSES = ("cauchy", "huber", "tukey", "l1")
# Robust standard deviations at which a loss begins to doubt a residual. Cauchy's and Tukey's were
# chosen on rendered gloss (benchmarks/robust_accuracy.py); Huber's is 95% efficient on a normal
# distribution; L1 is Huber's with a corner so small that only its weight at zero is bounded.
TUNING = {"cauchy": 0.5, "huber": 1.345, "tukey": 3.0, "l1": 0.01}
ITERATIONS = 5
MOST_ITERATIONS = 100
EPSILON = 0.01  # of |g|: residuals this small are no outliers, whatever the others are
TRIM = (0.3, 0.4)  # shares left out below and above, chosen on rendered gloss
LEAST_KEPT = 4  # lights that a window of ranks leaves
SHADOW = 0.1  # of a lit sample: at or below it a sample is in shadow
SATURATION = 0.98  # of full scale, where no limit is given

# RbSettings of kernels/robust.cuh: passed by value on a GPU, by address on a CPU.
SETTINGS = np.dtype(
    [
        ("solver", np.int32),
        ("lower", np.int32),
        ("upper", np.int32),
        ("iterations", np.int32),
        ("tuning", np.float32),
        ("epsilon", np.float32),
        ("shadow", np.float32),
    ]
)
_KERNEL_CODES = {
    "gated": 0,
    "trimmed": 1,
    "cauchy": 2,
    "huber": 3,
    "l1": 3,
    "tukey": 4,
    "ls": 5,
}


@dataclass(frozen=True)
class Solver:
    """What is minimised, and with what parameters; those of other solvers are of no effect.

    Attributes
    ----------
    name : "ls", "gated" (samples in shadow or saturated left out), "trimmed", "irls" (both without
        shadows) or "auto"
    loss : of "irls": "cauchy", "huber", "tukey" or "l1"
    iterations : of "irls", reweighted solves after the plain one
    epsilon : of "irls", least robust standard deviation as a share of the albedo
    trim : of "trimmed", shares of the lights left out at the dark and at the bright end

    Raises
    ------
    InputError
        A name is unknown or a number out of range.
    """

    name: str = "ls"
    loss: str = "cauchy"
    iterations: int = ITERATIONS
    epsilon: float = EPSILON
    trim: tuple[float, float] = TRIM

    def __post_init__(self) -> None:
        if self.name not in SOLVERS:
            raise InputError("--solver", f"{self.name!r} is none of {', '.join(SOLVERS)}")
        if self.loss not in LOSSES:
            raise InputError("--loss", f"{self.loss!r} is none of {', '.join(LOSSES)}")
        if not 1 <= self.iterations <= MOST_ITERATIONS:
            raise InputError("--iterations", f"{self.iterations} is not 1 to {MOST_ITERATIONS}")
        if not 0 < self.epsilon <= 1:
            raise InputError("epsilon", f"{self.epsilon} is not above 0 and at most 1")
        low, high = self.trim
        if not (0 <= low < 1 and 0 <= high < 1 and low + high < 1):
            raise InputError(
                "--trim", f"{low},{high} leaves nothing", "two shares that add to less than 1"
            )

    @property
    def robust(self) -> bool:
        """Whether the kernels of ``robust.cuh`` do the work."""
        return self.name in ("gated", "trimmed", "irls")

    def upper_limit(self, white: float, dtype: DTypeLike) -> float | None:
        """Raw value from which a sample counts as saturated, where the user gives none."""
        whole = np.dtype(dtype).kind == "u"  # corrected samples do not show what was saturated
        return SATURATION * white if self.robust and whole else None

    def window(self, lights: int) -> tuple[int, int]:
        """Samples left out below and above, of K; at least four stay, the dark end gives first."""
        below, above = (math.floor(share * lights + 1e-9) for share in self.trim)
        most = max(0, lights - LEAST_KEPT)
        above = min(above, most)
        return min(below, most - above), above

    def deepest_rank(self, lights: int) -> int:
        """Deepest rank among K samples that the solver has to find."""
        depths = {"trimmed": max(self.window(lights)), "irls": (lights + 1) // 2}
        return depths.get(self.name, 0)

    def settings(self, lights: int) -> NDArray[np.void]:
        """One element of ``SETTINGS``."""
        settings = np.zeros((), SETTINGS)
        kind = self.loss if self.name == "irls" else self.name
        below, above = self.window(lights)
        settings[()] = (
            _KERNEL_CODES[kind],
            below,
            above,
            self.iterations,
            TUNING[self.loss],
            self.epsilon,
            SHADOW,
        )
        return settings

    def parameters(self) -> dict[str, Any]:
        """Name and the parameters that count, in plain JSON types."""
        kept = {
            "trimmed": ("trim",),
            "irls": ("loss", "iterations", "epsilon"),
        }
        values = asdict(self)
        found = {key: values[key] for key in kept.get(self.name, ())}
        if "loss" in found:
            found["tuning"] = TUNING[self.loss]
        if self.robust:
            found["shadow"] = SHADOW
        return {"name": self.name} | found


LEAST_SQUARES = Solver()


def parse_trim(text: str) -> tuple[float, float]:
    """``0.3,0.4`` as (0.3, 0.4).

    Raises
    ------
    InputError
        Not two numbers.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError("--trim", f"{text!r} is not LOW,HIGH", "e.g. 0.3,0.4") from None
    return low, high
