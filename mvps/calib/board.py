"""Calibration boards, and where their corners are in a photograph, to a fraction of a pixel.

Corners are found by OpenCV (ChArUco after Garrido-Jurado et al., Pattern Recognition 2014;
chessboards after Duda and Frese, BMVC 2018) and refined by the gradient condition of Förstner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.yaml_nodes import did_you_mean

Kind = Literal["charuco", "chess"]

KINDS = ("charuco", "chess")
MAX_SQUARES = 200
SQUARE_MM = (1e-3, 1e5)  # beyond, OpenCV's float32 board fails
DETECT_SIDE = 2000  # px; larger images are searched at reduced size and refined at their own
MIN_CORNERS = 6  # a view with fewer says too little about its own pose
SMALLEST_WINDOW, LARGEST_WINDOW = 2, 20  # px, half the side of the refinement window
_WINDOW = 0.4  # of the free distance around a corner is used to refine it
_BLUR = 0.3  # of that window; smoothing takes cornerSubPix from 0.043 to 0.010 px without noise
_REFINE_STEPS, _REFINE_EPSILON = 100, 1e-4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Board:
    """A flat board whose inner corners are known.

    The board frame is OpenCV's: origin at the outer corner of the first square, x along the rows,
    y down the columns, z into the board (away from a camera that sees it), mm.

    Attributes
    ----------
    kind : "charuco" or "chess"
    columns, rows : squares across and down
    square_mm : side of a square
    marker_mm : side of a marker, ChArUco only
    dictionary : OpenCV's name of the markers, ChArUco only
    legacy : the pattern that OpenCV printed before 4.6, which differs for even numbers of rows
    """

    kind: Kind
    columns: int
    rows: int
    square_mm: float
    marker_mm: float = 0.0
    dictionary: str = ""
    legacy: bool = False

    def extent_mm(self) -> tuple[float, float]:
        """Width and height of the squares together."""
        return self.columns * self.square_mm, self.rows * self.square_mm

    def middle(self) -> Array:
        """(3,) middle of the board, mm."""
        width, height = self.extent_mm()
        return np.array([width / 2, height / 2, 0.0])

    def points(self) -> Array:
        """(n, 3) float64 mm inner corners in the order of their ids, row by row, z = 0."""
        x, y = np.meshgrid(np.arange(1, self.columns), np.arange(1, self.rows))
        corners = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
        return np.asarray(corners * self.square_mm, dtype=np.float64)

    def opencv(self) -> Any:
        """OpenCV's own object of a ChArUco board."""
        from cv2 import aruco

        markers = aruco.getPredefinedDictionary(getattr(aruco, self.dictionary))
        size = (self.columns, self.rows)
        board = aruco.CharucoBoard(size, self.square_mm, self.marker_mm, markers)
        board.setLegacyPattern(self.legacy)
        return board


@dataclass(frozen=True, eq=False)
class Corners:
    """Corners seen in one photograph: ``ids`` (n,) int and ``pixels`` (n, 2) float64, raw px."""

    ids: NDArray[np.intp]
    pixels: Array

    def __len__(self) -> int:
        return len(self.ids)


