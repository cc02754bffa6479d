"""The pixels and the frame of the maps of one stack: as the camera saw them, or as was asked for.

Solving raw pixels and resampling the normals equals solving undistorted photographs up to the
interpolation: distortion moves every photograph of a stack alike, so the samples that belong to one
direction of view stay together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvps.calib import Camera
from mvps.calib.camera import Array
from mvps.calib.fit import AS_CALIBRATED
from mvps.calib.transforms import bin_camera, camera_to_board, crop_camera, pinhole
from mvps.capture import Stack
from mvps.errors import InputError
from mvps.images import Window
from mvps.pipeline.options import RunOptions

CAMERA_AXES = "x right, y up, z towards the camera, then the signs of the convention"
BOARD_AXES = "those of the calibration board, whose published z points away from the camera"
BOARD_UP_AXES = "those of the calibration board turned about x, so that z points to the camera"


@dataclass(frozen=True, eq=False)
class MapView:
    """Grid and frame of the maps of one stack.

    Attributes
    ----------
    camera : of the solved pixels, after region of interest and binning, or None
    undistort : whether the maps are resampled to the camera's undistorted pixels
    frame : "camera" or "board", the frame of the written normals
    board_up : whether the board's frame is turned so that its z points to the camera
    """

    camera: Camera | None = None
    undistort: bool = False
    frame: str = "camera"
    board_up: bool = False

    @classmethod
    def of(cls, stack: Stack, window: Window, options: RunOptions) -> MapView:
        """View of an inspected stack, whose camera is that of its raw images.

        Raises
        ------
        InputError
            What is asked for needs a camera, or a pose of it, that is not there.
        """
        camera = stack.camera
        if camera is not None and camera.image_size == (
            stack.infos[0].width,
            stack.infos[0].height,
        ):
            camera = crop_camera(camera, window.x, window.y, window.width, window.height)
            camera = bin_camera(camera, options.bin)
        view = cls(camera, options.undistort, options.frame, options.board_up)
        wish = "--undistort" if options.undistort else f"--frame {options.frame}"
        if stack.camera_fit != AS_CALIBRATED:
            wish = "--camera-crop, --camera-bin, --camera-scale"
        if camera is None and (view.changes or stack.camera_fit != AS_CALIBRATED):
            remedy = "state one in rig.yml (camera:) or with --camera FILE"
            raise InputError(wish, f"{stack.title} has no camera", remedy)
        view.rotation()
        return view

    @property
    def changes(self) -> bool:
        """Whether solved rows have to be resampled or turned."""
        return self.undistort or self.frame != "camera"

    def rotation(self) -> Array | None:
        """(3, 3) that takes solved normals to the frame of the maps, or None where they are.

        Raises
        ------
        InputError
            The camera has no pose.
        """
        if self.frame == "camera" or self.camera is None:
            return None
        return camera_to_board(self.camera, self.board_up)

    def statement(self) -> dict[str, Any]:
        """What a map says of itself beyond encoding and convention."""
        said: dict[str, Any] = {"frame": self.frame}
        if self.frame == "board" and self.camera is not None:
            said |= {"frame_id": self.camera.frame_id, "board_up": self.board_up}
        return said | ({"undistorted": True} if self.undistort else {})

    def axes(self) -> str:
        """The frame of the maps in words."""
        if self.frame == "camera":
            return CAMERA_AXES
        return BOARD_UP_AXES if self.board_up else BOARD_AXES

    def digest(self) -> str | None:
        """SHA-256 over the numbers of the camera, None without one."""
        if self.camera is None:
            return None
        camera, digest = self.camera, hashlib.sha256()
        arrays = (camera.matrix, camera.distortion, camera.rotation, camera.translation)
        for array in (*arrays, camera.homography, np.array(camera.image_size)):
            digest.update(b"-" if array is None else array.tobytes())
        digest.update(f"{camera.distortion_direction} {camera.frame_id}".encode())
        return digest.hexdigest()

    def as_dict(self, stack: Stack) -> dict[str, Any] | None:
        """Plain JSON types, for the record: the file, what was done, the camera of the maps."""
        if self.camera is None:
            return None
        camera = pinhole(self.camera) if self.undistort else self.camera
        fit = stack.camera_fit
        pose = camera.rotation, camera.translation
        return {
            "path": camera.source.path,
            "sha256": camera.source.sha256,
            "name": camera.name,
            "frame_id": camera.frame_id,
            "crop": None if fit.crop is None else list(fit.crop),
            "bin": fit.bin,
            "scaled": fit.scale,
            "applied": "undistorted" if self.undistort else "no",
            "size": list(camera.image_size),
            "matrix": camera.matrix.tolist(),
            "distortion": camera.distortion.tolist(),
            "distortion_direction": camera.distortion_direction,
            "rotation": None if pose[0] is None else pose[0].tolist(),
            "translation": None if pose[1] is None else pose[1].tolist(),
        }


AS_SEEN = MapView()
