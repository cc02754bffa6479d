"""The YAML of the rig of Real-IAD-MVN (paper, appendix C), which OpenCV's FileStorage cannot open.

Scalars are parsed by this schema alone: YAML's own guesses turn one file's time stamp into a date,
3.10 into 3.1, and leave 5e+001 a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mvps.calib.camera import Array, Camera, CameraSource
from mvps.calib.formats.losses import Holds
from mvps.calib.formats.values import MAX_SIDE, checked, frame_of, matrix, yaml_text
from mvps.errors import InputError
from mvps.files import sha256_file
from mvps.yaml_nodes import Node, read_yaml

MATRICES: dict[str, tuple[int, int]] = {
    "H_matrix": (3, 3),
    "distortion_matrix": (12, 1),
    "intrinsic_matrix": (3, 3),
    "extrinsic_matrix": (3, 4),
}
# What the slots of the distortion after k3 mean is not documented; they are zero in every file.
HOLDS = Holds(coefficients=5, homography=True, many=False)
_MARK = re.compile(r"^(H|intrinsic|extrinsic|distortion)_matrix[ \t]*:[ \t]*$", re.M)
_PLAIN = re.compile(r"[A-Za-z0-9_][\w.+-]*( [\w.+-]+(:[\w.+-]+)*)*", re.ASCII)
_HEADER = (
    "calibration_file_ver",
    "calibration_ver",
    "calibration_time",
    "calibration_type",
    "frame_num",
    "image_width",
    "image_height",
    "board_width",
    "board_height",
    "board_dx",
    "board_dy",
    "points_num",
    "H_matrix",
    "distortion_model",
    "distortion_level",
    "distortion_matrix",
    "intrinsic_matrix",
    "extrinsic_matrix",
)


def recognises(_: Path, text: str) -> bool:
    """Whether two of the matrices stand at the top level, under the rig's names."""
    return len(set(_MARK.findall(text))) >= 2


def read(path: Path) -> tuple[Camera, ...]:
    """The one camera of a file of the rig."""
    return (read_rig_yaml(path),)


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
    rotation, translation = values["extrinsic_matrix"][:, :3], values["extrinsic_matrix"][:, 3]
    checked(data["intrinsic_matrix"], matrix=values["intrinsic_matrix"])
    checked(data["extrinsic_matrix"], rotation=rotation, translation=translation)
    checked(data["H_matrix"], homography=values["H_matrix"])
    header = tuple((key, node.value) for key, node in data.items() if isinstance(node.value, str))
    source = CameraSource(str(path), sha256_file(path), header)
    return Camera(
        matrix=values["intrinsic_matrix"],
        distortion=values["distortion_matrix"].reshape(12),
        image_size=(
            data["image_width"].integer(1, MAX_SIDE),
            data["image_height"].integer(1, MAX_SIDE),
        ),
        rotation=rotation,
        translation=translation,
        homography=values["H_matrix"],
        frame_id=frame_of("board", source),
        source=source,
    )


def render(cameras: Sequence[Camera], target: Path) -> dict[Path, str]:
    """Text of one file, in the order and spelling of the rig's own; numbers with 17 digits.

    The header is that of the file that the camera came from, where that was one of the rig.

    Raises
    ------
    InputError
        The camera has no pose, without which the layout cannot be filled.
    """
    from mvps.calib.transforms import board_homography

    (camera,) = cameras
    if camera.rotation is None or camera.translation is None:
        what = "has no rotation and translation, which the rig's YAML must hold"
        raise InputError(camera.name or "camera", what, "choose another format")
    extrinsic = [[*row, t] for row, t in zip(camera.rotation, camera.translation, strict=True)]
    matrices = {
        "H_matrix": [*board_homography(camera).ravel()],
        "distortion_matrix": [*camera.distortion[: HOLDS.coefficients], *[0.0] * 7],
        "intrinsic_matrix": [*camera.matrix.ravel()],
        "extrinsic_matrix": [value for row in extrinsic for value in row],
    }
    header = dict(camera.source.header)
    header["image_width"], header["image_height"] = map(str, camera.image_size)
    lines = []
    for key in _HEADER:
        if key in matrices:
            lines += _matrix_lines(key, matrices[key])
        elif key in header:
            lines.append(f"{key}: {_scalar(header[key])}")
    return {target: "\n".join(lines) + "\n"}


def _matrix(node: Node, shape: tuple[int, int]) -> Array:
    node.mapping(("rows", "cols", "data"), required=("rows", "cols", "data"))
    return matrix(node, shape)


def _matrix_lines(key: str, values: list[float]) -> list[str]:
    rows, cols = MATRICES[key]
    blank = "" if key == "H_matrix" else " "  # as the rig's own program spells it
    shape = [f"{key}:", f"  rows{blank}: {rows}", f"  cols{blank}: {cols}", "  data:"]
    return shape + [f"    - {_number(value)}" for value in values]


def _number(value: float) -> str:
    digits, exponent = f"{value:.16e}".split("e")
    return f"{digits}e{int(exponent):+04d}"


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else yaml_text(text)
