"""Camera: one calibrated view, in OpenCV's geometry (x right, y down, z forward, mm, pixel centres
at integers), after Zhang's plane-based calibration (TPAMI 2000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError

DIRECTIONS = ("undistorted_to_distorted", "distorted_to_undistorted")
ROTATION_TOLERANCE = 1e-6
NO_POSE = (
    "holds no rotation and translation",
    "use a calibration with a pose, as mvps calib board makes",
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CameraSource:
    """Where a camera comes from: ``path``, its ``sha256``, the scalars of its header as text."""

    path: str = ""
    sha256: str = ""
    header: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Camera:
    """One calibrated view.

    Attributes
    ----------
    matrix : (3, 3) float64, px
    distortion : (12,) float64, k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4
    distortion_direction : what the polynomial maps; "undistorted_to_distorted" is OpenCV's
    rotation, translation : (3, 3) and (3,) float64 in mm, world to camera, or None
    homography : (3, 3) float64, board mm to undistorted px, or None
    image_size : (width, height) in px
    frame_id : name of the world frame; two views may be mixed only when theirs is the same
    name : what a file with several cameras calls this one, or empty
    source : file that it was read from

    Raises
    ------
    InputError
        A shape, a value that is not finite, a focal length or size that is not positive, or a
        rotation that is not one within 1e-6.
    """

    matrix: Array
    distortion: Array
    image_size: tuple[int, int]
    rotation: Array | None = None
    translation: Array | None = None
    homography: Array | None = None
    distortion_direction: str = DIRECTIONS[0]
    frame_id: str = ""
    name: str = ""
    source: CameraSource = CameraSource()

    def __post_init__(self) -> None:
        where = self.source.path or "camera"
        K = self._keep("matrix", (3, 3), where)
        if not (K[0, 0] > 0 and K[1, 1] > 0) or K[1, 0] or K[2, 0] or K[2, 1] or K[2, 2] != 1:
            raise InputError(
                where, "the matrix is not that of a camera ([fx s cx; 0 fy cy; 0 0 1])"
            )
        self._keep("distortion", (12,), where)
        if (self.rotation is None) != (self.translation is None):
            raise InputError(where, "rotation and translation go together")
        if self.rotation is not None:
            R = self._keep("rotation", (3, 3), where)
            self._keep("translation", (3,), where)
            with np.errstate(over="ignore", invalid="ignore"):
                off = float(np.abs(R @ R.T - np.eye(3)).max())
            if not off <= ROTATION_TOLERANCE:
                what = f"the rotation is not one (R R' differs from 1 by {off:.2g})"
                raise InputError(where, what, code="rotation")
            if np.linalg.det(R) < 0:
                what = "the rotation is a reflection (its determinant is -1)"
                remedy = "an axis has the wrong sign, or the file another handedness"
                raise InputError(where, what, remedy, code="rotation")
        if self.homography is not None:
            H = self._keep("homography", (3, 3), where)
            if np.linalg.matrix_rank(H) < 3:
                raise InputError(where, "the homography is singular", code="homography")
        if len(self.image_size) != 2 or min(self.image_size) < 1:
            raise InputError(where, f"the image size {self.image_size} is not positive")
        if self.distortion_direction not in DIRECTIONS:
            raise InputError(where, f"unknown distortion direction {self.distortion_direction!r}")

    def _keep(self, name: str, shape: tuple[int, ...], where: str) -> Array:
        value: Any = getattr(self, name)
        array = np.array(value, dtype=np.float64, order="C")
        if array.shape != shape:
            what = f"{name} has shape {array.shape}, expected {shape}"
            raise InputError(where, what, code="counts")
        if not np.isfinite(array).all():
            what = f"{name} holds a value that is not finite"
            raise InputError(where, what, code="not-finite")
        array.setflags(write=False)
        object.__setattr__(self, name, array)
        return array

    def centre(self) -> Array:
        """(3,) position of the camera in its world frame, -R't, mm.

        Raises
        ------
        InputError
            The camera has no pose.
        """
        if self.rotation is None or self.translation is None:
            raise InputError(self.source.path or "camera", *NO_POSE)
        return np.asarray(-self.rotation.T @ self.translation, dtype=np.float64)
