"""Warping whole images and normal maps: undistortion, rectification to the board, another view.

Strips of rows over threads; the positions are computed on the way, so that no map is in memory. For
images larger than memory see :mod:`mvps.calib.row_warp`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.calib.camera import Array, Camera
from mvps.calib.fit import check_size
from mvps.calib.geometry import label, undistort_points
from mvps.calib.resample import Source, normal_rows, remap_rows
from mvps.calib.transforms import BOARD, board_homography
from mvps.calib.warp import Warp, board_warp, facing, square, undistortion, view_warp
from mvps.errors import InputError
from mvps.machine import cores

STRIP_ROWS = 64
INTERPOLATIONS = ("linear", "nearest")
_BORDER_POINTS = 64  # along each side, for the outline of an image on the board

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BoardImage:
    """An image rectified to its board.

    Attributes
    ----------
    image, valid : (h, w[, 3]) and (h, w)
    origin : board x y in mm of the centre of pixel (0, 0); x goes right, y down
    um_per_px : edge of a pixel on the board
    """

    image: NDArray[Any]
    valid: Mask
    origin: tuple[float, float]
    um_per_px: float


def undistort_image(
    image: NDArray[Any],
    camera: Camera,
    matrix: ArrayLike | None = None,
    *,
    interpolation: str = "linear",
    threads: int | None = None,
) -> tuple[NDArray[Any], Mask]:
    """Image as a camera without distortion would have taken it from the same place.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8, uint16 or float32, of the camera's size
    matrix : (3, 3) of the undistorted image, the camera's own when None
    interpolation : "linear", or "nearest" for masks and labels
    threads : one a core by default

    Returns
    -------
    image : same shape and type, zero where not valid
    valid : (H, W), True where every neighbour that is needed lies in the image

    Raises
    ------
    InputError
        The image is not the camera's size or has a type that is not warped, or the matrix cannot be
        inverted.
    """
    check_size(camera, _size(image, "image"), "image")
    warp = undistortion(camera, matrix)
    return remap_image(warp, image, interpolation=interpolation, threads=threads)


def undistort_normals(
    normals: NDArray[np.float32],
    valid: NDArray[Any] | None,
    camera: Camera,
    rotation: ArrayLike | None = None,
    *,
    matrix: ArrayLike | None = None,
    threads: int | None = None,
) -> tuple[NDArray[np.float32], Mask]:
    """Normal map in undistorted pixels; the vectors keep their frame unless they are rotated.

    Parameters
    ----------
    normals : (H, W, 3) float32 unit vectors, of the camera's size
    valid : (H, W), or None where a zero vector marks an invalid pixel
    rotation : (3, 3) to apply to the vectors, such as `mvps.calib.transforms.camera_to_board`

    Returns
    -------
    normals : (H, W, 3) float32 unit vectors, zero where not valid
    valid : (H, W), True where every neighbour that is needed is valid

    Raises
    ------
    InputError
        The map is not the camera's size, or a matrix is not 3x3 and finite.
    """
    check_size(camera, _size(normals, "normals"), "normals")
    warp = undistortion(camera, matrix)
    return remap_normals(warp, normals, valid, rotation, threads=threads)


def warp_view(
    image: NDArray[Any],
    source: Camera,
    target: Camera,
    plane: tuple[float, float, float, float] = BOARD,
    *,
    common_frame: bool = False,
    interpolation: str = "linear",
    threads: int | None = None,
) -> tuple[NDArray[Any], Mask]:
    """Image of one camera in the undistorted pixels of another, right for one plane.

    Parameters
    ----------
    image : of the size of ``source``, raw
    plane : nx ny nz d of n.X = d, mm, in the world frame of both; the board by default
    common_frame : states that both poses are in one frame although their ``frame_id`` does not

    Returns
    -------
    image, valid : of the size of ``target``

    Raises
    ------
    InputError
        The image is not the camera's size, the cameras share no frame, or a pose is missing.
    """
    check_size(source, _size(image, "image"), "image")
    warp = view_warp(source, target, plane, common_frame=common_frame)
    return remap_image(warp, image, interpolation=interpolation, threads=threads)


def rectify_board(
    image: NDArray[Any],
    camera: Camera,
    um_per_px: float,
    *,
    interpolation: str = "linear",
    threads: int | None = None,
) -> BoardImage:
    """Image as seen from straight above its board, at a chosen resolution.

    Raises
    ------
    InputError
        The image is not the camera's size, the camera knows no board, the horizon of the board's
        plane crosses the image, or the result would be too large.
    """
    check_size(camera, _size(image, "image"), "image")
    low, high = _extent(camera)
    step = um_per_px / 1000
    size = tuple(int(n) for n in np.floor((high - low) / step) + 1) if step > 0 else (1, 1)
    origin = (float(low[0]), float(low[1]))
    warp = board_warp(camera, um_per_px, origin=origin, size=(size[0], size[1]))
    found, valid = remap_image(warp, image, interpolation=interpolation, threads=threads)
    return BoardImage(found, valid, origin, um_per_px)


def remap_image(
    warp: Warp,
    image: NDArray[Any],
    mask: NDArray[Any] | None = None,
    *,
    interpolation: str = "linear",
    threads: int | None = None,
) -> tuple[NDArray[Any], Mask]:
    """Image seen through a warp; ``mask`` (H, W) marks what counts. See `undistort_image`."""
    if interpolation not in INTERPOLATIONS:
        known = " or ".join(INTERPOLATIONS)
        raise InputError("interpolation", f"{interpolation!r} is not {known}")
    source = _source(warp, image, mask)
    width, height = warp.size
    out = np.empty((height, width, *source.rows.shape[2:]), source.rows.dtype)
    valid = np.empty((height, width), np.uint8)
    nearest = interpolation == "nearest"
    _over_strips(
        lambda y0, y1: remap_rows(warp, source, y0, out[y0:y1], valid[y0:y1], nearest=nearest),
        height,
        threads,
    )
    return out, valid.view(np.bool_)


def remap_normals(
    warp: Warp,
    normals: NDArray[np.float32],
    valid: NDArray[Any] | None = None,
    rotation: ArrayLike | None = None,
    *,
    threads: int | None = None,
) -> tuple[NDArray[np.float32], Mask]:
    """Normal map seen through a warp; see `undistort_normals`."""
    mask = np.any(normals, axis=-1) if valid is None else valid
    source = _source(warp, normals, mask)
    width, height = warp.size
    out = np.empty((height, width, 3), np.float32)
    found = np.empty((height, width), np.uint8)
    turn = np.eye(3) if rotation is None else square(rotation, "rotation")
    _over_strips(
        lambda y0, y1: normal_rows(warp, source, y0, out[y0:y1], found[y0:y1], rotation=turn),
        height,
        threads,
    )
    return out, found.view(np.bool_)


def _size(image: NDArray[Any], name: str) -> tuple[int, int]:
    """Width and height; InputError where there are none."""
    if image.ndim < 2 or not image.size:
        raise InputError(name, f"shape {image.shape}", "give (H, W) or (H, W, 3)")
    return image.shape[1], image.shape[0]


def _source(warp: Warp, image: NDArray[Any], mask: NDArray[Any] | None) -> Source:
    if image.shape[:2] != (warp.source_size[1], warp.source_size[0]):
        expected = "x".join(map(str, warp.source_size))
        raise InputError("image", f"{image.shape[1]}x{image.shape[0]} px, expected {expected}")
    marks = None if mask is None else np.ascontiguousarray(mask)
    return Source(image if image[0].flags.c_contiguous else np.ascontiguousarray(image), marks)


def _over_strips(work: Callable[[int, int], None], rows: int, threads: int | None) -> None:
    starts = range(0, rows, STRIP_ROWS)

    def strip(y0: int) -> None:
        work(y0, min(y0 + STRIP_ROWS, rows))

    workers = min(threads or cores(), len(starts))
    if workers <= 1:
        for y0 in starts:
            strip(y0)
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(strip, starts))


def _extent(camera: Camera) -> tuple[Array, Array]:
    """Smallest and largest board x y, in mm, that the border of the image sees."""
    width, height = camera.image_size
    along = np.linspace(0, 1, _BORDER_POINTS)
    unit = np.concatenate(
        [
            np.stack(pair, axis=-1)
            for e in (0, 1)
            for pair in ((along, along * 0 + e), (along * 0 + e, along))
        ]
    )
    border, known = undistort_points(camera, unit * (width - 1, height - 1))
    inverse = np.linalg.inv(facing(board_homography(camera), camera.image_size))
    board = np.concatenate([border[known], np.ones((int(known.sum()), 1))], axis=1) @ inverse.T
    if not len(board) or board[:, 2].min() <= 1e-6 * board[:, 2].max():
        raise InputError(label(camera), "the horizon of the board's plane crosses the image")
    flat = board[:, :2] / board[:, 2:]
    if not all(math.isfinite(value) for value in flat.ravel()):
        raise InputError(label(camera), "the border of the image has no place on the board")
    return flat.min(axis=0), flat.max(axis=0)
