"""Calibration: cameras, the files that state them, and the four published cameras of the rig."""

from __future__ import annotations

from pathlib import Path

from mvps.calib.camera import Camera, CameraSource
from mvps.calib.formats.detect import read_camera, read_cameras, write_cameras

__all__ = [
    "Camera",
    "CameraSource",
    "published_cameras",
    "read_camera",
    "read_cameras",
    "write_cameras",
]


def published_cameras() -> dict[str, Path]:
    """Paths of the published camera files of the Real-IAD-MVN rig by name, ``cam1`` to ``cam4``."""
    from mvps.native import resource_dir

    return {path.stem: path for path in sorted(resource_dir("calib").glob("cam*.yml"))}
