"""Where the pixels of an image lie in space: lines of sight, an assumed plane, points from depth.

Millimetres in the house frame (x right, y up, z to the camera). A calibrated camera has its centre
at the origin; without one, lines of sight are parallel to z and the image centre is on the axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.calib import Camera
from mvps.calib.geometry import unproject
from mvps.calib.transforms import NORMAL_FLIP, bin_camera, crop_camera
from mvps.errors import InputError

STEEPEST = 85.0  # degrees; a plane seen at a flatter angle is no surface to assume
NODES = 16  # pixels between exact lines of sight of a distorted camera; cubic in between

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane that faces the camera.

    Attributes
    ----------
    distance_mm : along the optical axis from the origin, positive away from the camera
    normal : (3,) float64 unit, z positive

    Raises
    ------
    InputError
        A number is not finite, or the plane is seen edge-on or from behind.
    """

    distance_mm: float
    normal: ArrayLike = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        normal = np.array(self.normal, dtype=np.float64)
        known = normal.shape == (3,) and bool(np.isfinite([*normal, self.distance_mm]).all())
        length = float(np.linalg.norm(normal)) if known else 0.0
        if not length:
            raise InputError("plane", f"{self.distance_mm}, {self.normal}: not finite numbers")
        normal = normal / length
        if normal[2] < math.cos(math.radians(STEEPEST)):
            what = "is seen edge-on or from behind"
            raise InputError("plane", what, f"tilt it by less than {STEEPEST:g} degrees")
        normal.setflags(write=False)
        object.__setattr__(self, "normal", normal)

    @classmethod
    def tilted(cls, distance_mm: float, tilt: float = 0.0, azimuth: float = 0.0) -> Plane:
        """Plane whose normal leans by ``tilt`` degrees towards ``azimuth`` (from x to y)."""
        lean, turn = math.radians(tilt), math.radians(azimuth)
        across = math.sin(lean)
        normal = (across * math.cos(turn), across * math.sin(turn), math.cos(lean))
        return cls(distance_mm, normal)

    @classmethod
    def of_board(cls, camera: Camera) -> Plane:
        """The plane z = 0 of the camera's world: the calibration board.

        Raises
        ------
        InputError
            The camera has no pose, or sees the board edge-on.
        """
        if camera.rotation is None or camera.translation is None:
            what = "holds no rotation and translation, so that its board is not known"
            raise InputError(camera.source.path or "camera", what, "give the distance in mm")
        normal = NORMAL_FLIP @ camera.rotation[:, 2]
        normal = normal * (1.0 if normal[2] >= 0 else -1.0)
        point = NORMAL_FLIP @ camera.translation
        cls(0.0, normal)
        return cls(float(-(normal @ point) / normal[2]), normal)

    @property
    def offset(self) -> float:
        """Of the plane n.X = offset, mm."""
        return -float(np.asarray(self.normal)[2]) * self.distance_mm


