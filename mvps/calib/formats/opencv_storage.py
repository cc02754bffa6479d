"""YAML and XML of OpenCV's FileStorage, under the key names that people use.

OpenCV itself writes ``%YAML:1.0``, which is no YAML directive, and tags its matrices; both are
taken for what they are here, and nothing else that YAML or XML could do is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from mvps.calib.camera import Array, Camera, CameraSource
from mvps.calib.formats.losses import Holds
from mvps.calib.formats.values import (
    MAX_SIDE,
    checked,
    coefficients,
    frame_of,
    matrix,
    numbers,
    rotation_from_vector,
    size_pair,
    source_of,
    vector,
)
from mvps.calib.formats.xml_nodes import read_xml
from mvps.files import read_text
from mvps.yaml_nodes import Node, parse_yaml

HOLDS = Holds(homography=True, frames=True, many=False)
COUNTS = (4, 5, 8, 12, 14)
# Names of the camera matrix, of the distortion beside it, and of the camera: by itself or as one
# of a stereo pair.
PAIRS: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        ("camera_matrix", "cameraMatrix", "Camera_Matrix", "intrinsic_matrix", "mtx", "K"),
        (
            "distortion_coefficients",
            "distCoeffs",
            "Distortion_Coefficients",
            "dist_coeffs",
            "dist_coeff",
            "dist",
            "D",
        ),
        "",
    ),
    (("M1", "K1", "cameraMatrix1"), ("D1", "distCoeffs1"), "camera1"),
    (("M2", "K2", "cameraMatrix2"), ("D2", "distCoeffs2"), "camera2"),
)
WIDTH = ("image_width", "image_Width", "imageWidth", "width")
HEIGHT = ("image_height", "image_Height", "imageHeight", "height")
SIZE = ("image_size", "imageSize")
ROTATION = ("R", "rvec", "rotation", "rotation_matrix")
TRANSLATION = ("T", "t", "tvec", "translation")

_QUOTES = {'"': "&quot;", "'": "&apos;"}
_TAG = re.compile(r"^([^#\n]*?:[ \t]+)!!opencv-(?:nd-)?matrix[ \t]*$", re.M)
_HEADER = re.compile(r"\A%YAML[: ]\d\.\d[ \t]*\n")
_NAMES = "|".join(name for matrices, _, _ in PAIRS for name in matrices)
_KEY = re.compile(rf"^(?:{_NAMES})[ \t]*:", re.M)


@dataclass(frozen=True)
class _Found:
    """The keys of one file, and where it comes from."""

    data: dict[str, Node]
    root: Node
    source: CameraSource

    def one_of(self, names: Sequence[str], *, required: bool = False) -> Node | None:
        present = [name for name in names if name in self.data]
        if len(present) > 1:
            raise self.data[present[1]].fault(f"stands beside {present[0]!r}", "keep one of them")
        if not present and required:
            raise self.root.fault(
                f"the key {names[0]!r} is missing", "known are " + ", ".join(names)
            )
        return self.data[present[0]] if present else None


def recognises(_: Path, text: str) -> bool:
    """Whether OpenCV's header, tag or root element is there, or a camera matrix by its names."""
    start = text.lstrip()
    if start.startswith("<"):
        return "<opencv_storage" in text or start.startswith("<?xml")
    return start.startswith("%YAML") or bool(_TAG.search(text) or _KEY.search(text))


def read(path: Path) -> tuple[Camera, ...]:
    """The camera of a file, or the two of a stereo pair (M1, D1, M2, D2 with R and T between).

    Raises
    ------
    InputError
        A key is missing, stands under two names, or holds what it should not; the distortion has
        not 4, 5, 8 or 12 terms (or 14 without tilt); the model is a fisheye.
    """
    text = read_text(path)
    if text.lstrip().startswith("<"):
        root = read_xml(path)
    else:
        # Same lines, without what is not YAML: a directive of OpenCV's own, and its tags.
        root = parse_yaml(_TAG.sub(r"\1", _HEADER.sub("\n", text, count=1)), path)
    found = _Found(root.mapping(), root, source_of(path))
    _refuse_fisheye(found)
    cameras = [
        _camera(found, matrices, distortions, name)
        for matrices, distortions, name in PAIRS
        if any(key in found.data for key in matrices)
    ]
    if not cameras:
        raise root.fault("no camera matrix", "known are " + ", ".join(_NAMES.split("|")))
    return tuple(cameras)


def render(cameras: Sequence[Camera], target: Path) -> dict[Path, str]:
    """Text of one file, XML where the target ends in .xml, else YAML."""
    (camera,) = cameras
    names = {"camera_name": camera.name, "frame_id": camera.frame_id}
    texts = {k: "".join(c if c.isprintable() else "_" for c in v) for k, v in names.items()}
    count = next(n for n in (5, 8, 12) if not camera.distortion[n:].any())
    arrays: dict[str, Array] = {
        "camera_matrix": camera.matrix,
        "distortion_coefficients": camera.distortion[None, :count],
    }
    if camera.rotation is not None and camera.translation is not None:
        arrays |= {"R": camera.rotation, "T": camera.translation[:, None]}
    if camera.homography is not None:
        arrays["homography"] = camera.homography
    write = _xml if target.suffix.lower() == ".xml" else _yaml
    return {target: write({k: v for k, v in texts.items() if v}, camera.image_size, arrays)}


