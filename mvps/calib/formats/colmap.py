"""The text of COLMAP: cameras.txt, with images.txt beside it for the poses.

COLMAP puts the centre of the first pixel at (0.5, 0.5), so cx and cy grow by 0.5 on writing. Its
poses take the world to the camera; the world's unit is whatever it is: mm here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mvps.calib.camera import Array, Camera, CameraSource
from mvps.calib.formats.losses import Holds
from mvps.calib.formats.values import (
    MAX_SIDE,
    camera_matrix,
    checked,
    coefficients,
    frame_of,
    quaternion_from_rotation,
    rotation_from_quaternion,
    source_of,
)
from mvps.errors import InputError
from mvps.files import read_text
from mvps.numbers import parse_number
from mvps.yaml_nodes import Node, did_you_mean

HOLDS = Holds(coefficients=8, skew=False)
CAMERAS, IMAGES, POINTS = "cameras.txt", "images.txt", "points3D.txt"
# Parameters of a model after its focal lengths and principal point, in COLMAP's order.
MODELS: dict[str, tuple[str, ...]] = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
}
UNREAD = (
    "OPENCV_FISHEYE",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
    "THIN_PRISM_FISHEYE",
    "RAD_TAN_THIN_PRISM_FISHEYE",
    "FOV",
    "SIMPLE_DIVISION",
    "DIVISION",
)
HALF = 0.5
_LENGTH_TOLERANCE = 1e-3  # of a quaternion, which older versions wrote with few digits
_LINE = re.compile(r"\d+\s+[A-Z][A-Z_]+\s+\d+\s+\d+(\s|$)")
_TWO_LINES = "each image has a second line, empty without points"
_ORDER = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")


@dataclass(frozen=True)
class _Row:
    """Words of one line of a file."""

    words: list[Node]
    node: Node

    def fault(self, what: str, remedy: str = "") -> InputError:
        return self.node.fault(what, remedy)


def recognises(path: Path, text: str) -> bool:
    """Whether the first line that is no comment says camera, model and size."""
    if path.is_dir():
        return (path / CAMERAS).is_file()
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return bool(_LINE.match(first)) or text.lstrip().startswith("# Camera list")


def read(path: Path) -> tuple[Camera, ...]:
    """One camera an image, in the file's order, then the cameras without images.

    Parameters
    ----------
    path : cameras.txt or its folder; images.txt is read where it stands beside it

    Raises
    ------
    InputError
        A line has another count of words, a number is not one, a model is not read, an image names
        no camera, or a camera is listed twice.
    """
    path = path / CAMERAS if path.is_dir() else path
    source = source_of(path)
    cameras: dict[str, Camera] = {}
    for row in _rows(path):
        key, camera = _camera(row, source)
        if key in cameras:
            raise row.fault(f"camera {key} is listed twice")
        cameras[key] = camera
    if not cameras:
        raise InputError(path, "lists no camera")
    images = path.with_name(IMAGES)
    posed, used = (
        _images(images, cameras, frame_of("colmap", source)) if images.exists() else ([], set())
    )
    return (*posed, *(camera for key, camera in cameras.items() if key not in used))


def render(cameras: Sequence[Camera], target: Path) -> dict[Path, str]:
    """Texts of cameras.txt, images.txt and an empty points3D.txt in the folder ``target``."""
    listed = ["# Camera list with one line of data per camera:"]
    listed.append("#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]")
    images = ["# Image list with two lines of data per image:"]
    images.append("#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME")
    images.append("#   POINTS2D[] as (X, Y, POINT3D_ID)")
    for number, camera in enumerate(cameras, start=1):
        model, values = _model(camera)
        size = f"{camera.image_size[0]} {camera.image_size[1]}"
        listed.append(f"{number} {model} {size} {_words(values)}")
        if camera.rotation is not None and camera.translation is not None:
            pose = [*quaternion_from_rotation(camera.rotation), *camera.translation]
            # A file's name may hold bytes that are no text, which no text can spell.
            spelt = camera.name.encode("utf-8", "replace").decode("utf-8")
            name = "_".join(spelt.split()) or f"camera{number}"
            images += [f"{number} {_words(pose)} {number} {name}", ""]
    points = "# 3D point list, empty\n"
    return {
        target / CAMERAS: "\n".join(listed) + "\n",
        target / IMAGES: "\n".join(images) + "\n",
        target / POINTS: points,
    }


def _model(camera: Camera) -> tuple[str, list[float]]:
    K, d = camera.matrix, camera.distortion
    names = (("PINHOLE", 0), ("OPENCV", 4), ("FULL_OPENCV", 8))
    model, count = next((m, n) for m, n in names if n == 8 or not d[n:8].any())
    centre = (K[0, 2] + HALF, K[1, 2] + HALF)
    return model, [K[0, 0], K[1, 1], *centre, *d[:count]]


def _words(values: Sequence[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _rows(path: Path) -> list[_Row]:
    return [row for row in _lines(path) if row.words and not row.words[0].text().startswith("#")]


def _lines(path: Path) -> list[_Row]:
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        words = [Node(word, path, number, "") for word in line.split()]
        rows.append(_Row(words, Node(line, path, number, "")))
    return rows


def _camera(row: _Row, source: CameraSource) -> tuple[str, Camera]:
    if len(row.words) < 4:
        raise row.fault(f"{len(row.words)} words, expected CAMERA_ID MODEL WIDTH HEIGHT PARAMS")
    model = row.words[1].text()
    if model in UNREAD:
        remedy = "reconstruct with FULL_OPENCV, or undistort the images"
        raise row.fault(f"the camera model {model} is not read", remedy)
    if model not in MODELS:
        raise row.fault(f"unknown camera model {model!r}", did_you_mean(model, MODELS))
    names = MODELS[model]
    if len(row.words) != 4 + len(names):
        what = f"{len(row.words) - 4} parameters, {model} has {len(names)}"
        raise row.node.fault(what, " ".join(names), "counts")
    values = dict(zip(names, (word.number() for word in row.words[4:]), strict=True))
    fx, fy = values.get("fx", values.get("f", 0.0)), values.get("fy", values.get("f", 0.0))
    camera = Camera(
        matrix=camera_matrix(row.node, fx, fy, values["cx"] - HALF, values["cy"] - HALF),
        distortion=coefficients(values.get(name, 0.0) for name in _ORDER),
        image_size=(row.words[2].integer(1, MAX_SIDE), row.words[3].integer(1, MAX_SIDE)),
        name=f"camera{row.words[0].integer(0, 1 << 32)}",
        source=source,
    )
    return row.words[0].text(), camera


def _images(path: Path, cameras: dict[str, Camera], frame: str) -> tuple[list[Camera], set[str]]:
    found: list[Camera] = []
    used: set[str] = set()
    rows = iter(_lines(path))
    for row in rows:
        if not row.words or row.words[0].text().startswith("#"):
            continue
        if len(row.words) < 10:
            what = f"{len(row.words)} words, expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
            raise row.node.fault(what, _TWO_LINES, "counts")
        if (points := next(rows, None)) is not None:
            _refuse_image(points)
        key = row.words[8].text()
        if key not in cameras:
            raise row.fault(f"camera {key} is not in {CAMERAS}")
        rotation, translation = _pose(row)
        used.add(key)
        name = " ".join(word.text() for word in row.words[9:])
        found.append(
            replace(
                cameras[key],
                rotation=rotation,
                translation=translation,
                frame_id=frame,
                name=name,
            )
        )
    return found, used


def _refuse_image(row: _Row) -> None:
    """A line of points holds X Y POINT3D_ID each; that of an image is not passed over as one."""
    if len(row.words) % 3 or any(parse_number(word.text()) is None for word in row.words[-3:]):
        what = f"{len(row.words)} words, expected the points X Y POINT3D_ID of the image above"
        raise row.node.fault(what, _TWO_LINES, "counts")


def _pose(row: _Row) -> tuple[Array, Array]:
    values = np.array([word.number() for word in row.words[1:8]])
    with np.errstate(over="ignore"):
        length = float(np.linalg.norm(values[:4]))
    if not abs(length - 1) <= _LENGTH_TOLERANCE:
        raise row.node.fault(f"the quaternion has length {length:.6g}, expected 1", "", "rotation")
    rotation = rotation_from_quaternion(values[:4])
    checked(row.node, rotation=rotation, translation=values[4:])
    return rotation, values[4:]
