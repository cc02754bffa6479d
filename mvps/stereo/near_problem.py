"""NearProblem: lamps near the part, ready for any solver, after Queau et al. (JMIV 2018).

A lamp at P with intensity Phi, axis m and exponent mu sends Phi (-l.m)^mu / |P - X|^2 towards X,
where l points from X to the lamp; mu is 1 for a Lambertian LED and 0 for one that shines evenly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.errors import InputError
from mvps.lights.rig import INTENSITIES
from mvps.stereo.near_view import NearView
from mvps.stereo.problem import MAX_LIGHTS, Problem, prepare
from mvps.stereo.solvers import LEAST_SQUARES, Solver

if TYPE_CHECKING:
    from mvps.lights import LightRig

NEAR_SOLVERS = ("ls", "gated")
LARGEST_MU = 100.0

# NearTable of kernels/near.cuh: passed by value on a GPU, by address on a CPU.
TABLE = np.dtype(
    [
        ("position", np.float32, (3, MAX_LIGHTS)),
        ("strength", np.float32, MAX_LIGHTS),
        ("gain", np.float32, MAX_LIGHTS),
    ]
)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NearProblem:
    """What a solver needs beside samples and points; made by :func:`prepare_near`.

    Attributes
    ----------
    distant : gains, limits and floor, with the directions seen from ``reference``
    positions : (K, 3) float64 mm, house frame
    axes : (K, 3) unit, or None where every lamp shines evenly
    mu : (K,) exponents, zero where a lamp shines evenly
    strength : (K,) mm^2; lamp k has the effect strength (-l.axis)^mu / d^2 on a point
    reference : (3,) mm, the point at which lamps have the mean effect 1
    """

    distant: Problem
    positions: Array
    axes: Array | None
    mu: Array
    strength: Array
    reference: Array

    @property
    def gated(self) -> bool:
        """Whether samples in shadow are left out."""
        return self.distant.solver.name == "gated"

    @cached_property
    def lobes(self) -> NDArray[np.float32] | None:
        """(K, 4) float32 axes and exponents as the kernels take them."""
        if self.axes is None:
            return None
        return np.column_stack([self.axes, self.mu]).astype(np.float32)

    @cached_property
    def table(self) -> NDArray[np.void]:
        """One element of ``TABLE``, positions relative to ``reference``."""
        table = np.zeros((), TABLE)
        K = len(self.positions)
        table["position"][:, :K] = (self.positions - self.reference).T
        table["strength"][:K] = self.strength
        # Colours are added up before: one grey value a light is left.
        table["gain"][:K] = self.distant.gain[:, 0] if self.distant.channels == 1 else 1.0
        table.setflags(write=False)
        return table


@dataclass(frozen=True, eq=False)
class NearStrip:
    """What a solver reads: whole rows of an image.

    Attributes
    ----------
    y0 : first row
    samples : (K, N) or (K, N, 3) uint8, uint16 or float32; contiguous but for the stride of K
    mask : (N,) uint8 or bool, or None
    depth : (N,) mm along the optical axis, or None for the assumed plane
    """

    y0: int
    samples: NDArray[Any]
    mask: NDArray[Any] | None = None
    depth: NDArray[Any] | None = None


def prepare_near(
    lights: LightRig,
    view: NearView,
    *,
    channels: int,
    dtype: DTypeLike,
    white: float,
    grey: str = "luminance",
    low: float | None = None,
    high: float | None = None,
    solver: Solver = LEAST_SQUARES,
    intensities: str = "lamp",
) -> NearProblem:
    """Bring lamps, view and sample scale together.

    Parameters
    ----------
    lights : K lamps with positions in mm from the origin of ``view``
    view : lines of sight and assumed plane; in its middle, the reference point, albedo is that of
        distant lights whose intensities have the same mean
    channels, dtype, white, grey, low, high : see :func:`mvps.stereo.prepare`; "channels" is none
        of these ways
    solver : "ls" or "gated"
    intensities : what those of the rig are: radiant intensities of the lamps along their axes
        ("lamp", Phi of Queau), or the light that each sends to the reference point ("reference",
        as a white target there measures)

    Raises
    ------
    InputError
        A lamp has no position, stands behind the assumed plane, or does not shine on the part; or
        the way of solving is not among those above.
    """
    if lights.positions is None:
        what = "no positions, so that they cannot be near"
        raise InputError(lights.source or "lights", what, "give positions in mm, or --near off")
    if grey == "channels" and channels > 1:
        raise InputError("--grey channels", "is not there for near lights", "use luminance")
    if solver.name not in NEAR_SOLVERS:
        what = f"{solver.name!r} is not there for near lights"
        raise InputError("--solver", what, "use " + " or ".join(NEAR_SOLVERS))
    if intensities not in INTENSITIES:
        raise InputError("intensities", f"{intensities!r} is none of {', '.join(INTENSITIES)}")
    reference = view.reference_point()
    axes, mu = _lobes(lights)
    towards = lights.positions - reference
    distance = np.linalg.norm(towards, axis=1)
    _check_before(lights, view, distance)
    directions = towards / distance[:, None]
    lobes = np.ones(len(lights)) if axes is None else _power(-(axes * directions).sum(1), mu)
    for k in np.flatnonzero(lobes <= 0):
        what = f"light {k + 1} points away from the part"
        raise InputError(lights.source or "lights", what, "an axis points from the lamp outwards")
    strength = _strength(lights, lobes / distance**2, intensities)
    seen = replace(lights, directions=directions)
    distant = prepare(
        seen, channels=channels, dtype=dtype, white=white, grey=grey, low=low, high=high,
        solver=solver,
    )  # fmt: skip
    # Samples are compared as they are, not over their intensity, which would raise the noise of
    # weak lamps: intensities go into the light vectors instead, as Phi of Queau does.
    share = 1 / distant.gain.sum(axis=1)
    share /= share.mean()
    distant = replace(distant, gain=distant.gain * share[:, None])
    return NearProblem(distant, lights.positions, axes, mu, strength * share, reference)


def check_outside(
    problem: NearProblem, view: NearView, depth: NDArray[Any], source: str = ""
) -> None:
    """Refuse lamps that stand inside the part or behind it.

    Parameters
    ----------
    depth : (H, W) mm of the surface, NaN where there is none

    Raises
    ------
    InputError
        A lamp is farther from the camera than the surface that is seen where the lamp is.
    """
    pixels, away = view.pixel_of(problem.positions)
    for k, (x, y) in enumerate(pixels):
        if not (np.isfinite([x, y]).all() and -0.5 <= x < view.size[0] - 0.5):
            continue
        if -0.5 <= y < view.size[1] - 0.5 and away[k] >= depth[round(y), round(x)]:
            beyond = away[k] - depth[round(y), round(x)]
            what = f"light {k + 1} stands {beyond:.3g} mm inside the part or behind it"
            raise InputError(source or "lights", what, "check positions, origin and depth")


def _strength(lights: LightRig, effects: Array, intensities: str) -> Array:
    """(K,) mm^2, so that the reference point gets the mean light of the rig's intensities."""
    if intensities == "reference":
        return np.asarray(1 / effects)
    emitted = lights.intensities.reshape(len(lights), -1).mean(axis=1)
    return np.full(len(lights), emitted.sum() / (emitted @ effects))


