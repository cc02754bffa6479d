"""Which format a calibration file has, by its content."""

from __future__ import annotations

from pathlib import Path

from mvps.calib.camera import Camera
from mvps.calib.formats.rig_yaml import is_rig_yaml, read_rig_yaml
from mvps.errors import InputError
from mvps.files import read_text
from mvps.yaml_nodes import read_yaml

_OTHERS = (
    ("%YAML:", "an OpenCV FileStorage file"),
    ("<?xml", "an XML file"),
    ("{", "a JSON file"),
    ("# Camera list", "a COLMAP cameras.txt"),
)
_REMEDY = "only the YAML of the Real-IAD-MVN rig is read so far"


def read_camera(path: str | Path) -> Camera:
    """Camera from a calibration file, its format told by its content.

    Raises
    ------
    InputError
        The file cannot be read or has a format that is not known.
    """
    path = Path(path)
    head = read_text(path).lstrip()
    for mark, kind in _OTHERS:
        if head.startswith(mark):
            raise InputError(path, f"{kind}, which is not a camera format that is read", _REMEDY)
    node = read_yaml(path)
    if not isinstance(node.value, dict) or not is_rig_yaml(node.value):
        raise InputError(path, "not a camera file (no intrinsic_matrix)", _REMEDY)
    return read_rig_yaml(path)
