"""The YAML of the rig of Real-IAD-MVN (paper, appendix C), which OpenCV's FileStorage cannot open.

Scalars are parsed by this schema alone: YAML's own guesses turn one file's time stamp into a date,
3.10 into 3.1, and leave 5e+001 a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.calib.camera import Camera, CameraSource
from mvps.files import sha256_file
from mvps.yaml_nodes import Node, read_yaml

MAX_SIDE = 1 << 20
MATRICES: dict[str, tuple[int, int]] = {
    "H_matrix": (3, 3),
    "distortion_matrix": (12, 1),
    "intrinsic_matrix": (3, 3),
    "extrinsic_matrix": (3, 4),
}
MARK = "intrinsic_matrix"  # no other calibration format that we know has this key


def read_rig_yaml(path: Path) -> Camera:
    """Camera of one file of the rig.

    The extrinsic matrix is [R t], world (board, mm) to camera; the distortion slots are k1 k2 p1 p2
    k3 and zeros. The direction of the polynomial is not documented: OpenCV's is assumed. The world
    frame is the board's of that one calibration, so ``frame_id`` is unique to the file.

    Raises
    ------
    InputError
        A key is missing or repeated, or a matrix has another shape; the message names the line.
    """
    root = read_yaml(path)
    data = root.mapping(required=("image_width", "image_height", *MATRICES))
    values = {name: _matrix(data[name], shape) for name, shape in MATRICES.items()}
    header = tuple((key, node.value) for key, node in data.items() if isinstance(node.value, str))
    digest = sha256_file(path)
    return Camera(
        matrix=values["intrinsic_matrix"],
        distortion=values["distortion_matrix"].reshape(12),
        image_size=(
            data["image_width"].integer(1, MAX_SIDE),
            data["image_height"].integer(1, MAX_SIDE),
        ),
        rotation=values["extrinsic_matrix"][:, :3],
        translation=values["extrinsic_matrix"][:, 3],
        homography=values["H_matrix"],
        frame_id=f"board-{digest[:12]}",
        source=CameraSource(str(path), digest, header),
    )


def is_rig_yaml(data: Mapping[str, Node]) -> bool:
    """Whether the keys of a YAML file are those of the rig."""
    return MARK in data


def _matrix(node: Node, shape: tuple[int, int]) -> NDArray[np.float64]:
    parts = node.mapping(("rows", "cols", "data"), required=("rows", "cols", "data"))
    stated = (parts["rows"].integer(1, 99), parts["cols"].integer(1, 99))
    if stated != shape:
        raise node.fault(f"{stated[0]} x {stated[1]}, expected {shape[0]} x {shape[1]}")
    numbers = [cell.number() for cell in parts["data"].sequence()]
    if len(numbers) != shape[0] * shape[1]:
        raise parts["data"].fault(f"{len(numbers)} numbers, expected {shape[0] * shape[1]}")
    return np.array(numbers, dtype=np.float64).reshape(shape)
