"""Where a part lies on the plate, and how that varies from one part to the next."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.mesh import Mesh, bounds, transformed

MAX_TILT_DEG = 45.0


@dataclass(frozen=True)
class Placement:
    """Pose of a part in the world; it stands on the plate whatever its tilt.

    Attributes
    ----------
    rotation_deg : about z, counter-clockwise from above
    shift_mm : along x and y
    tilt_deg : about x, then y, before the rotation
    scale : of the part's size: its tolerance
    """

    rotation_deg: float = 0.0
    shift_mm: tuple[float, float] = (0.0, 0.0)
    tilt_deg: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0

    def __post_init__(self) -> None:
        numbers = (self.rotation_deg, *self.shift_mm, *self.tilt_deg, self.scale)
        if not np.isfinite(numbers).all() or not self.scale > 0:
            raise InputError("placement", "its numbers must be finite and its scale above zero")
        if max(map(abs, self.tilt_deg)) > MAX_TILT_DEG:
            raise InputError("placement", f"a tilt of more than {MAX_TILT_DEG:g} degrees")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        plain = asdict(self)
        return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}


@dataclass(frozen=True)
class Jitter:
    """How far placements spread.

    Attributes
    ----------
    rotation_deg, shift_mm : uniform within plus and minus this
    tilt_deg : standard deviation; cut off at three
    scale : standard deviation of the size, as a share of it; cut off at three
    """

    rotation_deg: float = 4.0
    shift_mm: float = 0.6
    tilt_deg: float = 0.25
    scale: float = 0.002

    def __post_init__(self) -> None:
        if not min(self.rotation_deg, self.shift_mm, self.tilt_deg, self.scale) >= 0:
            raise InputError("jitter", "a spread below zero", "give numbers from 0")
        if self.scale > 0.1 or self.tilt_deg > MAX_TILT_DEG / 3:
            raise InputError("jitter", "a spread of size above 0.1 or of tilt above 15 degrees")


def draw_placement(rng: np.random.Generator, jitter: Jitter | None = None) -> Placement:
    """A placement drawn with a generator; the same state of it gives the same placement."""
    spread = jitter or Jitter()
    turn, x, y = rng.uniform(-1, 1, 3)
    roll, pitch, size = np.clip(rng.normal(size=3), -3, 3)
    return Placement(
        round(float(turn * spread.rotation_deg), 6),
        (round(float(x * spread.shift_mm), 6), round(float(y * spread.shift_mm), 6)),
        (round(float(roll * spread.tilt_deg), 6), round(float(pitch * spread.tilt_deg), 6)),
        round(1 + float(size * spread.scale), 9),
    )


def stand(mesh: Mesh) -> Mesh:
    """The mesh moved along z until its lowest vertex is at z = 0."""
    matrix = np.eye(4)
    matrix[2, 3] = -bounds(mesh)[0, 2]
    return transformed(mesh, matrix)


def place(mesh: Mesh, placement: Placement, *, standing: Mesh | None = None) -> Mesh:
    """A part, in its own frame, put on the plate: scaled, tilted, turned, set down and shifted.

    Parameters
    ----------
    standing : what touches the plate, in the same frame: the sound part for one with a defect, so
        that both lie alike even where its lowest point is bent or gone; None: the mesh itself
    """
    x, y = (_turn(axis, angle) for axis, angle in enumerate(placement.tilt_deg))
    matrix = np.eye(4)
    matrix[:3, :3] = placement.scale * _turn(2, placement.rotation_deg) @ y @ x
    matrix[:2, 3] = placement.shift_mm
    below = mesh if standing is None else standing
    matrix[2, 3] = -bounds(transformed(below, matrix))[0, 2]
    return transformed(mesh, matrix)


def _turn(axis: int, angle_deg: float) -> NDArray[np.float64]:
    """Rotation matrix about an axis of the frame."""
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[[first, second], [first, second]] = cosine
    matrix[second, first], matrix[first, second] = sine, -sine
    return matrix
