"""Calibration: cameras, their files and geometry, and the four published cameras of the rig."""

from __future__ import annotations

from pathlib import Path

from mvps.calib.camera import Camera, CameraSource
from mvps.calib.distortion import apply_polynomial, fold_radius, invert_polynomial, is_unfolded
from mvps.calib.formats.detect import read_camera, read_cameras, write_cameras
from mvps.calib.geometry import (
    Displacement,
    displacement,
    distort_points,
    field_of_view,
    pixel_grid,
    project,
    to_camera,
    to_world,
    undistort_points,
    unproject,
)
from mvps.calib.remap import (
    BoardImage,
    rectify_board,
    undistort_image,
    undistort_normals,
    warp_view,
)
from mvps.calib.transforms import (
    NORMAL_FLIP,
    bin_camera,
    board_distance,
    board_homography,
    board_points,
    board_scale,
    board_tilt,
    camera_to_board,
    crop_camera,
    homography_from_pose,
    inverse_depth_of_plane,
    pinhole,
    plane_homography,
    relative_pose,
    resize_camera,
    rotate_normals,
    rotation_between_views,
)

__all__ = [
    "NORMAL_FLIP",
    "BoardImage",
    "Camera",
    "CameraSource",
    "Displacement",
    "apply_polynomial",
    "bin_camera",
    "board_distance",
    "board_homography",
    "board_points",
    "board_scale",
    "board_tilt",
    "camera_to_board",
    "crop_camera",
    "displacement",
    "distort_points",
    "field_of_view",
    "fold_radius",
    "homography_from_pose",
    "inverse_depth_of_plane",
    "invert_polynomial",
    "is_unfolded",
    "pinhole",
    "pixel_grid",
    "plane_homography",
    "project",
    "published_cameras",
    "read_camera",
    "read_cameras",
    "rectify_board",
    "relative_pose",
    "resize_camera",
    "rotate_normals",
    "rotation_between_views",
    "to_camera",
    "to_world",
    "undistort_image",
    "undistort_normals",
    "undistort_points",
    "unproject",
    "warp_view",
    "write_cameras",
]


def published_cameras() -> dict[str, Path]:
    """Paths of the published camera files of the Real-IAD-MVN rig by name, ``cam1`` to ``cam4``."""
    from mvps.native import resource_dir

    return {path.stem: path for path in sorted(resource_dir("calib").glob("cam*.yml"))}