def make_board(
    kind: str,
    columns: int,
    rows: int,
    square_mm: float,
    *,
    marker_mm: float | None = None,
    dictionary: str = "DICT_4X4_100",
    legacy: bool = False,
) -> Board:
    """Board from what its owner states.

    Parameters
    ----------
    kind : "charuco", or "chess" for a plain chessboard
    columns, rows : squares of a ChArUco board; of a chessboard its inner corners, as OpenCV counts
    square_mm, marker_mm : sides; a marker is 3/4 of a square where it is not stated
    dictionary : name of an OpenCV dictionary of markers

    Raises
    ------
    InputError
        A count or length that no board has, or a dictionary that is unknown or too small.
    """
    if kind not in KINDS:
        raise InputError("--board", f"unknown board {kind!r}", "use " + " or ".join(KINDS))
    least = 3 if kind == "charuco" else 2
    if not (least <= columns <= MAX_SQUARES and least <= rows <= MAX_SQUARES):
        text = f"{columns}x{rows} is not from {least}x{least} to {MAX_SQUARES}x{MAX_SQUARES}"
        raise InputError("--squares", text)
    if not (np.isfinite(square_mm) and square_mm > 0):
        raise InputError("--square-mm", f"{square_mm:g} is not a positive length")
    if not SQUARE_MM[0] <= square_mm <= SQUARE_MM[1]:
        span = f"{SQUARE_MM[0]:g} to {SQUARE_MM[1]:g}"
        raise InputError("--square-mm", f"{square_mm:g} is no square to photograph", f"use {span}")
    if kind == "chess":
        return Board("chess", columns + 1, rows + 1, square_mm)
    marker = 0.75 * square_mm if marker_mm is None else marker_mm
    if not 0 < marker < square_mm:
        remedy = f"a marker is smaller than its square of {square_mm:g} mm"
        raise InputError("--marker-mm", f"{marker:g} does not fit", remedy)
    _check_dictionary(dictionary, columns * rows // 2)
    return Board("charuco", columns, rows, square_mm, marker, dictionary, legacy)


def parse_squares(text: str) -> tuple[int, int]:
    """Columns and rows of a text such as ``11x8``.

    Raises
    ------
    InputError
        It is none.
    """
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise InputError("--squares", f"{text!r} is not columns x rows", "for example 11x8")
    return int(parts[0]), int(parts[1])


def _check_dictionary(name: str, needed: int) -> None:
    from cv2 import aruco

    known = [entry for entry in dir(aruco) if entry.startswith("DICT_")]
    if name not in known:
        raise InputError(
            "--dictionary", f"unknown dictionary {name!r}", did_you_mean(name.upper(), known)
        )
    held = len(aruco.getPredefinedDictionary(getattr(aruco, name)).bytesList)
    if held < needed:
        raise InputError("--dictionary", f"{name} has {held} markers, the board needs {needed}")


def find_corners(board: Board, image: NDArray[Any]) -> Corners | None:
    """Corners of a board in a photograph, or None where fewer than six, or one line, are seen.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) RGB, uint8, uint16 or float32

    Returns
    -------
    Corners
        Raw px, pixel centres at integers. Images above 2000 px are searched at reduced size; all
        are refined at their own size and depth.
    """
    grey = _grey(image)
    small, factor = _reduced(grey)
    found = _search(board, small)
    if found is None and factor != 1:
        factor = 1.0
        found = _search(board, _eight_bit(grey))
    if found is None:
        return None
    return _refined(board, found.ids, (found.pixels + 0.5) * factor - 0.5, grey)


def _grey(image: NDArray[Any]) -> NDArray[np.float32]:
    if image.ndim == 3:
        image = image @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    grey = np.ascontiguousarray(image, dtype=np.float32)
    if not np.isfinite(grey).all():  # one such sample would spoil every percentile and blur
        grey = np.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
    return grey


def _eight_bit(grey: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Stretched between the darkest and the brightest half percent, for the detectors."""
    low, high = np.percentile(grey[::4, ::4], (0.5, 99.5))
    scaled = (grey - low) * (255.0 / max(float(high - low), 1e-6))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), dtype=np.uint8)


def _reduced(grey: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float]:
    import cv2

    divisor = -(-max(grey.shape) // DETECT_SIDE)
    if divisor == 1:
        return _eight_bit(grey), 1.0
    height, width = (side // divisor for side in grey.shape)
    cut = np.ascontiguousarray(grey[: height * divisor, : width * divisor])
    return _eight_bit(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA)), divisor


def _search(board: Board, grey: NDArray[np.uint8]) -> Corners | None:
    import cv2

    if board.kind == "chess":
        pattern = (board.columns - 1, board.rows - 1)
        seen, corners = cv2.findChessboardCornersSB(grey, pattern)
        ids = np.arange(pattern[0] * pattern[1]) if seen else None
    else:
        corners, ids, _, _ = cv2.aruco.CharucoDetector(board.opencv()).detectBoard(grey)
    if ids is None or corners is None or len(ids) == 0:
        return None
    return Corners(ids.reshape(-1).astype(np.intp), corners.reshape(-1, 2).astype(np.float64))


def _refined(
    board: Board, ids: NDArray[np.intp], pixels: Array, grey: NDArray[np.float32]
) -> Corners | None:
    """Corners moved to where every image gradient around them is orthogonal to its ray.

    The window must hold the edges of its own corner alone, markers and other corners outside. An
    even blur keeps the corner, which is the centre of symmetry of its surroundings.
    """
    import cv2

    windows = _windows(board, ids, pixels)
    soft = cv2.GaussianBlur(grey, (0, 0), max(_BLUR * float(np.median(windows)), 0.5))
    criteria = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, _REFINE_STEPS, _REFINE_EPSILON)
    refined = np.array(pixels)
    for half in np.unique(windows):
        chosen = windows == half
        start = np.ascontiguousarray(pixels[chosen, None], dtype=np.float32)
        moved = cv2.cornerSubPix(soft, start, (int(half), int(half)), (-1, -1), criteria)
        refined[chosen] = moved.reshape(-1, 2)
    room = np.minimum(refined, np.array(grey.shape[::-1]) - 1 - refined).min(1)
    stayed = np.abs(refined - pixels).max(1) <= windows
    kept = stayed & (room > windows)  # a window across the border of the image is lopsided
    return Corners(ids[kept], refined[kept]) if _tell_a_pose(board, ids[kept]) else None


def _tell_a_pose(board: Board, ids: NDArray[np.intp]) -> bool:
    """Whether there are enough corners, not all or all but one of them in a line."""
    rows = np.bincount(ids // (board.columns - 1), minlength=board.rows - 1)
    return len(ids) >= MIN_CORNERS and int((rows >= 2).sum()) >= 2


def _windows(board: Board, ids: NDArray[np.intp], pixels: Array) -> NDArray[np.intp]:
    """Half side (px) of each corner's window, from the distance to its neighbours on the board."""
    grid = np.full((board.rows - 1, board.columns - 1, 2), np.nan)
    grid.reshape(-1, 2)[ids] = pixels
    gaps = np.full((*grid.shape[:2], 4), np.inf)
    down, across = (np.linalg.norm(np.diff(grid, axis=axis), axis=-1) for axis in (0, 1))
    gaps[:-1, :, 0] = gaps[1:, :, 1] = np.nan_to_num(down, nan=np.inf)
    gaps[:, :-1, 2] = gaps[:, 1:, 3] = np.nan_to_num(across, nan=np.inf)
    nearest = gaps.min(-1).reshape(-1)[ids]
    known = nearest[np.isfinite(nearest)]
    nearest[~np.isfinite(nearest)] = known.min() if len(known) else 0.0
    free = board.square_mm - (board.marker_mm if board.kind == "charuco" else 0.0)
    half = np.floor(_WINDOW * free / board.square_mm * nearest)
    return np.asarray(np.clip(half, SMALLEST_WINDOW, LARGEST_WINDOW), dtype=np.intp)