def _lobes(lights: LightRig) -> tuple[Array | None, Array]:
    """Axes and exponents; both or neither."""
    K = len(lights)
    if lights.mu is None or lights.axes is None:
        if lights.mu is not None and lights.mu.any():
            what = "mu without axes, so that the lobes have no direction"
            raise InputError(lights.source or "lights", what, "give an axis for every light")
        return None, np.zeros(K)
    for k in np.flatnonzero((lights.mu < 0) | (lights.mu > LARGEST_MU)):
        what = f"row {k + 1}: mu is {lights.mu[k]:g}, not 0 to {LARGEST_MU:g}"
        raise InputError(lights.source or "lights", what)
    if not lights.mu.any():
        return None, np.zeros(K)
    return lights.axes, lights.mu


def _check_before(lights: LightRig, view: NearView, distance: Array) -> None:
    positions = np.asarray(lights.positions)
    above = positions @ np.asarray(view.plane.normal) - view.plane.offset
    for k in np.flatnonzero((above <= 0) | (distance == 0)):
        what = f"light {k + 1} stands {-above[k]:.3g} mm behind the assumed plane"
        remedy = "check the distance and the origin of the positions: z points to the camera"
        raise InputError(lights.source or "lights", what, remedy)


def _power(cosine: Array, mu: Array) -> Array:
    """cosine^mu, zero behind the lamp; 1 everywhere for mu = 0."""
    inside = np.maximum(cosine, 0.0)
    return np.asarray(np.where(mu > 0, inside**mu, 1.0))
