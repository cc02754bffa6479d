"""Every figure that describes a camera, with its unit: what ``mvps calib show`` prints.

Geometry as in Hartley and Zisserman, chapters 6 and 8; the board is the plane z = 0 of the frame.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib.camera import Camera
from mvps.calib.formats.detect import detect_format
from mvps.calib.formats.values import COEFFICIENTS
from mvps.calib.geometry import Displacement, displacement, field_of_view
from mvps.calib.transforms import (
    board_distance,
    board_homography,
    board_tilt,
    homography_from_pose,
)
from mvps.errors import InputError

STRAIGHT_DEG = 1e-3  # tilt below which a view has no azimuth

Array = NDArray[np.float64]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Standing:
    """Where a camera stands in the frame of its board (plane z = 0).

    The centre ray is the view ray of the image centre without distortion. Tilt and azimuth are
    those of the way from its foot on the board back to the camera, the azimuth counter-clockwise
    from the board's x axis as seen from the camera's side.
    """

    centre_mm: tuple[float, ...]
    optical_axis: tuple[float, ...]  # unit vector, world frame
    centre_ray: tuple[float, ...]  # unit vector, world frame
    axis_tilt_deg: float  # optical axis against the board's normal
    tilt_deg: float | None  # centre ray against the board's normal; None where it meets no board
    azimuth_deg: float | None  # also None where the camera looks straight down
    distance_mm: float | None  # along the centre ray
    board_point_mm: tuple[float, ...] | None  # where the centre ray meets the board


@dataclass(frozen=True)
class CameraDescription:
    """All figures of one camera; a figure that the file does not settle is None.

    Displacements are those of :func:`mvps.calib.geometry.displacement`: *forward* applies the
    polynomial to raw pixels of a grid of 200 x 150, *undistort* is how far undistorting moves them.
    """

    name: str
    file: str
    sha256: str
    format: str
    frame_id: str
    header: dict[str, str]
    image_size_px: tuple[int, int]
    matrix: tuple[tuple[float, ...], ...]
    rotation: tuple[tuple[float, ...], ...] | None
    translation_mm: tuple[float, ...] | None
    homography: tuple[tuple[float, ...], ...] | None
    focal_px: Pair
    focal_mm: Pair | None  # with the pixel pitch given
    pixel_um: float | None
    field_of_view_deg: tuple[float, ...]  # width, height, diagonal; through the distortion
    principal_point_px: Pair
    principal_offset_px: Pair  # from the image centre
    principal_offset_percent: Pair  # of width and height
    pixel_aspect: float  # fx / fy
    skew: float
    distortion: dict[str, float]
    distortion_direction: str
    displacement_forward_max_px: float
    displacement_forward_mean_px: float
    displacement_undistort_max_px: float
    displacement_undistort_mean_px: float
    smallest_determinant: float
    unconverged: int
    standing: Standing | None
    um_per_px: Pair | None  # along the board's x and y at the image centre
    homography_residual: float | None  # largest relative one against K[r1 r2 t]/tz
    homography_residual_px: float | None  # the same as seen in the image

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready mapping, figures that are not finite as None."""
        cleaned: dict[str, Any] = _finite(asdict(self))
        return cleaned


def describe_file(
    path: str | Path, *, pixel_um: float | None = None
) -> tuple[tuple[Camera, ...], tuple[CameraDescription, ...]]:
    """Cameras of a file and the figures of each.

    Raises
    ------
    InputError
        The file cannot be read as a camera file.
    """
    format = detect_format(path)
    cameras = format.read(Path(path))
    return cameras, tuple(
        describe_camera(camera, format=format.name, pixel_um=pixel_um) for camera in cameras
    )


@np.errstate(all="ignore")  # of absurd cameras: figures that overflow become None
def describe_camera(
    camera: Camera, *, format: str = "", pixel_um: float | None = None
) -> CameraDescription:
    """Figures of one camera.

    Parameters
    ----------
    camera : the camera
    format : name of the format of its file, as :data:`mvps.calib.formats.registry.FORMATS` calls it
    pixel_um : pixel pitch of the sensor in micrometres, for the focal length in mm
    """
    K = camera.matrix
    offset, percent = principal_offset(camera)
    moved: Displacement = displacement(camera)
    focal = (float(K[0, 0]), float(K[1, 1]))
    relative, pixels = homography_residuals(camera)
    return CameraDescription(
        name=camera.name,
        file=camera.source.path,
        sha256=camera.source.sha256,
        format=format,
        frame_id=camera.frame_id,
        header=dict(camera.source.header),
        image_size_px=camera.image_size,
        matrix=_rows(K),
        rotation=None if camera.rotation is None else _rows(camera.rotation),
        translation_mm=None if camera.translation is None else tuple(camera.translation.tolist()),
        homography=None if camera.homography is None else _rows(camera.homography),
        focal_px=focal,
        focal_mm=None
        if pixel_um is None
        else (focal[0] * pixel_um / 1e3, focal[1] * pixel_um / 1e3),
        pixel_um=pixel_um,
        field_of_view_deg=tuple(float(angle) for angle in field_of_view(camera)),
        principal_point_px=(float(K[0, 2]), float(K[1, 2])),
        principal_offset_px=offset,
        principal_offset_percent=percent,
        pixel_aspect=focal[0] / focal[1],
        skew=float(K[0, 1]),
        distortion=dict(zip(COEFFICIENTS, camera.distortion.tolist(), strict=True)),
        distortion_direction=camera.distortion_direction,
        displacement_forward_max_px=moved.forward_max,
        displacement_forward_mean_px=moved.forward_mean,
        displacement_undistort_max_px=moved.undistort_max,
        displacement_undistort_mean_px=moved.undistort_mean,
        smallest_determinant=moved.smallest_determinant,
        unconverged=moved.unconverged,
        standing=standing(camera),
        um_per_px=um_per_px(camera),
        homography_residual=relative,
        homography_residual_px=pixels,
    )


