"""The camchain YAML of Kalibr: pinhole cameras in a chain, each placed against the one before.

Kalibr's unit is the metre, ours the millimetre. Its radtan model is k1 k2 p1 p2 of OpenCV, and its
pixel centres stand at integers, as OpenCV's do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mvps.calib.camera import Array, Camera, CameraSource
from mvps.calib.formats.losses import Holds
from mvps.calib.formats.values import (
    camera_matrix,
    checked,
    coefficients,
    frame_of,
    pose_from_matrix,
    size_pair,
    source_of,
    vector,
    yaml_text,
)
from mvps.yaml_nodes import Node, read_yaml

HOLDS = Holds(coefficients=4, skew=False, pose="relative")
MM_PER_M = 1000.0
CAMERA_MODELS = ("pinhole", "omni", "ds", "eucm")
DISTORTION_MODELS = ("radtan", "none", "equi", "equidistant", "fov")
_LINK = "T_cn_cnm1"
_MARK = re.compile(r"^cam\d+[ \t]*:[ \t]*$", re.M)
_KEY = re.compile(r"cam(\d{1,3})")

_Pose = tuple[Array, Array]


def recognises(_: Path, text: str) -> bool:
    """Whether cameras stand at the top level as cam0, cam1 and so on."""
    return _MARK.search(text) is not None and "intrinsics" in text


def read(path: Path) -> tuple[Camera, ...]:
    """Cameras of a chain in their order; the world is the first camera's frame.

    A chain of one has no pose. What concerns an inertial unit, topics and times is not read.

    Raises
    ------
    InputError
        A key is missing, the chain has a gap, or a model is not pinhole with radtan or none.
    """
    root = read_yaml(path)
    data = root.mapping()
    keys = sorted((int(match[1]), key) for key in data if (match := _KEY.fullmatch(key)))
    for i, (number, key) in enumerate(keys):
        if number != i:
            raise data[key].fault(f"cam{i} is missing before it")
    source = source_of(path)
    nodes = [data[key] for _, key in keys]
    poses = _poses(nodes)
    return tuple(_camera(node, pose, source) for node, pose in zip(nodes, poses, strict=True))


def render(cameras: Sequence[Camera], target: Path) -> dict[Path, str]:
    """Text of one chain, in the order of ``cameras``."""
    chained = len(cameras) > 1 and all(camera.rotation is not None for camera in cameras)
    lines: list[str] = []
    for i, camera in enumerate(cameras):
        K, d = camera.matrix, camera.distortion[:4]
        model = "radtan" if d.any() else "none"
        intrinsics = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
        topic = yaml_text(f"/{camera.name or f'cam{i}'}/image_raw")
        lines += [f"cam{i}:", "  camera_model: pinhole", f"  intrinsics: {_row(intrinsics)}"]
        lines += [f"  distortion_model: {model}"]
        lines += [f"  distortion_coeffs: {_row(d) if d.any() else '[]'}"]
        lines += [f"  resolution: [{camera.image_size[0]}, {camera.image_size[1]}]"]
        lines += [f"  rostopic: {topic}", "  cam_overlaps: []"]
        if chained and i:
            lines += [f"  {_LINK}:", *_link_lines(cameras[i - 1], camera)]
    return {target: "\n".join(lines) + "\n"}


def _camera(node: Node, pose: _Pose | None, source: CameraSource) -> Camera:
    data = node.mapping(required=("camera_model", "intrinsics", "distortion_model", "resolution"))
    model = data["camera_model"].choice(CAMERA_MODELS)
    if model != "pinhole":
        what = f"the camera model {model!r} is not read"
        raise data["camera_model"].fault(what, "calibrate as pinhole-radtan")
    fx, fy, cx, cy = vector(data["intrinsics"], (4,))
    rotation, translation = pose or (None, None)
    return Camera(
        matrix=camera_matrix(data["intrinsics"], fx, fy, cx, cy),
        distortion=_distortion(data, node),
        image_size=size_pair(data["resolution"]),
        rotation=rotation,
        translation=translation,
        frame_id=frame_of("kalibr", source) if pose else "",
        name=node.key,
        source=source,
    )


def _distortion(data: dict[str, Node], node: Node) -> Array:
    model = data["distortion_model"].choice(DISTORTION_MODELS)
    if model not in DISTORTION_MODELS[:2]:
        what = f"the distortion model {model!r} is not read"
        raise data["distortion_model"].fault(what, "calibrate as pinhole-radtan")
    if model == "none":
        return coefficients(())
    if "distortion_coeffs" not in data:
        raise node.fault("the key 'distortion_coeffs' is missing")
    return coefficients(vector(data["distortion_coeffs"], (4,)))


def _poses(nodes: Sequence[Node]) -> list[_Pose | None]:
    """World to camera, mm, along the chain; None for all where no link is stated."""
    links = [node.mapping().get(_LINK) for node in nodes]
    if not any(links):
        return [None] * len(nodes)
    poses: list[_Pose | None] = []
    rotation, translation = np.eye(3), np.zeros(3)
    for i, (node, link) in enumerate(zip(nodes, links, strict=True)):
        if i:
            if link is None:
                raise node.fault(f"the key {_LINK!r} is missing")
            step, shift = pose_from_matrix(link)
            rotation, translation = step @ rotation, step @ translation + MM_PER_M * shift
            checked(link, rotation=rotation, translation=translation)
        poses.append((rotation, translation))
    return poses


def _link_lines(before: Camera, camera: Camera) -> list[str]:
    from mvps.calib.transforms import relative_pose

    step, shift = relative_pose(before, camera, common_frame=True)
    rows = [[*row, t] for row, t in zip(step, shift / MM_PER_M, strict=True)]
    return [f"  - {_row(row)}" for row in [*rows, [0.0, 0.0, 0.0, 1.0]]]


def _row(values: Sequence[float] | Array) -> str:
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"
