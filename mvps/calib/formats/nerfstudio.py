"""transforms.json of nerfstudio: intrinsics and camera-to-world poses, one frame an image.

Pixels: nerfstudio shoots the ray of pixel (i, j) through (i + 0.5, j + 0.5) and takes 0.5 off cx
and cy before it calls OpenCV, so both grow by 0.5 on writing. Its camera looks along -z with y up:
the y and z columns change sign. Its k1 k2 k3 are the terms of r^2, r^4, r^6 and p1 p2 are OpenCV's;
its k4 is the term of r^8, which OpenCV has not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvps.calib.camera import Array, Camera, CameraSource
from mvps.calib.formats.json_nodes import read_json
from mvps.calib.formats.losses import Holds
from mvps.calib.formats.values import (
    MAX_SIDE,
    camera_matrix,
    coefficients,
    frame_of,
    pose_from_matrix,
    source_of,
)
from mvps.errors import InputError
from mvps.yaml_nodes import Node

HOLDS = Holds(coefficients=5, skew=False)
MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE")
HALF = 0.5
_FLIP = np.array([1.0, -1.0, -1.0])
_TERMS = ("k1", "k2", "p1", "p2", "k3")
_REQUIRED = ("fl_x", "cx", "cy", "w", "h")
_MARK = re.compile(r'"(frames|fl_x|transform_matrix|camera_angle_x)"\s*:')


def recognises(_: Path, text: str) -> bool:
    """Whether it is a JSON object with nerfstudio's keys."""
    return text.lstrip().startswith("{") and _MARK.search(text) is not None


def read(path: Path) -> tuple[Camera, ...]:
    """One camera a frame, with what the frame states before what the file states for all.

    ``applied_transform`` and ``applied_scale``, which tell what was done to the poses, are not
    undone. Without frames, the one camera that the file states for all, without a pose.

    Raises
    ------
    InputError
        Not JSON, a value that is missing or not a number, a camera model that is not OpenCV's, a k4
        that is not zero, or a pose that is not rigid.
    """
    root = read_json(path)
    shared = root.mapping()
    source = source_of(path)
    frames = shared["frames"].sequence() if "frames" in shared else []
    if not frames:
        return (_camera(root, shared, source),)
    return tuple(
        _camera(frame, {**shared, **frame.mapping(required=("transform_matrix",))}, source)
        for frame in frames
    )


def render(cameras: Sequence[Camera], target: Path) -> dict[Path, str]:
    """Text of one file, with intrinsics in every frame; the world's unit is mm.

    Raises
    ------
    InputError
        One of several cameras has no pose, without which there is no frame.
    """
    data: dict[str, Any] = {"camera_model": "OPENCV"}
    if len(cameras) == 1 and cameras[0].rotation is None:
        data |= _intrinsics(cameras[0]) | {"frames": []}
    else:
        data["frames"] = [_frame(camera, i) for i, camera in enumerate(cameras, start=1)]
    return {target: json.dumps(data, indent=2, allow_nan=False) + "\n"}


def _camera(node: Node, data: dict[str, Node], source: CameraSource) -> Camera:
    for key in _REQUIRED:
        if key not in data:
            raise node.fault(f"the key {key!r} is missing, here and for all frames")
    model = data.get("camera_model")
    if model is not None and model.text() not in MODELS:
        remedy = "undistort the images first"
        raise model.fault(f"the camera model {model.text()!r} is not read", remedy)
    fourth = data.get("k4")
    if fourth is not None and fourth.number():
        raise fourth.fault("k4, the term of r^8, is not read", "undistort the images first")
    fx = data["fl_x"].number()
    fy = data["fl_y"].number() if "fl_y" in data else fx
    centre = (data["cx"].number() - HALF, data["cy"].number() - HALF)
    fields: dict[str, Any] = {}
    if "transform_matrix" in data:
        fields["rotation"], fields["translation"] = _world_to_camera(data["transform_matrix"])
        fields["frame_id"] = frame_of("nerfstudio", source)
    name = data.get("file_path")
    return Camera(
        matrix=camera_matrix(data["fl_x"], fx, fy, *centre),
        distortion=coefficients(data[k].number() if k in data else 0.0 for k in _TERMS),
        image_size=(_side(data["w"]), _side(data["h"])),
        name=name.text() if name is not None and name.value else "",
        source=source,
        **fields,
    )


def _side(node: Node) -> int:
    """Whole number, which some programs write as 640.0."""
    text = node.text()
    whole = text.removesuffix(".0")
    return Node(whole, node.file, node.line, node.key).integer(1, MAX_SIDE)


def _world_to_camera(node: Node) -> tuple[Array, Array]:
    turn, centre = pose_from_matrix(node)
    rotation = (turn * _FLIP).T
    return rotation, -rotation @ centre


def _intrinsics(camera: Camera) -> dict[str, Any]:
    K = camera.matrix
    terms = dict(zip(_TERMS, camera.distortion[: len(_TERMS)].tolist(), strict=True))
    found: dict[str, Any] = {"w": int(camera.image_size[0]), "h": int(camera.image_size[1])}
    found |= {"fl_x": float(K[0, 0]), "fl_y": float(K[1, 1])}
    found |= {"cx": float(K[0, 2]) + HALF, "cy": float(K[1, 2]) + HALF}
    return found | {key: terms[key] for key in ("k1", "k2", "k3", "p1", "p2")}


def _frame(camera: Camera, number: int) -> dict[str, Any]:
    name = camera.name or f"camera{number}"
    if camera.rotation is None:
        what = "has no rotation and translation, which a frame of transforms.json must hold"
        raise InputError(name, what, "leave it out, or choose another format")
    pose = np.eye(4)
    pose[:3, :3] = camera.rotation.T * _FLIP
    pose[:3, 3] = camera.centre()
    return {"file_path": name, **_intrinsics(camera), "transform_matrix": pose.tolist()}
