"""Numbers, matrices and rotations out of nodes of any text format, each fault with its line.

Rotations: Rodrigues' formula and unit quaternions (Hartley and Zisserman 2004, appendix 4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvps.calib.camera import Array, Camera, CameraSource
from mvps.errors import InputError
from mvps.files import sha256_file
from mvps.yaml_nodes import Node

MAX_SIDE = 1 << 20
MAX_NUMBERS = 4096
COEFFICIENTS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4")
_PROBE: dict[str, Any] = {
    "matrix": np.eye(3),
    "distortion": np.zeros(12),
    "image_size": (1, 1),
}
_PAIR = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")  # beyond 16 bits, to JSON
_CHANNELS = re.compile(r"(\d{0,2})[ucwsifdh]")


def source_of(path: Path) -> CameraSource:
    """Where a camera comes from that is read from ``path``."""
    return CameraSource(str(path), sha256_file(path))


def frame_of(kind: str, source: CameraSource) -> str:
    """Name of the world frame that only the cameras of one file share."""
    return f"{kind}-{source.sha256[:12]}"


def checked(node: Node, **fields: Any) -> None:
    """Refuse what :class:`Camera` refuses of some of its fields, with the line of ``node``."""
    try:
        with np.errstate(over="raise", invalid="raise"):
            Camera(**{**_PROBE, **fields})
    except InputError as error:
        raise node.fault(error.what, error.remedy, error.code) from None
    except FloatingPointError:
        raise node.fault("holds a number that is too large") from None


def yaml_text(value: str) -> str:
    """A text in double quotes as YAML reads it, whatever its characters."""
    quoted = json.dumps(value).replace("\x7f", "\\u007f")
    return _PAIR.sub(lambda m: json.loads(f'"{m[0]}"').encode("unicode_escape").decode(), quoted)


def numbers(node: Node) -> list[float]:
    """Numbers of a list, nested lists, a text, or a matrix with rows, cols (or sizes) and data."""
    cells = [cell.number() for cell in _cells(node)]
    if isinstance(node.value, dict):
        stated = _stated_count(node)
        if stated != len(cells):
            raise node.value["data"].fault(f"{len(cells)} numbers, expected {stated}", "", "counts")
    return cells


def matrix(node: Node, shape: tuple[int, int]) -> Array:
    """(rows, cols) float64 from whatever :func:`numbers` reads.

    Raises
    ------
    InputError
        It has another shape, or holds what is not a number.
    """
    rows, cols = shape
    parts = node.value if isinstance(node.value, dict) else {}
    if "rows" in parts and "cols" in parts:
        stated = (parts["rows"].integer(1, MAX_NUMBERS), parts["cols"].integer(1, MAX_NUMBERS))
        if stated != shape:
            found = f"{stated[0]} x {stated[1]}, expected {rows} x {cols}"
            raise node.fault(found, "", "counts")
    found_numbers = vector(node, (rows * cols,))
    lengths = {_length(row) for row in node.value} if isinstance(node.value, list) else {0}
    if lengths not in ({0}, {cols}):
        raise node.fault(f"its rows have not {cols} numbers each", "", "counts")
    return found_numbers.reshape(shape)


def vector(node: Node, counts: Sequence[int]) -> Array:
    """(n,) float64 with n one of ``counts``."""
    found = numbers(node)
    if len(found) not in counts:
        wanted = " or ".join(map(str, counts))
        raise node.fault(f"{len(found)} numbers, expected {wanted}", "", "counts")
    return np.array(found, dtype=np.float64)


def size_pair(node: Node) -> tuple[int, int]:
    """Image size from a list of two whole numbers."""
    cells = _cells(node)
    if len(cells) != 2:
        raise node.fault(f"{len(cells)} numbers, expected width and height", "", "counts")
    return cells[0].integer(1, MAX_SIDE), cells[1].integer(1, MAX_SIDE)


def camera_matrix(node: Node, fx: float, fy: float, cx: float, cy: float) -> Array:
    """(3, 3) matrix without skew, checked."""
    K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    checked(node, matrix=K)
    return K


def coefficients(values: Iterable[float]) -> Array:
    """(12,) distortion from its first few coefficients."""
    out = np.zeros(12)
    listed = list(values)
    out[: len(listed)] = listed
    return out


def pose_from_matrix(node: Node) -> tuple[Array, Array]:
    """Rotation (3, 3) and translation (3,) of a rigid 4 x 4 (or 3 x 4) matrix."""
    count = len(numbers(node))
    T = matrix(node, (3, 4) if count == 12 else (4, 4))
    if count == 16 and not np.array_equal(T[3], (0, 0, 0, 1)):
        raise node.fault("the last row of a pose is 0 0 0 1")
    checked(node, rotation=T[:3, :3], translation=T[:3, 3])
    return T[:3, :3], T[:3, 3]


def rotation_from_vector(turn: Array) -> Array:
    """(3, 3) rotation by ``|turn|`` radians about ``turn`` (3,)."""
    angle = float(np.linalg.norm(turn))
    x, y, z = turn
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / 2 / np.pi) ** 2
    return np.asarray(np.eye(3) + first * cross + second * cross @ cross, dtype=np.float64)


def rotation_from_quaternion(quaternion: Array) -> Array:
    """(3, 3) rotation of a quaternion w x y z, which need not be exactly unit."""
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_from_rotation(rotation: Array) -> Array:
    """(4,) unit quaternion w x y z, w not negative; the largest of the four is divided by."""
    R = rotation
    m = np.array(
        [
            [R[0, 0] + R[1, 1] + R[2, 2], 0, 0, 0],
            [R[2, 1] - R[1, 2], R[0, 0] - R[1, 1] - R[2, 2], 0, 0],
            [R[0, 2] - R[2, 0], R[0, 1] + R[1, 0], R[1, 1] - R[0, 0] - R[2, 2], 0],
            [R[1, 0] - R[0, 1], R[0, 2] + R[2, 0], R[1, 2] + R[2, 1], R[2, 2] - R[0, 0] - R[1, 1]],
        ]
    )
    # Eigenvector of the largest eigenvalue (Bar-Itzhack 2000): exact near every half turn.
    q = np.linalg.eigh(m)[1][:, -1]
    return np.asarray(-q if q[0] < 0 else q, dtype=np.float64)


def _cells(node: Node) -> list[Node]:
    if isinstance(node.value, dict):
        parts = node.mapping(required=("data",))
        return _cells(parts["data"])
    if isinstance(node.value, str):
        return [Node(word, node.file, node.line, node.key) for word in node.text().split()]
    cells: list[Node] = []
    for cell in node.sequence():
        cells.extend(cell.sequence() if isinstance(cell.value, list) else [cell])
    if len(cells) > MAX_NUMBERS:
        raise node.fault(f"more than {MAX_NUMBERS} numbers")
    return cells


def _stated_count(node: Node) -> int:
    parts = node.mapping(required=() if "sizes" in (node.value or ()) else ("rows", "cols"))
    kind = parts["dt"].text() if "dt" in parts else "d"
    match = _CHANNELS.fullmatch(kind)
    if match is None:
        raise parts["dt"].fault(f"unknown kind of number {kind!r}", "use d")
    sizes = _cells(parts["sizes"]) if "sizes" in parts else [parts["rows"], parts["cols"]]
    count = int(match[1] or 1)
    for side in sizes:
        count *= side.integer(1, MAX_NUMBERS)
    return count


def _length(node: Node) -> int:
    return len(node.value) if isinstance(node.value, list) else 0
