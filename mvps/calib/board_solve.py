"""Calibration of one camera from many views of a board (Zhang, TPAMI 2000).

OpenCV finds the start; the bundle adjustment of this package goes on to the minimum and states the
deviations; views left out tell how well the camera predicts what it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mvps.calib.board import Board, Corners
from mvps.calib.board_adjust import LENS, Adjusted, Bundle, Seen, adjust
from mvps.calib.board_poses import IDENTITY, nearest_rotation, placed
from mvps.calib.camera import Array, Camera, CameraSource
from mvps.errors import InputError

COEFFICIENTS = (0, 2, 4, 5, 8, 12)
MIN_VIEWS = 3  # each view gives two constraints on up to four intrinsics; one is left over
FOLDS = 5
MORE_VIEWS = "photograph the board tilted by 20 to 45 degrees to all sides"
FEWER = f"{MORE_VIEWS}, or free fewer parameters (--coefficients, --fix-principal-point)"


@dataclass(frozen=True)
class Model:
    """What is free in a camera.

    Attributes
    ----------
    coefficients : of distortion: 0; 2 (k1 k2); 4 (and p1 p2); 5 (and k3); 8 (and k4 k5 k6);
        12 (and s1 s2 s3 s4)
    fix_principal_point : at the middle of the image, ((w-1)/2, (h-1)/2)
    fix_aspect : square pixels, fx = fy

    Raises
    ------
    InputError
        Another number of coefficients.
    """

    coefficients: int = 5
    fix_principal_point: bool = False
    fix_aspect: bool = False

    def __post_init__(self) -> None:
        if self.coefficients not in COEFFICIENTS:
            known = ", ".join(map(str, COEFFICIENTS))
            raise InputError("--coefficients", f"{self.coefficients} is not one of {known}")

    def names(self) -> tuple[str, ...]:
        """Names of the free parameters."""
        focal = ("f",) if self.fix_aspect else LENS[:2]
        centre = () if self.fix_principal_point else LENS[2:4]
        return (*focal, *centre, *LENS[4 : 4 + self.coefficients])

    def design(self) -> Array:
        """(16, n) derivative of a lens's 16 parameters by the free ones."""
        out = np.zeros((16, len(self.names())))
        for column, name in enumerate(self.names()):
            for slot in (0, 1) if name == "f" else (LENS.index(name),):
                out[slot, column] = 1.0
        return out


@dataclass(frozen=True, eq=False)
class View:
    """One photograph of the board: the stem of its file and the corners seen."""

    name: str
    corners: Corners


