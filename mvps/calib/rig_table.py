"""How the cameras of a rig stand to each other: baselines and angles, where they share a frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mvps.calib.camera import Camera
from mvps.calib.describe import Standing, standing
from mvps.calib.formats.detect import unique_names


@dataclass(frozen=True)
class PairFigures:
    """Two cameras of one frame: distance of their centres, angles of their directions of view."""

    first: str
    second: str
    baseline_mm: float
    axes_deg: float  # between the optical axes
    views_deg: float  # between the centre rays, which differ where the principal point is far off


@dataclass(frozen=True)
class RigTable:
    """Cameras, their frames, and the figures of every pair that shares one."""

    names: tuple[str, ...]
    frame_ids: tuple[str, ...]
    common_frame: str  # "shared", "stated" by the user, or "none"
    pairs: tuple[PairFigures, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready mapping."""
        return asdict(self)


def rig_table(cameras: Sequence[Camera], *, common_frame: bool = False) -> RigTable:
    """Figures of every pair of cameras that share a frame.

    Parameters
    ----------
    cameras : two or more
    common_frame : take all poses as of one frame, whatever their ``frame_id`` says
    """
    names = camera_names(cameras)
    stands = [standing(camera) for camera in cameras]
    pairs = []
    for i, first in enumerate(cameras):
        for j in range(i + 1, len(cameras)):
            a, b = stands[i], stands[j]
            if a and b and (common_frame or same_frame(first, cameras[j])):
                pairs.append(_pair(names[i], names[j], a, b))
    shared = all(same_frame(cameras[0], camera) for camera in cameras)
    return RigTable(
        names=names,
        frame_ids=tuple(camera.frame_id for camera in cameras),
        common_frame="shared" if shared else "stated" if common_frame else "none",
        pairs=tuple(pairs),
    )


def same_frame(a: Camera, b: Camera) -> bool:
    """Whether two cameras have poses in one world frame."""
    return (
        bool(a.frame_id)
        and a.frame_id == b.frame_id
        and not (a.rotation is None or b.rotation is None)
    )


def camera_names(cameras: Sequence[Camera]) -> tuple[str, ...]:
    """A name for each camera: its own, else its file's, numbered where it repeats."""
    return tuple(camera.name for camera in unique_names(cameras))


def _pair(first: str, second: str, a: Standing, b: Standing) -> PairFigures:
    return PairFigures(
        first,
        second,
        baseline_mm=math.dist(a.centre_mm, b.centre_mm),
        axes_deg=_angle(a.optical_axis, b.optical_axis),
        views_deg=_angle(a.centre_ray, b.centre_ray),
    )


def _angle(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(np.dot(a, b))))
