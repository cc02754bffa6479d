"""The calibration formats, in the order in which a file is asked whether it is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvps.calib.camera import Camera
from mvps.calib.formats import (
    colmap,
    kalibr,
    mvps_yaml,
    nerfstudio,
    opencv_storage,
    rig_yaml,
    ros,
)
from mvps.calib.formats.losses import Holds, lost


@dataclass(frozen=True)
class CameraFormat:
    """One calibration format.

    Attributes
    ----------
    name : the word for it on the command line
    title : what people call it
    file_name : name of its file in a folder; ``{name}`` is the camera's, empty where it is a folder
    holds : what it keeps of a camera
    recognises : whether a path with this text (empty for a folder) is of the format
    reader : cameras of a path; call :meth:`read`
    render : texts of the files that ``cameras`` make at a target
    """

    name: str
    title: str
    file_name: str
    holds: Holds
    recognises: Callable[[Path, str], bool]
    reader: Callable[[Path], tuple[Camera, ...]]
    render: Callable[[Sequence[Camera], Path], dict[Path, str]]

    def read(self, path: Path) -> tuple[Camera, ...]:
        """Cameras of a path, which is of this format.

        Raises
        ------
        InputError
            One line that names file and line.
        """
        # A sum or product beyond float64 ends as a value that is not finite, which is refused.
        with np.errstate(over="ignore", invalid="ignore"):
            return self.reader(path)

    def losses(self, cameras: Sequence[Camera]) -> tuple[str, ...]:
        """What of ``cameras`` the format cannot hold, one phrase a loss."""
        return lost(cameras, self.holds)


def _format(name: str, title: str, file_name: str, module: object) -> CameraFormat:
    parts = [getattr(module, key) for key in ("HOLDS", "recognises", "read", "render")]
    return CameraFormat(name, title, file_name, *parts)


FORMATS: dict[str, CameraFormat] = {
    entry.name: entry
    for entry in (
        _format("mvps", "mvps camera YAML", "cameras.yml", mvps_yaml),
        _format("rig", "YAML of the Real-IAD-MVN rig", "{name}.yml", rig_yaml),
        _format("ros", "ROS camera_info YAML", "{name}.yaml", ros),
        _format("opencv", "OpenCV YAML or XML", "{name}.yml", opencv_storage),
        _format("kalibr", "Kalibr camchain YAML", "camchain.yaml", kalibr),
        _format("nerfstudio", "nerfstudio transforms.json", "transforms.json", nerfstudio),
        _format("colmap", "COLMAP text", "", colmap),
    )
}
