"""Problem: the lights of a stack and the scale of its samples, ready for any solver.

The least-squares operator is (L'L)^-1 L' (Woodham 1980); grey from RGB follows
MATLAB's rgb2gray.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.errors import InputError
from mvps.stereo.noise import MODEL, PRIOR, UNKNOWN, Noise
from mvps.stereo.solvers import LEAST_SQUARES, SATURATION, SHADOW, Solver

if TYPE_CHECKING:
    from mvps.lights import LightRig

MIN_LIGHTS = 3
MAX_LIGHTS = 128  # what the tables of the kernels hold
# MATLAB's rgb2gray: the first row of the inverse of its YIQ matrix, which its manual rounds to
# 0.2989, 0.5870, 0.1140. With these digits the DiLiGenT benchmark's own result is met to 0.0007
# degrees at every pixel, with the rounded ones to 0.0020.
LUMINANCE = (0.298936021293775, 0.587043074451121, 0.114020904255103)
GREYS = ("luminance", "matlab", "channels")
NOISE_FLOOR = 1e-6  # of the signal of a white surface that faces every light
DTYPES = {"uint8": "u8", "uint16": "u16", "float32": "f32"}

# LsTable of kernels/least_squares.cuh: passed by value on a GPU, by address on a CPU.
TABLE = np.dtype(
    [
        ("pinv", np.float32, (3, MAX_LIGHTS)),
        ("gain", np.float32, 3 * MAX_LIGHTS),
        ("normal_matrix", np.float32, 6),
    ]
)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    r"""What a solver needs beside the samples; made by :func:`prepare`.

    Attributes
    ----------
    directions : (K, 3) float64, unit, towards the light; x right, y up, z to the camera
    gain : (K, C) float64; light k gives v = min(clamp, sum_c gain[k, c] * raw[k, c])
    mode : "grey" (one value v a light) or "channels" (one v = gain * raw a channel, one normal)
    clamp : upper end of v; infinite where there is none
    low, high : a light counts at a pixel where low < max_c raw < high; infinite where off
    floor : a pixel with \|g\| at or below it is degenerate (Frobenius norm with three albedos)
    solver : what is minimised
    saturated : samples count as saturated from this raw value on; of no effect on the solution
    noise : of the values; shapes the predicted deviation alone
    pinv : (3, K) float64, (L'L)^-1 L', derived

    Raises
    ------
    InputError
        Fewer than 3 or more than 128 lights, or lights in one plane.
    """

    directions: Array
    gain: Array
    mode: str
    clamp: float
    low: float
    high: float
    floor: float
    solver: Solver = LEAST_SQUARES
    saturated: float = math.inf
    noise: Noise = UNKNOWN
    pinv: Array = field(init=False)

    def __post_init__(self) -> None:
        K = len(self.directions)
        if not MIN_LIGHTS <= K <= MAX_LIGHTS:
            raise InputError("lights", f"{K} of them; 3 to {MAX_LIGHTS} can be solved")
        if np.linalg.matrix_rank(self.directions, tol=1e-3) < 3:
            raise InputError("lights", "all directions lie in one plane, so normals are ambiguous")
        L = self.directions
        object.__setattr__(self, "pinv", np.linalg.solve(L.T @ L, L.T))

    @property
    def lights(self) -> int:
        """Number of lights, K."""
        return len(self.directions)

    @property
    def channels(self) -> int:
        """Samples of one pixel under one light, C: 1 or 3."""
        return int(self.gain.shape[1])

    @property
    def albedos(self) -> int:
        """Albedo values of one pixel: 3 with mode "channels", else 1."""
        return 3 if self.mode == "channels" else 1

    @property
    def has_limits(self) -> bool:
        """Whether samples are left out by value."""
        return self.low > -math.inf or self.high < math.inf

    @property
    def marked(self) -> float:
        """Raw value up to which a sample stands for an unusable one, as corrections mark it."""
        return self.low if self.low < 0 else -math.inf

    @property
    def kernel(self) -> str:
        """Middle part of the kernels' names: "grey", "rgb" or "channels"."""
        if self.mode == "channels":
            return "channels"
        return "rgb" if self.channels == 3 else "grey"

    @cached_property
    def table(self) -> NDArray[np.void]:
        """One element of ``TABLE``; with one channel the gain is folded into the pseudo-inverse."""
        table = np.zeros((), TABLE)
        fold = self.gain[:, 0] if self.channels == 1 else 1.0
        table["pinv"][:, : self.lights] = self.pinv * fold
        table["gain"][: self.gain.size] = self.gain.ravel()
        table["normal_matrix"] = (self.directions.T @ self.directions)[np.triu_indices(3)]
        table.setflags(write=False)
        return table

    @cached_property
    def plain_pinv(self) -> NDArray[np.float32]:
        """The pseudo-inverse in the layout of the table, without the gain."""
        pinv = np.zeros((3, MAX_LIGHTS), np.float32)
        pinv[:, : self.lights] = self.pinv
        return pinv

    @cached_property
    def quality_model(self) -> NDArray[np.void]:
        """One element of ``MODEL``."""
        model = np.zeros((), MODEL)
        noise = self.noise
        model[()] = (noise.read, noise.shot, PRIOR, self.saturated, self.marked, SHADOW)
        return model


def prepare(
    lights: LightRig,
    *,
    channels: int,
    dtype: DTypeLike,
    white: float,
    grey: str = "luminance",
    low: float | None = None,
    high: float | None = None,
    solver: Solver = LEAST_SQUARES,
) -> Problem:
    """Bring lights, sample scale and limits together.

    Parameters
    ----------
    lights : K lights with their intensities
    channels : samples of one pixel under one light, 1 or 3 (R, G, B)
    dtype : uint8, uint16 or float32
    white : raw value of a full-scale sample
    grey : "luminance" (weighted sum of R, G, B over intensity), "matlab" (the same, clamped to 1)
        or "channels" (an albedo a channel, one normal); of no effect with one channel
    low, high : raw values between which a sample counts; None for no limit, but with
        the robust solvers integer samples from 0.98 of ``white`` on never count
    solver : what is minimised; "auto" is decided before, by :func:`mvps.stereo.auto.choose`

    Raises
    ------
    InputError
        One of them cannot be used.
    """
    if np.dtype(dtype).name not in DTYPES or not np.dtype(dtype).isnative:
        raise InputError(
            "images", f"samples of type {np.dtype(dtype)}", "give uint8, uint16 or float32"
        )
    if channels not in (1, 3):
        raise InputError("images", f"{channels} channels", "give grey or RGB images")
    if grey not in GREYS:
        raise InputError("grey", f"unknown way {grey!r}", "use " + ", ".join(GREYS))
    if not (math.isfinite(white) and white > 0):
        raise InputError("white", f"{white} is not a positive number")
    K, colour = len(lights.directions), channels == 3
    weights = np.array(LUMINANCE if colour and grey != "channels" else (1.0,) * channels)
    gain = weights / (white * _intensities(lights.intensities, channels))
    high = solver.upper_limit(white, dtype) if high is None else high
    # Rounded to what the kernels compare with, so that no path disagrees at the limit itself.
    lower = float(np.float32(-math.inf if low is None else low))
    upper = float(np.float32(math.inf if high is None else high))
    if not lower < upper:
        raise InputError("limits", f"no sample lies between {low} and {high}")
    full_scale = (gain * white).sum(axis=1)
    three_albedos = colour and grey == "channels"
    brightest = SATURATION * white if np.dtype(dtype).kind == "u" else math.inf
    return Problem(
        directions=np.asarray(lights.directions, dtype=np.float64).reshape(K, -1),
        gain=gain,
        mode="channels" if three_albedos else "grey",
        clamp=1.0 if colour and grey == "matlab" else math.inf,
        low=lower,
        high=upper,
        floor=float(NOISE_FLOOR * full_scale.mean()),
        solver=solver,
        saturated=float(np.float32(min(upper, brightest))),
    )


def _intensities(intensities: Any, channels: int) -> Array:
    """(K, C): one value spread over RGB, or RGB weighted into one."""
    array = np.asarray(intensities, dtype=np.float64)
    if array.ndim == 1:
        return np.repeat(array[:, None], channels, axis=1)
    if channels == 1:
        weights = np.array(LUMINANCE)
        array = array @ weights[:, None] / weights.sum()
    return array
