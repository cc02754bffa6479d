"""Rules that tell the owner of a calibration whether to trust it, each with a code and a threshold.

An error makes results wrong, a warning makes them poor or doubtful; docs/calibration.md says why
each threshold is what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mvps.calib.camera import Camera
from mvps.calib.describe import homography_residuals, principal_offset
from mvps.calib.distortion import is_unfolded
from mvps.calib.fit import fit_remedy, size_fault
from mvps.calib.formats.detect import detect_format
from mvps.calib.geometry import GRID, displacement, normalise
from mvps.calib.rig_table import camera_names, same_frame
from mvps.calib.transforms import resize_camera
from mvps.errors import InputError
from mvps.findings import Finding

HOMOGRAPHY_PX = 0.1  # below what any board is measured to, above a file's rounding to six digits
PRINCIPAL_OFFSET = 0.1  # of width or height: no mount holds a lens that far off
PIXEL_ASPECT = 0.005  # square pixels are square within 0.1%
DISPLACEMENT = 0.01  # of the width
FAR = 1e3  # widths: no figure says more
FRAMES = 3  # each planar view fixes two of five intrinsics
UNDOCUMENTED = ("rig",)  # formats that do not say which way their polynomial maps

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Rule:
    """Level of a rule and what it looks for, in one line."""

    level: Level
    title: str


RULES: dict[str, Rule] = {
    "counts": Rule("error", "a matrix or list has another number of values than it must"),
    "not-finite": Rule("error", "a number is NaN or infinite"),
    "duplicate-key": Rule("error", "a key stands twice in the file"),
    "rotation": Rule("error", "the rotation is outside SO(3) by more than 1e-6"),
    "homography": Rule("error", "H differs from K[r1 r2 t]/tz by more than 0.1 px in the image"),
    "fold-over": Rule("error", "the distortion folds over inside the image"),
    "aspect-ratio": Rule("error", "the images have another aspect ratio than the camera"),
    "image-size": Rule("warning", "the images have another size of the same aspect ratio"),
    "principal-point-outside": Rule("warning", "the principal point is outside the image"),
    "principal-point-off": Rule(
        "warning", "the principal point is more than 10% of width or height off the centre"
    ),
    "pixel-aspect": Rule("warning", "fx/fy differs from 1 by more than 0.5%"),
    "few-frames": Rule("warning", "fewer than 3 frames were calibrated from"),
    "displacement": Rule("warning", "the distortion moves pixels by more than 1% of the width"),
    "unconverged": Rule("warning", "undistorting finds no point for some pixels"),
    "direction": Rule("warning", "which way the distortion maps is not documented"),
    "common-frame": Rule("warning", "the cameras share no world frame"),
}


@dataclass(frozen=True)
class CheckedFile:
    """A camera file with what was found; no cameras where reading stopped at a rule."""

    path: Path
    format: str
    cameras: tuple[Camera, ...]
    findings: tuple[Finding, ...]


def check_file(path: str | Path, *, image_size: tuple[int, int] | None = None) -> CheckedFile:
    """Read a camera file and apply every rule.

    Raises
    ------
    InputError
        The file is no camera file, or cannot be read for a reason that is no rule.
    """
    path = Path(path)
    format = detect_format(path)
    try:
        cameras = format.read(path)
    except InputError as error:
        if error.code not in RULES:
            raise
        level = RULES[error.code].level
        return CheckedFile(path, format.name, (), (Finding(level, error.code, str(error)),))
    found = check_cameras(cameras, format.name, image_size=image_size)
    return CheckedFile(path, format.name, cameras, found)


def check_cameras(
    cameras: Sequence[Camera], format: str = "", *, image_size: tuple[int, int] | None = None
) -> tuple[Finding, ...]:
    """:func:`check_camera` of all cameras of one file of a format."""
    known = format not in UNDOCUMENTED
    found = (check_camera(c, image_size=image_size, direction_known=known) for c in cameras)
    return tuple(finding for findings in found for finding in findings)


def check_camera(
    camera: Camera, *, image_size: tuple[int, int] | None = None, direction_known: bool = True
) -> tuple[Finding, ...]:
    """What is to be said about one camera, errors first.

    Parameters
    ----------
    camera : the camera
    image_size : (width, height) in px of the images that it is to be applied to
    direction_known : whether its file says which way the distortion maps
    """
    found = [
        *_homography(camera),
        *_distortion(camera, direction_known),
        *_principal_point(camera),
        *_pixel_aspect(camera),
        *_frames(camera),
        *([] if image_size is None else _image_size(camera, image_size)),
    ]
    return tuple(
        sorted(
            (_finding(code, camera, what) for code, what in found),
            key=lambda finding: (finding.level != "error", list(RULES).index(finding.code)),
        )
    )


def check_rig(cameras: Sequence[Camera]) -> tuple[Finding, ...]:
    """What stands against combining views of these cameras."""
    if len(cameras) > 1 and all(same_frame(cameras[0], camera) for camera in cameras):
        return ()
    names = camera_names(cameras)
    if len(cameras) == 1:
        what = "combining views takes two or more cameras of one frame"
    else:
        frames = [camera.frame_id if camera.rotation is not None else "" for camera in cameras]
        told = (f"{n} in {f or 'none'}" for n, f in zip(names, frames, strict=True))
        what = f"no common frame ({', '.join(told)}): positions and normals cannot be combined"
    remedy = "calibrate the cameras together, from one board that stays where it is"
    message = f"{', '.join(names)}: {what}; {remedy}"
    return (Finding(RULES["common-frame"].level, "common-frame", message),)


Found = Iterator[tuple[str, str]]  # code, and the message without the file's name


def _finding(code: str, camera: Camera, what: str) -> Finding:
    where = camera.source.path or "camera"
    where = f"{where} ({camera.name})" if camera.name else where
    return Finding(RULES[code].level, code, f"{where}: {what}")


def _homography(camera: Camera) -> Found:
    _, pixels = homography_residuals(camera)
    if pixels is not None and not pixels <= HOMOGRAPHY_PX:
        yield (
            "homography",
            f"H differs from K[r1 r2 t]/tz by {pixels:.3g} px in the image: the file contradicts "
            "itself; take all of them from one calibration",
        )


def _distortion(camera: Camera, direction_known: bool) -> Found:
    if not camera.distortion.any():
        return
    moved = displacement(camera)
    width = camera.image_size[0]
    if moved.unconverged and _folds_inside(camera):
        yield (
            "fold-over",
            f"the distortion folds over inside the image: {moved.unconverged} pixels of a grid of "
            f"{GRID[0]} x {GRID[1]} have no undistorted point, and others two; check the order of "
            "the coefficients, or calibrate again with fewer",
        )
    elif moved.unconverged:
        yield (
            "unconverged",
            f"undistorting finds no point for {moved.unconverged} pixels of a grid of {GRID[0]} x "
            f"{GRID[1]}: they stay invalid; calibrate again with points up to the image's corners",
        )
    if not moved.forward_max <= DISPLACEMENT * width:
        share = 100 * moved.forward_max / width
        away = f"by up to {moved.forward_max:.0f} px ({share:.1f}% of the width)"
        far = not moved.forward_max <= FAR * width
        yield (
            "displacement",
            f"the distortion moves pixels {'out of all bounds' if far else away}: use --undistort "
            "before anything is measured in the image",
        )
    if not direction_known:
        yield (
            "direction",
            "the file does not say which way its distortion maps: OpenCV's way (undistorted to "
            "distorted) is taken; look whether a straight edge is straight after undistorting",
        )


def _folds_inside(camera: Camera) -> bool:
    """Whether the polynomial folds within the frame that it is applied to.

    That is the undistorted image in OpenCV's direction, the raw one in the other. Raw pixels that
    cannot be undistorted (:func:`displacement`) are the fold's doing in both; but where it lies
    outside the frame, every undistorted pixel still has its own raw one, and only corners are lost.
    """
    width, height = camera.image_size
    axes = np.linspace(0, width - 1, GRID[0]), np.linspace(0, height - 1, GRID[1])
    points = normalise(camera.matrix, np.stack(np.meshgrid(*axes), axis=-1))
    return not is_unfolded(camera.distortion, points).all()


def _principal_point(camera: Camera) -> Found:
    width, height = camera.image_size
    x, y = camera.matrix[:2, 2].tolist()
    _, percent = principal_offset(camera)
    away = (
        f"({x:.0f}, {y:.0f}) px, {percent[0]:+.0f}% of the width and {percent[1]:+.0f}% of the "
        "height off the centre"
    )
    remedy = "K, R and t are weakly determined; calibrate again from ten or more tilted views"
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        yield (
            "principal-point-outside",
            f"the principal point is outside the image, at {away}: {remedy}",
        )
    elif max(map(abs, percent)) > 100 * PRINCIPAL_OFFSET:
        yield "principal-point-off", f"the principal point is far off, at {away}: {remedy}"


def _pixel_aspect(camera: Camera) -> Found:
    aspect = float(camera.matrix[0, 0] / camera.matrix[1, 1])
    if abs(aspect - 1) > PIXEL_ASPECT:
        digits = ".4f" if 0.01 < aspect < 100 else ".3g"
        yield (
            "pixel-aspect",
            f"fx/fy is {aspect:{digits}}, though pixels are square: the focal length is off by as "
            "much; calibrate again with the aspect fixed",
        )


def _frames(camera: Camera) -> Found:
    from mvps.numbers import parse_integer

    count = parse_integer(dict(camera.source.header).get("frame_num", ""))
    if count is not None and count < FRAMES:
        frames = "1 frame" if count == 1 else f"{count} frames"
        yield (
            "few-frames",
            f"calibrated from {frames}: K, R and t cannot all be determined, only the map from "
            "board to pixels; calibrate again from ten or more tilted views",
        )


def _image_size(camera: Camera, size: tuple[int, int]) -> Found:
    if fault := size_fault(camera, size):
        try:
            resize_camera(camera, size)
        except InputError:
            code = "aspect-ratio"
        else:
            code = "image-size"
        yield code, f"the images have {fault}; {fit_remedy(camera, size)}"
