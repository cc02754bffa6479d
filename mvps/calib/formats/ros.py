"""The YAML of ROS camera_info, as camera_calibration writes it (REP 104).

Models: plumb_bob (k1 k2 p1 p2 k3) and rational_polynomial (and k4 k5 k6), which are OpenCV's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mvps.calib.camera import Array, Camera
from mvps.calib.formats.losses import Holds
from mvps.calib.formats.values import (
    MAX_SIDE,
    checked,
    coefficients,
    matrix,
    source_of,
    vector,
    yaml_text,
)
from mvps.yaml_nodes import Node, read_yaml

HOLDS = Holds(coefficients=8, pose="none", many=False)
MODELS = {"plumb_bob": (4, 5), "rational_polynomial": (8,)}
_REQUIRED = (
    "image_width",
    "image_height",
    "camera_matrix",
    "distortion_model",
    "distortion_coefficients",
)
_MARK = re.compile(r"^(camera_matrix|distortion_model|projection_matrix|camera_name)[ \t]*:", re.M)


def recognises(_: Path, text: str) -> bool:
    """Whether a camera matrix stands beside a distortion model or what else ROS names."""
    found = set(_MARK.findall(text))
    return "camera_matrix" in found and len(found) > 1 and "!!opencv" not in text


def read(path: Path) -> tuple[Camera, ...]:
    """The camera of a file; rectification and projection, which follow from others, are not read.

    Raises
    ------
    InputError
        A key is missing, a matrix has another shape, or the model is a fisheye or unknown.
    """
    data = read_yaml(path).mapping(required=_REQUIRED)
    K = matrix(data["camera_matrix"], (3, 3))
    checked(data["camera_matrix"], matrix=K)
    camera = Camera(
        matrix=K,
        distortion=_distortion(data["distortion_model"], data["distortion_coefficients"]),
        image_size=(
            data["image_width"].integer(1, MAX_SIDE),
            data["image_height"].integer(1, MAX_SIDE),
        ),
        name=data["camera_name"].text() if "camera_name" in data else "",
        source=source_of(path),
    )
    return (camera,)


def render(cameras: Sequence[Camera], target: Path) -> dict[Path, str]:
    """Text of one file, with an identity rectification and the projection [K 0]."""
    (camera,) = cameras
    rational = camera.distortion[5:8].any()
    model, count = ("rational_polynomial", 8) if rational else ("plumb_bob", 5)
    projection = np.column_stack([camera.matrix, np.zeros(3)])
    lines = [f"image_width: {camera.image_size[0]}", f"image_height: {camera.image_size[1]}"]
    lines.append(f"camera_name: {yaml_text(camera.name or 'camera')}")
    lines += _matrix_lines("camera_matrix", camera.matrix)
    lines.append(f"distortion_model: {model}")
    lines += _matrix_lines("distortion_coefficients", camera.distortion[None, :count])
    lines += _matrix_lines("rectification_matrix", np.eye(3))
    lines += _matrix_lines("projection_matrix", projection)
    return {target: "\n".join(lines) + "\n"}


def _distortion(model: Node, values: Node) -> Array:
    name = model.text()
    if name in ("equidistant", "fisheye"):
        raise model.fault(f"the fisheye model {name!r} is not read", "calibrate as plumb_bob")
    return coefficients(vector(values, MODELS[model.choice(MODELS)]))


def _matrix_lines(key: str, values: Array) -> list[str]:
    rows, cols = values.shape
    data = ", ".join(map(repr, values.ravel().tolist()))
    return [f"{key}:", f"  rows: {rows}", f"  cols: {cols}", f"  data: [{data}]"]