@dataclass(frozen=True, eq=False)
class Calibration:
    """A camera and how well it is known.

    Attributes
    ----------
    name, board, model, image_size : what was calibrated
    views : V photographs
    lens : (16,) fx fy cx cy (px) k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4
    poses : (V, 3, 4) [R t] from the board to the camera, mm
    residuals : for each view (n, 2) px, seen minus predicted
    covariance : (n, n) of the free parameters, in the order of ``model.names()``
    pose_covariances : (V, 6, 6) rotation vector in rad and translation in mm
    noise : px, deviation of one coordinate of a corner that the residuals imply
    condition : of the normal matrix of the free parameters, scaled to a unit diagonal
    converged : whether the adjustment came to rest
    held_out : px, RMS error of corners in views that the camera was not calibrated with, their
        poses alone fitted; None below 4 views
    """

    name: str
    board: Board
    model: Model
    image_size: tuple[int, int]
    views: tuple[View, ...]
    lens: Array
    poses: Array
    residuals: tuple[Array, ...]
    covariance: Array
    pose_covariances: Array
    noise: float
    condition: float
    converged: bool = True
    held_out: float | None = None

    def parameters(self) -> dict[str, tuple[float, float]]:
        """Value and standard deviation of each free parameter."""
        values = dict(zip(LENS, self.lens.tolist(), strict=True)) | {"f": float(self.lens[0])}
        deviations = np.sqrt(np.diagonal(self.covariance)).tolist()
        return {
            name: (values[name], deviation)
            for name, deviation in zip(self.model.names(), deviations, strict=True)
        }

    def rms(self) -> float:
        """RMS distance between seen and predicted corners, px, as OpenCV states it."""
        return rms_length(np.concatenate(self.residuals))

    def view_rms(self) -> tuple[float, ...]:
        """The same for each view."""
        return tuple(rms_length(part) for part in self.residuals)

    def distances(self) -> tuple[tuple[float, float], ...]:
        """Distance from the camera to the board's middle in each view and its deviation, mm."""
        out = []
        for pose, covariance in zip(self.poses, self.pose_covariances, strict=True):
            place = placed(pose, self.board.middle())
            length = float(np.linalg.norm(place))
            towards = place / length
            slope = np.concatenate([np.cross(place - pose[:, 3], towards), towards])
            out.append((length, float(np.sqrt(slope @ covariance @ slope))))
        return tuple(out)

    def tilts(self) -> tuple[float, ...]:
        """Angle between the board's normal and the ray to its middle in each view, degrees."""
        places = placed(self.poses, self.board.middle()[None])
        across = np.linalg.norm(np.cross(self.poses[..., 2], places), axis=-1)
        along = np.abs((self.poses[..., 2] * places).sum(-1))
        return tuple(np.degrees(np.arctan2(across, along)).tolist())

    def camera(self, pose: Array | None = None, frame_id: str = "") -> Camera:
        """The camera, with a pose (3, 4) [R t] from the world if one is stated."""
        fx, fy, cx, cy = self.lens[:4]
        return Camera(
            matrix=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]),
            distortion=self.lens[4:],
            image_size=self.image_size,
            rotation=None if pose is None else nearest_rotation(pose[:, :3]),
            translation=None if pose is None else pose[:, 3],
            frame_id=frame_id,
            name=self.name,
            source=CameraSource(header=(("frame_num", str(len(self.views))),)),
        )


def calibrate(
    board: Board,
    views: Sequence[View],
    image_size: tuple[int, int],
    model: Model | None = None,
    *,
    name: str = "camera",
    hold_out: bool = True,
) -> Calibration:
    """Camera that explains what it saw of a board, with the deviations of its parameters.

    Parameters
    ----------
    views : at least three, with six corners or more each
    image_size : (width, height) px
    hold_out : also calibrate five times without a fifth of the views, to predict those

    Raises
    ------
    InputError
        Too few views, or views that do not determine the camera.
    """
    model = model or Model()
    if len(views) < MIN_VIEWS:
        found = "1 view" if len(views) == 1 else f"{len(views)} views"
        what = f"corners were found in {found}, {MIN_VIEWS} are needed"
        raise InputError(name, what, MORE_VIEWS)
    start = _start(name, board, views, image_size, model)
    seen = gathered(board, views)
    adjusted = _adjusted(name, start, seen, model)
    result = Calibration(
        name, board, model, image_size, tuple(views), adjusted.bundle.lenses[0],
        adjusted.bundle.boards, split(adjusted.residuals[0], views), adjusted.shared,
        adjusted.boards, adjusted.noise, adjusted.condition, adjusted.converged,
    )  # fmt: skip
    return replace(result, held_out=_held_out(result)) if hold_out else result


def gathered(board: Board, views: Sequence[View], places: Sequence[int] | None = None) -> Seen:
    """Corners of views in one row; ``places`` are the indices of their poses."""
    points = board.points()
    indices = range(len(views)) if places is None else places
    return Seen(
        np.concatenate([points[view.corners.ids] for view in views]),
        np.concatenate([view.corners.pixels for view in views]),
        np.repeat(np.asarray(indices, np.intp), [len(view.corners) for view in views]),
    )