@dataclass(frozen=True, eq=False)
class NearView:
    """Lines of sight of an image, and the surface that is assumed at first.

    A point at depth z (mm along the optical axis, away from the camera) is z (a, b, -1) for a
    camera that sees the slopes (a, b), and (a, b, -z) with a and b in mm for parallel lines.

    Attributes
    ----------
    size : (width, height) px
    plane : assumed surface
    camera : calibrated camera of these pixels, or None for parallel lines of sight
    mm_per_px : scale of parallel lines of sight
    centre : (x, y) px that lies on the axis of parallel lines, the image centre when None

    Raises
    ------
    InputError
        Neither a camera nor a scale; a size that is not the camera's; a plane behind the camera.
    """

    size: tuple[int, int]
    plane: Plane
    camera: Camera | None = None
    mm_per_px: float | None = None
    centre: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.camera is None and self.mm_per_px is None:
            what = "neither a camera nor a scale, so that pixels have no place in space"
            raise InputError("near lights", what, "give --camera FILE or --mm-per-px S")
        if self.camera is not None and self.camera.image_size != self.size:
            what = f"made for {self.camera.image_size}, but the images are {self.size}"
            raise InputError(self.camera.source.path or "camera", what)
        if self.camera is not None and not self.plane.distance_mm > 0:
            what = f"{self.plane.distance_mm:g} mm is not in front of the camera"
            raise InputError("plane", what, "give a positive distance")
        scale = self.mm_per_px
        if self.camera is None and not (scale and math.isfinite(scale) and scale > 0):
            raise InputError("--mm-per-px", f"{scale} is not a positive number")
        if self.centre is None:
            centre = ((self.size[0] - 1) / 2, (self.size[1] - 1) / 2)
            object.__setattr__(self, "centre", centre)

    @property
    def perspective(self) -> bool:
        """Whether lines of sight meet in the camera's centre."""
        return self.camera is not None

    def cropped(self, x: int, y: int, width: int, height: int) -> NearView:
        """View of a rectangle of these pixels; the frame of the lights stays."""
        camera = self.camera and crop_camera(self.camera, x, y, width, height)
        cx, cy = self._centre()
        return replace(self, size=(width, height), camera=camera, centre=(cx - x, cy - y))

    def binned(self, n: int) -> NearView:
        """View of means over n x n pixels; rests of rows and columns are left out."""
        width, height = self.size[0] // n, self.size[1] // n
        whole = self.cropped(0, 0, width * n, height * n)
        cx, cy = whole._centre()
        return replace(
            whole,
            size=(width, height),
            camera=whole.camera and bin_camera(whole.camera, n),
            mm_per_px=None if self.mm_per_px is None else self.mm_per_px * n,
            centre=((cx + 0.5) / n - 0.5, (cy + 0.5) / n - 0.5),
        )

    def lateral(self, y0: int = 0, y1: int | None = None) -> Array:
        """(rows, W, 2): a and b of the pixels of rows y0 to y1; NaN where nothing is seen."""
        rows = np.arange(y0, self.size[1] if y1 is None else y1, dtype=np.float64)
        columns = np.arange(self.size[0], dtype=np.float64)
        affine = self.affine()
        if affine is None and self.camera is not None:
            return _slopes(self.camera, columns, rows)
        x, y = np.meshgrid(columns, rows)
        pixels = np.stack([x, y, np.ones_like(x)], axis=-1)
        return np.asarray(pixels @ np.asarray(affine).T)

    def affine(self) -> Array | None:
        """(2, 3) that takes (x, y, 1) of a pixel to its a and b; None where a lens distorts."""
        if self.camera is None:
            scale, (cx, cy) = float(self.mm_per_px or 0), self._centre()
            return np.array([[scale, 0, -scale * cx], [0, -scale, scale * cy]])
        if self.camera.distortion.any():
            return None
        flip = np.array([[1.0], [-1.0]])
        return np.asarray(np.linalg.inv(self.camera.matrix)[:2] * flip)

    def points(self, lateral: Array, depth: Array) -> Array:
        """(..., 3) mm at depths (...) of pixels whose a and b are ``lateral`` (..., 2)."""
        across = lateral * depth[..., None] if self.perspective else lateral
        return np.concatenate([across, -depth[..., None]], axis=-1)

    def along(self, lateral: Array) -> Array:
        """(..., 3) by which a point moves for a mm of depth."""
        across = lateral if self.perspective else np.zeros_like(lateral)
        return np.concatenate([across, np.full((*lateral.shape[:-1], 1), -1.0)], axis=-1)

    def plane_depth(self, lateral: Array) -> Array:
        """(...) depth of the assumed plane, mm; NaN where it is not in front of the camera."""
        normal = np.asarray(self.plane.normal)
        if not self.perspective:
            return np.asarray((lateral @ normal[:2] - self.plane.offset) / normal[2])
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = self.plane.offset / (lateral @ normal[:2] - normal[2])
        return np.asarray(np.where(depth > 0, depth, np.nan))

    def reference_point(self) -> Array:
        """(3,) mm: where the line of sight of the middle of the image meets the plane.

        Raises
        ------
        InputError
            The camera does not see the plane there.
        """
        middle = self.size[1] // 2
        lateral = self.lateral(middle, middle + 1)[:, self.size[0] // 2]
        point = self.points(lateral, self.plane_depth(lateral))[0]
        if not np.isfinite(point).all():
            what = "the middle of the image does not see it"
            raise InputError("plane", what, "check the camera, the distance and the tilt")
        return np.asarray(point)

    def pixel_of(self, points: Array) -> tuple[Array, Array]:
        """Pixels (..., 2) and depths (...) of points (..., 3), distortion left out."""
        depth = -points[..., 2]
        if self.camera is None:
            scale, (cx, cy) = float(self.mm_per_px or 0), self._centre()
            flat = points[..., :2] * np.array([1.0, -1.0]) / scale + np.array([cx, cy])
            return flat, depth
        K = self.camera.matrix
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = points[..., 0] / depth, -points[..., 1] / depth
        return np.stack([K[0, 0] * x + K[0, 1] * y + K[0, 2], K[1, 1] * y + K[1, 2]], -1), depth

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the record of a run."""
        return {
            "lines of sight": "camera" if self.perspective else "parallel",
            "mm_per_px": self.mm_per_px,
            "plane": {
                "distance_mm": self.plane.distance_mm,
                "normal": np.asarray(self.plane.normal).tolist(),
            },
        }

    def _centre(self) -> tuple[float, float]:
        assert self.centre is not None  # set on construction
        return self.centre


def _slopes(camera: Camera, columns: Array, rows: Array) -> Array:
    """(rows, columns, 2) slopes x and y of lines of sight, house frame."""
    if len(rows) * len(columns) <= (4 * NODES) ** 2:
        return _exact_slopes(camera, columns, rows)
    by_row = _exact_slopes(camera, _nodes(columns), _nodes(rows))
    spread = _interpolated(by_row, len(rows)).swapaxes(0, 1)
    return _interpolated(spread, len(columns)).swapaxes(0, 1)


def _exact_slopes(camera: Camera, columns: Array, rows: Array) -> Array:
    rays, _ = unproject(camera, np.stack(np.meshgrid(columns, rows), axis=-1))
    return np.asarray(rays[..., :2] / rays[..., 2:] * np.array([1.0, -1.0]))


def _nodes(places: Array) -> Array:
    """Four or more evenly spaced places from the first to the last, NODES apart at most."""
    return np.linspace(places[0], places[-1], max(4, math.ceil(len(places) / NODES) + 1))


def _interpolated(values: Array, count: int) -> Array:
    """``count`` evenly spaced values along the first axis, by cubics through four neighbours."""
    places = np.linspace(0, len(values) - 1, count)
    first = np.clip(places.astype(int) - 1, 0, len(values) - 4)
    t = (places - first).reshape(-1, *[1] * (values.ndim - 1))
    weights = (
        -(t - 1) * (t - 2) * (t - 3) / 6,
        t * (t - 2) * (t - 3) / 2,
        -t * (t - 1) * (t - 3) / 2,
        t * (t - 1) * (t - 2) / 6,
    )
    total = weights[0] * values[first]
    for j in (1, 2, 3):
        total += weights[j] * values[first + j]
    return np.asarray(total)
