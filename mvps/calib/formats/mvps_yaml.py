"""The camera file of mvps, YAML version 1: every field of every camera, without loss.

Numbers are written by ``repr``, the shortest text that reads back as the same float64.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvps.calib.camera import DIRECTIONS, Array, Camera, CameraSource
from mvps.calib.formats.losses import Holds
from mvps.calib.formats.values import (
    COEFFICIENTS,
    checked,
    coefficients,
    matrix,
    size_pair,
    source_of,
    vector,
    yaml_text,
)
from mvps.errors import InputError
from mvps.files import write_text
from mvps.yaml_nodes import Node, read_yaml

HOLDS = Holds(direction=True, homography=True, frames=True)
VERSION = "1"
EXTRAS = ("uncertainty", "notes")
_MARK = re.compile(r"^mvps_cameras[ \t]*:", re.M)
_KEYS = (
    "name",
    "image_size",
    "matrix",
    "distortion",
    "distortion_direction",
    "rotation",
    "translation",
    "homography",
    "frame_id",
    "origin",
)
_ORIGIN = ("origin_path", "origin_sha256")
_COMMENT = """\
# Cameras in OpenCV's geometry: x right, y down, z forward, pixel centres at integers, millimetres.
# rotation and translation: world to camera. homography: board mm to undistorted px.
"""


def recognises(_: Path, text: str) -> bool:
    """Whether the key ``mvps_cameras`` stands at the top level."""
    return _MARK.search(text) is not None


def read(path: Path) -> tuple[Camera, ...]:
    """Cameras of a file of mvps; its blocks ``uncertainty`` and ``notes`` are not looked at.

    Raises
    ------
    InputError
        Another version, an unknown, missing or repeated key, or a value that is not one.
    """
    known = ("mvps_cameras", "units", "cameras", *EXTRAS)
    data = read_yaml(path).mapping(known, required=("mvps_cameras", "cameras"))
    data["mvps_cameras"].choice([VERSION])
    if "units" in data:
        data["units"].choice(["mm"])
    entries = data["cameras"].sequence()
    if not entries:
        raise data["cameras"].fault("holds no camera")
    source = source_of(path)
    return tuple(_camera(entry, source) for entry in entries)


def render(
    cameras: Sequence[Camera], target: Path, extra: Mapping[str, Any] | None = None
) -> dict[Path, str]:
    """Text of one file with all cameras, and the blocks ``extra`` as they are.

    Raises
    ------
    InputError
        ``extra`` has another key than ``uncertainty`` and ``notes``.
    """
    lines = [_COMMENT + f"mvps_cameras: {VERSION}", "units: mm", "cameras:"]
    for camera in cameras:
        lines += _camera_lines(camera)
    text = "\n".join(lines) + "\n"
    for key, value in (extra or {}).items():
        if key not in EXTRAS:
            raise InputError(target, f"a camera file has no block {key!r}", f"use {EXTRAS}")
        # JSON is YAML, and never spells a number that YAML would take for a text.
        text += f"{key}: {json.dumps(value, allow_nan=False)}\n"
    return {target: text}


def write_mvps_yaml(
    cameras: Sequence[Camera], path: Path, extra: Mapping[str, Any] | None = None
) -> None:
    """Write one file with all cameras, over any that is there.

    Parameters
    ----------
    cameras : written in this order
    path : the file
    extra : free blocks ``uncertainty`` and ``notes``: texts, numbers, lists and mappings
    """
    for final, text in render(cameras, path, extra).items():
        write_text(final, text)


def _camera(node: Node, source: CameraSource) -> Camera:
    data = node.mapping(_KEYS, required=("image_size", "matrix", "distortion"))
    K = matrix(data["matrix"], (3, 3))
    checked(data["matrix"], matrix=K)
    found: dict[str, Any] = {"matrix": K, "distortion": _distortion(data["distortion"])}
    if "homography" in data:
        found["homography"] = matrix(data["homography"], (3, 3))
        checked(data["homography"], homography=found["homography"])
    if ("rotation" in data) != ("translation" in data):
        raise node.fault("rotation and translation go together")
    if "rotation" in data:
        found["rotation"] = matrix(data["rotation"], (3, 3))
        found["translation"] = vector(data["translation"], (3,))
        checked(data["rotation"], rotation=found["rotation"], translation=found["translation"])
    if "distortion_direction" in data:
        found["distortion_direction"] = data["distortion_direction"].choice(DIRECTIONS)
    for key in ("name", "frame_id"):
        if key in data:
            found[key] = data[key].text()
    header = _header(data["origin"]) if "origin" in data else ()
    return Camera(
        image_size=size_pair(data["image_size"]),
        source=CameraSource(source.path, source.sha256, header),
        **found,
    )


def _distortion(node: Node) -> Array:
    if not isinstance(node.value, dict):
        raise node.fault("expected a mapping of coefficients", "such as {k1: -0.1, k2: 0.02}")
    data = node.mapping(COEFFICIENTS)
    return coefficients(data[k].number() if k in data else 0.0 for k in COEFFICIENTS)


def _header(node: Node) -> tuple[tuple[str, str], ...]:
    pairs = node.mapping().items()
    return tuple((key, "" if value.value == "" else value.text()) for key, value in pairs)


def _camera_lines(camera: Camera) -> list[str]:
    fields: list[tuple[str, str]] = []
    if camera.name:
        fields.append(("name", yaml_text(camera.name)))
    fields.append(("image_size", _row(camera.image_size)))
    fields.append(("matrix", _rows(camera.matrix)))
    terms = zip(COEFFICIENTS, camera.distortion, strict=True)
    listed = ", ".join(f"{name}: {float(value)!r}" for name, value in terms)
    fields.append(("distortion", f"{{{listed}}}"))
    fields.append(("distortion_direction", camera.distortion_direction))
    if camera.rotation is not None and camera.translation is not None:
        fields.append(("rotation", _rows(camera.rotation)))
        fields.append(("translation", _row(camera.translation)))
    if camera.homography is not None:
        fields.append(("homography", _rows(camera.homography)))
    if camera.frame_id:
        fields.append(("frame_id", yaml_text(camera.frame_id)))
    origin = _origin(camera.source)
    if origin:
        pairs = "".join(
            f"\n      {yaml_text(key)}: {yaml_text(value)}" for key, value in origin.items()
        )
        fields.append(("origin", pairs))
    lines = [f"    {key}:{'' if value[0] == chr(10) else ' '}{value}" for key, value in fields]
    lines[0] = "  - " + lines[0].lstrip()
    return lines


def _origin(source: CameraSource) -> dict[str, str]:
    """The header, with the first file that the camera ever came from."""
    header = dict(source.header)
    if source.path and not any(key in header for key in _ORIGIN):
        header |= dict(zip(_ORIGIN, (source.path, source.sha256), strict=True))
    return header


def _row(values: Sequence[float] | Array) -> str:
    return "[" + ", ".join(repr(v) for v in np.asarray(values).tolist()) + "]"


def _rows(values: Array) -> str:
    return "".join(f"\n      - {_row(row)}" for row in values)
