"""LightRig: where the lights of a capture stand, in the camera frame of the house.

Distant lights obey Lambert's law, I_k = rho * intensity_k * (l_k . n); positions, axes and mu
belong to near lights (Queau et al., JMIV 2018) and are kept for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.errors import InputError
from mvps.frames import CONVENTIONS

MAX_LIGHTS = 4096
MAX_INTENSITY = 1e9
UNIT_TOLERANCE = 0.01  # a direction may be rounded; beyond 1% it is another quantity
ROUNDING = 4 * float(np.finfo(np.float64).eps)  # of the length of a normalised vector

Array = NDArray[np.float64]

# What the intensities of near lights may be: radiant intensities of the lamps along their axes, or
# the light that each sends to the middle of the part.
INTENSITIES = ("lamp", "reference")


@dataclass(frozen=True, eq=False)
class LightRig:
    """Directions and intensities of the K lights of one view.

    Attributes
    ----------
    directions : (K, 3) float64, unit, towards the light; x right, y up, z to the camera
    intensities : (K,) or (K, 3) float64, positive, linear, relative; the latter R, G, B
    positions : (K, 3) float64 in mm, same frame, or None for distant lights
    axes : (K, 3) float64 unit principal directions of the LEDs, or None
    mu : (K,) float64 anisotropy exponents of the LEDs, or None
    names : image name of each light in file order, or empty when the description names none
    source : file or option that the lights came from
    notes : what reading changed or assumed, one line each, for a warning

    Raises
    ------
    InputError
        A shape is wrong, a value is not finite, a direction is not unit within 1%, an intensity is
        not positive; the message names the row (from 1).
    """

    directions: Array
    intensities: Array
    positions: Array | None = None
    axes: Array | None = None
    mu: Array | None = None
    names: tuple[str, ...] = ()
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = self.source or "lights"
        directions = _finite(self.directions, where, "directions")
        if directions.ndim != 2 or directions.shape[1] != 3 or not len(directions):
            raise InputError(where, f"directions have shape {directions.shape}, expected (K, 3)")
        K = len(directions)
        if K > MAX_LIGHTS:
            raise InputError(where, f"{K} lights, more than the {MAX_LIGHTS} that are allowed")
        self._keep("directions", unit_rows(directions, where, "direction"))
        intensities = _finite(self.intensities, where, "intensities")
        if intensities.shape not in {(K,), (K, 3)}:
            raise InputError(
                where, f"intensities have shape {intensities.shape}, expected ({K},) or ({K}, 3)"
            )
        bad = np.flatnonzero((intensities.reshape(K, -1) <= 0).any(axis=1))
        if len(bad):
            raise InputError(where, f"row {bad[0] + 1}: the intensity is not positive")
        extreme = (intensities < 1 / MAX_INTENSITY) | (intensities > MAX_INTENSITY)
        if extreme.any():
            row = int(np.flatnonzero(extreme.reshape(K, -1).any(axis=1))[0])
            raise InputError(
                where,
                f"row {row + 1}: an intensity beyond {1 / MAX_INTENSITY:g} to {MAX_INTENSITY:g}",
                "intensities are relative: scale them to about 1",
            )
        self._keep("intensities", intensities)
        for name, shape in (("positions", (K, 3)), ("axes", (K, 3)), ("mu", (K,))):
            if (value := getattr(self, name)) is not None:
                array = _finite(value, where, name)
                if array.shape != shape:
                    raise InputError(where, f"{name} have shape {array.shape}, expected {shape}")
                self._keep(name, unit_rows(array, where, "axis") if name == "axes" else array)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "notes", tuple(self.notes))
        if self.names and len(self.names) != K:
            raise InputError(where, f"{len(self.names)} names for {K} lights")

    def _keep(self, name: str, value: Array) -> None:
        value = np.array(value, dtype=np.float64, order="C")
        value.setflags(write=False)
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.directions)

    def select(self, rows: Sequence[int]) -> LightRig:
        """The same rig with the lights of the given rows (from 0), in that order."""
        index = np.asarray(rows, dtype=np.intp)

        def pick(array: Array | None) -> Array | None:
            return None if array is None else array[index]

        return LightRig(
            directions=self.directions[index],
            intensities=self.intensities[index],
            positions=pick(self.positions),
            axes=pick(self.axes),
            mu=pick(self.mu),
            names=tuple(self.names[i] for i in index) if self.names else (),
            source=self.source,
            notes=self.notes,
        )

    def condition(self) -> float:
        """Condition number of the direction matrix; infinite when the lights are coplanar."""
        values = np.linalg.svd(self.directions, compute_uv=False)
        return float(values[0] / values[2]) if len(values) > 2 and values[2] > 0 else float("inf")


def from_directions(
    directions: ArrayLike,
    intensities: ArrayLike | None = None,
    *,
    convention: str = "opengl",
    names: Sequence[str] = (),
    source: str = "",
) -> LightRig:
    """Rig of distant lights from arrays.

    Parameters
    ----------
    directions : (K, 3) unit within 1%, towards the light, in the frame that ``convention`` names
    intensities : (K,) or (K, 3), positive; all 1 when None
    convention : "opengl" (the house frame), "directx" (y down) or "opencv" (y down, z away)
    """
    flip = flips(convention, source or "convention")
    array = _finite(directions, source or "lights", "directions")
    if array.ndim != 2 or array.shape[1] != 3:
        raise InputError(source or "lights", f"shape {array.shape}, expected (K, 3)")
    return LightRig(
        directions=array * flip,
        intensities=np.ones(len(array)) if intensities is None else np.asarray(intensities, float),
        names=tuple(names),
        source=source,
    )


def flips(convention: str, where: str = "convention") -> Array:
    """(3,) signs that take ``convention`` to the house frame and back."""
    if convention not in CONVENTIONS:
        raise InputError(where, f"unknown convention {convention!r}; use " + ", ".join(CONVENTIONS))
    return np.array(CONVENTIONS[convention])


def unit_rows(vectors: Array, where: str, what: str) -> Array:
    """Rows scaled to length 1; InputError with the row where one is not unit within 1%."""
    length = np.linalg.norm(vectors, axis=1)
    bad = np.flatnonzero(np.abs(length - 1) > UNIT_TOLERANCE)
    if len(bad):
        row = int(bad[0])
        raise InputError(
            where,
            f"row {row + 1}: the {what} has length {length[row]:.4g}, not 1 within 1%",
            "give unit vectors",
        )
    # A row that is unit to rounding stays to the bit: what was written reads back as it was.
    length[np.abs(length - 1) <= ROUNDING] = 1.0
    return np.asarray(vectors / length[:, None], dtype=np.float64)


def _finite(value: Any, where: str, what: str) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(where, f"{what} are not an array of numbers") from None
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0]) + 1 if array.ndim else 1
        raise InputError(where, f"row {row}: {what} hold a value that is not finite")
    return array
