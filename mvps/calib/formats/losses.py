"""What a calibration format holds, and what of given cameras it therefore loses, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mvps.calib.camera import DIRECTIONS, Camera
from mvps.calib.formats.values import COEFFICIENTS
from mvps.errors import InputError

_SAME = 1e-9  # of the largest term: far above rounding, far below what any board tells


@dataclass(frozen=True)
class Holds:
    """What a format holds beside focal lengths, principal point and image size.

    Attributes
    ----------
    coefficients : how many of k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4, counted from the first
    skew : the middle term of the first row of the matrix
    direction : which way the polynomial maps; other formats mean OpenCV's
    pose : rotation and translation; "relative" to the first camera only, or none
    homography : a homography that matrix and pose do not give
    frames : the name of the world frame; other formats give one frame to all cameras of a file
    many : several cameras in one file
    """

    coefficients: int = 12
    skew: bool = True
    direction: bool = False
    pose: Literal["world", "relative", "none"] = "world"
    homography: bool = False
    frames: bool = False
    many: bool = True


def lost(cameras: Sequence[Camera], holds: Holds) -> tuple[str, ...]:
    """What a format that holds ``holds`` cannot keep of ``cameras``, one phrase a loss."""
    phrases: list[str] = []
    for i, camera in enumerate(cameras):
        label = camera.name or f"camera {i + 1}"
        phrases += [f"{label}: {what}" for what in _of_one(camera, holds)]
    posed = [camera for camera in cameras if camera.rotation is not None]
    if holds.pose == "relative" and posed:
        phrases += _reference(cameras)
    if holds.pose != "none" and not holds.frames and len(posed) > 1:
        phrases += _frames([camera.frame_id for camera in posed], many=holds.many)
    return tuple(phrases)


def _of_one(camera: Camera, holds: Holds) -> list[str]:
    found = []
    dropped = [
        f"{COEFFICIENTS[i]} = {camera.distortion[i]:.6g}"
        for i in np.flatnonzero(camera.distortion)
        if i >= holds.coefficients
    ]
    if dropped:
        found.append("distortion " + ", ".join(dropped))
    reversed_direction = camera.distortion_direction != DIRECTIONS[0]
    if reversed_direction and camera.distortion.any() and not holds.direction:
        found.append(f"the distortion direction {camera.distortion_direction}")
    if camera.matrix[0, 1] and not holds.skew:
        found.append(f"skew {camera.matrix[0, 1]:.6g}")
    if camera.rotation is not None and holds.pose == "none":
        found.append("rotation and translation")
    if camera.homography is not None and not holds.homography:
        found += _homography(camera, holds)
    return found


def _homography(camera: Camera, holds: Holds) -> list[str]:
    if camera.rotation is None or holds.pose == "none":
        return ["the board homography"]
    from mvps.calib.transforms import homography_from_pose

    try:
        posed = homography_from_pose(camera)
    except InputError:
        return ["the board homography"]
    stated = np.asarray(camera.homography)
    stated, posed = (H / np.abs(H).max() for H in (stated, posed))
    off = min(np.abs(stated - posed).max(), np.abs(stated + posed).max())
    same = bool(off <= _SAME)
    return [] if same else ["the board homography, which differs from K [r1 r2 t]"]


def _reference(cameras: Sequence[Camera]) -> list[str]:
    first, unposed = cameras[0], [c for c in cameras if c.rotation is None]
    if unposed:
        return ["rotation and translation, since a camera has none"]
    stands = np.concatenate([np.asarray(first.rotation).ravel(), np.asarray(first.translation)])
    if np.array_equal(stands, [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]):
        return []
    return [
        f"where the board or world stands (poses become relative to {first.name or 'the first'})"
    ]


def _frames(names: list[str], *, many: bool) -> list[str]:
    if many:
        shared = len(set(names)) == 1 and names[0]
        return [] if shared else ["no common frame: frame_id differs or is empty"]
    twice = {name for name in names if name and names.count(name) > 1}
    return ["the frame that cameras share (frame_id)"] if twice else []