def image_centre(camera: Camera) -> Array:
    """(2,) centre of the image in px, pixel centres at integers."""
    return (np.array(camera.image_size, dtype=np.float64) - 1) / 2


def principal_offset(camera: Camera) -> tuple[Pair, Pair]:
    """Principal point minus image centre, in px and in percent of width and height."""
    x, y = (camera.matrix[:2, 2] - image_centre(camera)).tolist()
    width, height = camera.image_size
    return (x, y), (100 * x / width, 100 * y / height)


@np.errstate(all="ignore")
def standing(camera: Camera) -> Standing | None:
    """Place and direction of view in the board's frame, or None for a camera without a pose."""
    if camera.rotation is None or camera.translation is None:
        return None
    centre = camera.centre()
    ray = camera.rotation.T @ np.linalg.solve(camera.matrix, np.append(image_centre(camera), 1))
    ray /= np.linalg.norm(ray)
    distance = _distance(camera)
    meets = distance < math.inf
    slanted = meets and _tilt(ray) > STRAIGHT_DEG
    return Standing(
        centre_mm=tuple(centre.tolist()),
        optical_axis=tuple(camera.rotation[2].tolist()),
        centre_ray=tuple(ray.tolist()),
        axis_tilt_deg=board_tilt(camera),
        tilt_deg=_tilt(ray) if meets else None,
        # Seen from below the plane, its x and y axes turn the other way round.
        azimuth_deg=_degrees(-ray[1] * math.copysign(1, centre[2]), -ray[0]) if slanted else None,
        distance_mm=distance if meets else None,
        board_point_mm=tuple((centre + distance * ray).tolist()[:2]) if meets else None,
    )


def _distance(camera: Camera) -> float:
    """Millimetres to the board along the centre ray, infinite where it meets none."""
    try:
        return float(board_distance(camera))
    except InputError:  # the camera lies in the board's plane
        return math.inf


def um_per_px(camera: Camera) -> Pair | None:
    """Micrometres on the board a pixel, along its x and y, where the image centre looks.

    The inverse lengths of the columns of the homography's Jacobian; None without one. Those of
    :func:`mvps.calib.transforms.board_scale` are along x and y of the image instead.
    """
    try:
        H = board_homography(camera)
    except InputError:
        return None
    if np.linalg.matrix_rank(H) < 3:  # the camera's centre lies in the board's plane
        return None
    x, y, w = np.linalg.solve(H, np.append(image_centre(camera), 1))
    if abs(w) < 1e-12 * math.hypot(x, y):
        return None
    a, b, c = H @ np.array([x / w, y / w, 1])
    jacobian = (H[:2, :2] * c - np.outer((a, b), H[2, :2])) / c**2
    scale = 1e3 / np.linalg.norm(jacobian, axis=0)
    return float(scale[0]), float(scale[1])


@np.errstate(all="ignore")
def homography_residuals(camera: Camera) -> tuple[float | None, float | None]:
    """How far H is from K[r1 r2 t]/tz: largest relative difference of a term, and largest in px.

    In px: a grid of 9 x 9 undistorted pixels taken to the board by the one and back by the other.
    None where the camera has no homography, no pose, or a pose with tz = 0.
    """
    if camera.homography is None or camera.rotation is None or camera.translation is None:
        return None, None
    R, t = camera.rotation, camera.translation
    try:
        posed = homography_from_pose(camera)
    except InputError:
        return None, None
    if not camera.homography[2, 2]:
        return math.inf, math.inf
    stated = camera.homography / camera.homography[2, 2]
    # A term whose parts cancel is measured against those, else rounding would look like a fault.
    parts = np.abs(camera.matrix) @ np.abs(np.column_stack([R[:, 0], R[:, 1], t])) / abs(t[2])
    off = np.abs(stated - posed)
    width, height = camera.image_size
    x, y = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9))
    pixels = np.stack([x.ravel(), y.ravel(), np.ones(81)])
    back = posed @ np.linalg.solve(stated, pixels)
    relative = np.where(off > 0, off / np.maximum(np.abs(posed), 1e-3 * parts), 0)
    away = np.hypot(*(back[:2] / back[2] - pixels[:2]))
    return float(relative.max()), float(away.max())


def _tilt(direction: Array) -> float:
    return abs(_degrees(math.hypot(direction[0], direction[1]), abs(direction[2])))


def _degrees(y: float, x: float) -> float:
    return math.degrees(math.atan2(y, x))


def _rows(matrix: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
