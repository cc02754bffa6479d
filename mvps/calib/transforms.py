"""Cameras of changed images, and the maps between board, pixels, cameras and normal frames.

Zhang, TPAMI 2000 (board homography); Hartley and Zisserman 2004, chapter 13 (plane-induced
homography). OpenCV's geometry; normals are in the frame of mvps.frames (x right, y up, z to the
camera).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.calib.camera import Array, Camera
from mvps.calib.geometry import label, normalise, pose, undistort_points, undistortion_jacobian
from mvps.errors import InputError

NORMAL_FLIP = np.diag([1.0, -1.0, -1.0])
NORMAL_FLIP.setflags(write=False)
BOARD = (0.0, 0.0, 1.0, 0.0)


def resize_camera(camera: Camera, size: tuple[int, int], *, allow_aspect: bool = False) -> Camera:
    """Camera of its image resized to ``size`` (width, height); c becomes s (c + 0.5) - 0.5.

    Raises
    ------
    InputError
        The aspect ratio changes by more than a pixel and ``allow_aspect`` is not set.
    """
    width, height = camera.image_size
    if min(size) < 1:
        raise InputError(label(camera), f"cannot be resized to {size[0]} x {size[1]}")
    sx, sy = size[0] / width, size[1] / height
    off = min(abs(height * sx - size[1]), abs(width * sy - size[0]))
    if off > 1 and not allow_aspect:
        raise InputError(
            label(camera),
            f"is for {width} x {height}; {size[0]} x {size[1]} has another aspect ratio",
            "crop first, or allow the change",
        )
    return _rescaled(camera, (sx, sy), (size[0], size[1]))


def bin_camera(camera: Camera, n: int) -> Camera:
    """Camera of its image binned n x n; pixels left over at the right and bottom are dropped.

    Raises
    ------
    InputError
        ``n`` is not positive, or larger than the image.
    """
    width, height = camera.image_size
    if n < 1 or n > min(width, height):
        raise InputError(label(camera), f"{width} x {height} cannot be binned by {n}")
    return _rescaled(camera, (1 / n, 1 / n), (width // n, height // n))


def crop_camera(camera: Camera, x: int, y: int, width: int, height: int) -> Camera:
    """Camera of the part of its image that begins at pixel (x, y).

    Raises
    ------
    InputError
        The part is empty or not inside the image.
    """
    w, h = camera.image_size
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > w or y + height > h:
        raise InputError(
            label(camera), f"{width} x {height} at {x}, {y} is not inside its image of {w} x {h}"
        )
    shift = np.array([[1.0, 0, -x], [0, 1, -y], [0, 0, 1]])
    return _mapped(camera, shift, (width, height))


def pinhole(
    camera: Camera, matrix: ArrayLike | None = None, size: tuple[int, int] | None = None
) -> Camera:
    """Camera without distortion that stands where ``camera`` does: the one of undistorted images.

    Its homography is the camera's, adapted where ``matrix`` differs from the camera's.

    Parameters
    ----------
    matrix : (3, 3), the camera's own when None
    size : (width, height), the camera's own when None
    """
    K = camera.matrix if matrix is None else np.asarray(matrix, dtype=np.float64)
    plain = replace(camera, distortion=np.zeros(12), image_size=size or camera.image_size)
    return plain if matrix is None else _mapped(plain, K @ np.linalg.inv(camera.matrix), None, K)


def homography_from_pose(camera: Camera) -> Array:
    """K [r1 r2 t] / tz (3, 3): board mm (x, y, 1) to undistorted px.

    Raises
    ------
    InputError
        The camera has no pose, or the board's origin lies in the plane of its centre.
    """
    rotation, translation = pose(camera)
    columns = np.stack([rotation[:, 0], rotation[:, 1], translation], axis=1)
    with np.errstate(all="ignore"):
        found = np.asarray(camera.matrix @ columns / translation[2], dtype=np.float64)
    if not np.isfinite(found).all():
        raise InputError(label(camera), "the origin of its board is not in front of it")
    return found


def board_homography(camera: Camera) -> Array:
    """(3, 3) board mm to undistorted px: what the file states, else from matrix and pose.

    Raises
    ------
    InputError
        There is neither.
    """
    return homography_from_pose(camera) if camera.homography is None else camera.homography


def board_points(camera: Camera, pixels: ArrayLike) -> Array:
    """Points (..., 2) mm of the board that undistorted pixels (..., 2) see, by the homography.

    Infinite or meaningless beyond the horizon of the board: see :func:`inverse_depth_of_plane`.

    Raises
    ------
    InputError
        The camera has neither homography nor pose.
    """
    return _perspective(np.linalg.inv(board_homography(camera)), pixels)


def board_scale(camera: Camera, pixels: ArrayLike | None = None, *, raw: bool = False) -> Array:
    """Micrometres on the board that one step of a pixel in x and in y covers.

    The lengths of the two columns of the derivative of :func:`board_points`, times 1000. On a
    tilted board they differ, and they hold at that pixel alone.

    Parameters
    ----------
    pixels : (..., 2) undistorted px, or raw px where ``raw``; None for the middle of the image
    raw : steps are of raw pixels, so the distortion counts

    Returns
    -------
    (..., 2) float64 um per px, NaN where a raw pixel cannot be undistorted

    Raises
    ------
    InputError
        The camera has neither homography nor pose.
    """
    px = _middle(camera) if pixels is None else np.asarray(pixels, dtype=np.float64)
    places = undistort_points(camera, px)[0] if raw else px
    inverse = np.linalg.inv(board_homography(camera))
    board = _perspective(inverse, places)
    depth = places @ inverse[2, :2] + inverse[2, 2]
    slope = inverse[:2, :2] - board[..., :, None] * inverse[2, :2]
    slope = slope / depth[..., None, None]
    if raw:
        slope = slope @ undistortion_jacobian(camera, px)
    return np.asarray(1000 * np.linalg.norm(slope, axis=-2), dtype=np.float64)


def board_distance(camera: Camera, pixels: ArrayLike | None = None) -> Array:
    """Distance (...) mm to the board along the rays of undistorted pixels (..., 2).

    The middle of the image when None; by the pose. Infinite where a ray does not meet the board in
    front of the camera.

    Raises
    ------
    InputError
        The camera has no pose or lies in the plane of the board.
    """
    px = _middle(camera) if pixels is None else np.asarray(pixels, dtype=np.float64)
    row = inverse_depth_of_plane(camera)
    length = np.linalg.norm(normalise(camera.matrix, px), axis=-1)
    nearness = np.maximum(px @ row[:2] + row[2], 0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.hypot(length, 1) / nearness, dtype=np.float64)


def board_tilt(camera: Camera) -> float:
    """Degrees between the optical axis and the normal of the board, 0 to 90; needs a pose."""
    axis = pose(camera)[0][2]
    return float(np.degrees(np.arctan2(np.hypot(axis[0], axis[1]), abs(axis[2]))))


def relative_pose(a: Camera, b: Camera, *, common_frame: bool = False) -> tuple[Array, Array]:
    """Rotation (3, 3) and translation (3,) mm from coordinates of camera ``a`` to those of ``b``.

    Raises
    ------
    InputError
        A pose is missing, or nothing says that the two share a world frame (``frame_id`` is empty
        or differs) and ``common_frame`` does not state it.
    """
    (Ra, ta), (Rb, tb) = pose(a), pose(b)
    if not common_frame and (not a.frame_id or a.frame_id != b.frame_id):
        raise InputError(
            f"{label(a)} and {label(b)}",
            f"share no world frame ({a.frame_id or 'none'}, {b.frame_id or 'none'})",
            "state a common frame only where their boards are one and the same",
        )
    rotation = Rb @ Ra.T
    return np.asarray(rotation, dtype=np.float64), np.asarray(tb - rotation @ ta, dtype=np.float64)


def rotation_between_views(a: Camera, b: Camera, *, common_frame: bool = False) -> Array:
    """(3, 3) that takes normals of view ``a`` to those of view ``b``; raises as relative_pose."""
    rotation, _ = relative_pose(a, b, common_frame=common_frame)
    return np.asarray(NORMAL_FLIP @ rotation @ NORMAL_FLIP, dtype=np.float64)


def camera_to_board(camera: Camera, board_up: bool = False) -> Array:
    """(3, 3) that takes normals of the camera frame (x right, y up, z to it) to the board's.

    R' diag(1, -1, -1). The published boards have z pointing away from the camera, so a facing
    board has the normal (0, 0, -1); ``board_up`` turns it about x, diag(1, -1, -1) R' diag(1, -1,
    -1), to (0, 0, 1).

    Raises
    ------
    InputError
        The camera has no pose.
    """
    rotation, _ = pose(camera)
    turned = rotation.T @ NORMAL_FLIP
    return np.asarray(NORMAL_FLIP @ turned if board_up else turned, dtype=np.float64)


def rotate_normals(normals: ArrayLike, rotation: ArrayLike) -> NDArray[np.float32]:
    """Normals (..., 3) turned by ``rotation`` (3, 3) and made unit length again, float32.

    Zero, which stands for a pixel without a normal, stays zero; so does one that is not finite.
    """
    array = np.asarray(normals, dtype=np.float32)
    turned = array @ np.asarray(rotation, dtype=np.float32).T
    length = np.linalg.norm(turned, axis=-1, keepdims=True)
    known = np.isfinite(length) & (length > 0)
    out = np.zeros_like(turned)
    np.divide(turned, length, out=out, where=known)
    return out


def plane_homography(
    source: Camera,
    target: Camera,
    plane: tuple[float, float, float, float] = BOARD,
    *,
    common_frame: bool = False,
) -> Array:
    """(3, 3) undistorted px of ``target`` to those of ``source`` by way of a plane n.X = d.

    K_s (R + t n_t' / d_t) K_t^-1 with the plane in target coordinates. Its scale is kept: for a
    pixel (u, v, 1) whose point of the plane lies in front of the target
    (:func:`inverse_depth_of_plane` positive), the third component of the product has the sign of
    the depth in the source. A pixel is seen by both where both are positive.

    Parameters
    ----------
    plane : nx ny nz d in the world frame, mm; the board by default

    Raises
    ------
    InputError
        As relative_pose; a camera lies in the plane; or the two see opposite sides of it.
    """
    rotation, translation = relative_pose(target, source, common_frame=common_frame)
    _, there = _plane_in_camera(source, plane)
    normal, here = _plane_in_camera(target, plane)
    if here * there < 0:
        raise InputError(f"{label(source)} and {label(target)}", "see opposite sides of the plane")
    middle = rotation + np.outer(translation, normal) / here
    return np.asarray(source.matrix @ middle @ np.linalg.inv(target.matrix), dtype=np.float64)


def inverse_depth_of_plane(
    camera: Camera, plane: tuple[float, float, float, float] = BOARD
) -> Array:
    """(3,) whose product with an undistorted pixel (u, v, 1) is 1 / depth of the plane there.

    In 1/mm; negative or zero where the plane is not in front of the camera.

    Raises
    ------
    InputError
        The camera has no pose or lies in the plane.
    """
    normal, distance = _plane_in_camera(camera, plane)
    return np.asarray(normal @ np.linalg.inv(camera.matrix) / distance, dtype=np.float64)


def _plane_in_camera(
    camera: Camera, plane: tuple[float, float, float, float]
) -> tuple[Array, float]:
    """Unit normal and distance of a plane of the world in camera coordinates."""
    rotation, translation = pose(camera)
    values = np.asarray(plane, dtype=np.float64)
    length = float(np.linalg.norm(values[:3]))
    if values.shape != (4,) or not np.isfinite(values).all() or length == 0:
        raise InputError("plane", f"{plane} is not nx ny nz d with a normal")
    normal = rotation @ (values[:3] / length)
    distance = float(values[3]) / length + float(normal @ translation)
    if abs(distance) < 1e-9:
        raise InputError(label(camera), "lies in the plane")
    return normal, distance


def _middle(camera: Camera) -> Array:
    return (np.array(camera.image_size, dtype=np.float64) - 1) / 2


def _perspective(matrix: ArrayLike, points: ArrayLike) -> Array:
    matrix = np.asarray(matrix, dtype=np.float64)
    flat = np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(flat[..., :2] / flat[..., 2:], dtype=np.float64)


def _rescaled(camera: Camera, scale: tuple[float, float], size: tuple[int, int]) -> Camera:
    sx, sy = scale
    change = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
    return _mapped(camera, change, size)


def _mapped(
    camera: Camera, change: Array, size: tuple[int, int] | None, matrix: Array | None = None
) -> Camera:
    """Camera of an image whose pixels are those of ``camera`` mapped by ``change`` (3, 3)."""
    H = camera.homography
    return replace(
        camera,
        matrix=change @ camera.matrix if matrix is None else matrix,
        homography=None if H is None else change @ H,
        image_size=size or camera.image_size,
    )