def split(residuals: Array, views: Sequence[View]) -> tuple[Array, ...]:
    """Residuals in one row, view by view."""
    ends = np.cumsum([0, *(len(view.corners) for view in views)])
    return tuple(residuals[first:last] for first, last in pairwise(ends))


def rms_length(vectors: Array) -> float:
    """RMS length of vectors (n, 2)."""
    return float(np.sqrt((vectors**2).sum(-1).mean()))


def undetermined(name: str) -> InputError:
    """The views do not determine the camera."""
    return InputError(name, "these views do not determine the camera", FEWER)


def _adjusted(name: str, start: Bundle, seen: Seen, model: Model) -> Adjusted:
    try:
        adjusted = adjust(start, [seen], model.design())
    except np.linalg.LinAlgError:
        raise undetermined(name) from None
    if not np.isfinite(adjusted.condition) or (adjusted.bundle.lenses[:, :2] <= 0).any():
        raise undetermined(name)
    return adjusted


def _start(
    name: str, board: Board, views: Sequence[View], size: tuple[int, int], model: Model
) -> Bundle:
    """OpenCV's calibration, its fixed parameters put where they belong."""
    import cv2

    points = board.points().astype(np.float32)
    objects = [points[view.corners.ids] for view in views]
    pixels = [view.corners.pixels.astype(np.float32)[:, None] for view in views]
    guess = np.array([[1000.0, 0, (size[0] - 1) / 2], [0, 1000.0, (size[1] - 1) / 2], [0, 0, 1]])
    try:
        _, matrix, distortion, turns, shifts = cv2.calibrateCamera(
            objects, pixels, size, guess, np.zeros(14), flags=_flags(model)
        )
    except cv2.error:
        raise undetermined(name) from None
    lens = np.zeros(16)
    lens[:4] = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    lens[4 : 4 + model.coefficients] = distortion.reshape(-1)[: model.coefficients]
    poses = np.array(
        [
            np.column_stack([cv2.Rodrigues(turn)[0], shift])
            for turn, shift in zip(turns, shifts, strict=True)
        ]
    )
    if not (np.isfinite(lens).all() and np.isfinite(poses).all()):
        raise undetermined(name)
    return Bundle(lens[None], IDENTITY[None], poses)


def _flags(model: Model) -> int:
    import cv2

    flags = 0
    if model.fix_aspect:
        flags |= cv2.CALIB_FIX_ASPECT_RATIO
    if model.fix_principal_point:
        flags |= cv2.CALIB_FIX_PRINCIPAL_POINT
    if model.coefficients < 2:
        flags |= cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2
    if model.coefficients < 4:
        flags |= cv2.CALIB_ZERO_TANGENT_DIST
    if model.coefficients < 5:
        flags |= cv2.CALIB_FIX_K3
    if model.coefficients >= 8:
        flags |= cv2.CALIB_RATIONAL_MODEL
    if model.coefficients >= 12:
        flags |= cv2.CALIB_THIN_PRISM_MODEL
    return int(flags)


def _held_out(result: Calibration) -> float | None:
    """RMS error in px over all views, each predicted by a camera that did not see it."""
    count = len(result.views)
    if count <= MIN_VIEWS:
        return None
    folds = min(FOLDS, count)
    errors = []
    for fold in range(folds):
        left = np.arange(count) % folds == fold
        kept = [view for view, out in zip(result.views, left, strict=True) if not out]
        away = [view for view, out in zip(result.views, left, strict=True) if out]
        start = Bundle(result.lens[None], IDENTITY[None], result.poses[~left])
        try:
            trained = _adjusted(result.name, start, gathered(result.board, kept), result.model)
            start = Bundle(trained.bundle.lenses, IDENTITY[None], result.poses[left])
            tested = adjust(start, [gathered(result.board, away)], np.zeros((16, 0)))
        except (InputError, np.linalg.LinAlgError):
            return None
        errors.append(tested.residuals[0])
    return rms_length(np.concatenate(errors))