def _camera(
    found: _Found, matrices: Sequence[str], distortions: Sequence[str], name: str
) -> Camera:
    K_node = found.one_of(matrices, required=True)
    D_node = found.one_of(distortions, required=True)
    assert K_node is not None
    assert D_node is not None
    K = matrix(K_node, (3, 3))
    checked(K_node, matrix=K)
    fields: dict[str, Any] = {"name": name}
    for key, attribute in (("camera_name", "name"), ("frame_id", "frame_id")):
        if key in found.data and not name:
            fields[attribute] = found.data[key].text()
    if not name and "homography" in found.data:
        fields["homography"] = matrix(found.data["homography"], (3, 3))
        checked(found.data["homography"], homography=fields["homography"])
    return Camera(
        matrix=K,
        distortion=_distortion(D_node),
        image_size=_image_size(found),
        source=found.source,
        **_pose(found, name),
        **fields,
    )


def _distortion(node: Node) -> Array:
    values = vector(node, COUNTS)
    if len(values) == 14 and values[12:].any():
        what = f"the tilt tau = {values[12]:g}, {values[13]:g} of the sensor is not read"
        raise node.fault(what, "calibrate without CALIB_TILTED_MODEL")
    return coefficients(values[:12])


def _image_size(found: _Found) -> tuple[int, int]:
    both = found.one_of(SIZE)
    if both is not None:
        return size_pair(both)
    width, height = found.one_of(WIDTH), found.one_of(HEIGHT)
    if width is None or height is None:
        remedy = "add image_width and image_height, in px"
        raise found.root.fault("the image size is missing", remedy)
    return width.integer(1, MAX_SIDE), height.integer(1, MAX_SIDE)


def _pose(found: _Found, name: str) -> dict[str, Any]:
    """World to camera; the world of a stereo pair is its first camera."""
    turn, shift = found.one_of(ROTATION), found.one_of(TRANSLATION)
    if (turn is None) != (shift is None):
        present = turn or shift
        assert present is not None
        raise present.fault("rotation and translation go together")
    if turn is None or shift is None:
        return {}
    values = numbers(turn)
    rotation = rotation_from_vector(np.array(values)) if len(values) == 3 else matrix(turn, (3, 3))
    translation = vector(shift, (3,))
    checked(turn, rotation=rotation, translation=translation)
    if name == PAIRS[1][2]:
        rotation, translation = np.eye(3), np.zeros(3)
    pose: dict[str, Any] = {"rotation": rotation, "translation": translation}
    if name or "frame_id" not in found.data:
        pose["frame_id"] = frame_of("opencv", found.source)
    return pose


def _refuse_fisheye(found: _Found) -> None:
    node = found.data.get("fisheye_model")
    if node is not None and node.text() != "0":
        raise node.fault("a fisheye camera is not read", "calibrate with the pinhole model")


def _yaml(texts: dict[str, str], size: tuple[int, int], arrays: dict[str, Array]) -> str:
    lines = ["%YAML:1.0", "---"]
    lines += [f"{key}: {json.dumps(text, ensure_ascii=False)}" for key, text in texts.items()]
    lines += [f"image_width: {size[0]}", f"image_height: {size[1]}"]
    for key, array in arrays.items():
        rows, cols = array.shape
        data = ",\n       ".join(", ".join(map(repr, row)) for row in array.tolist())
        lines += [f"{key}: !!opencv-matrix", f"   rows: {rows}", f"   cols: {cols}", "   dt: d"]
        lines.append(f"   data: [ {data} ]")
    return "\n".join(lines) + "\n"


def _xml(texts: dict[str, str], size: tuple[int, int], arrays: dict[str, Array]) -> str:
    lines = ['<?xml version="1.0"?>', "<opencv_storage>"]
    for key, text in texts.items():
        lines.append(f'<{key}>"{escape(text, _QUOTES)}"</{key}>')
    lines += [f"<image_width>{size[0]}</image_width>", f"<image_height>{size[1]}</image_height>"]
    for key, array in arrays.items():
        rows, cols = array.shape
        lines += [f'<{key} type_id="opencv-matrix">', f"  <rows>{rows}</rows>"]
        lines += [f"  <cols>{cols}</cols>", "  <dt>d</dt>", "  <data>"]
        lines += ["    " + " ".join(map(repr, row)) for row in array.tolist()]
        lines[-1] += f"</data></{key}>"
    return "\n".join([*lines, "</opencv_storage>"]) + "\n"
