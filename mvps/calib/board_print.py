"""A calibration board to print, to scale."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps import plotting
from mvps.calib.board import Board
from mvps.errors import InputError
from mvps.files import atomic_path

MM_PER_INCH = 25.4
DOTS_PER_INCH = 1200.0  # as far as a printer goes
LARGEST_SIDE = 6000  # px of the whole picture, which takes 45 bytes each
SMALLEST_SQUARE = {"charuco": 48, "chess": 8}  # px; 48 is 8 a cell of markers of 4 x 4 bits
LEAST_MARGIN_MM = 6.0
LARGEST_MM = 2000.0


def print_board(board: Board, path: Path, *, overwrite: bool = False) -> None:
    """Write a board with a white margin of one square or more, in its true size.

    Every square has the same whole number of px, so corners are where they should be; the borders
    of markers, which no calibration uses, are rounded to px.

    Parameters
    ----------
    path : .pdf or .svg, or .png with its resolution

    Raises
    ------
    InputError
        A board larger than 2 m, a file that exists, or as :func:`mvps.plotting.check_plot_path`.
    MissingExtraError
        Matplotlib is not installed.
    """
    plotting.check_plot_path(path)
    if path.exists() and not overwrite:
        raise InputError(path, "exists", "name another file, or pass --overwrite")
    if max(board.extent_mm()) > LARGEST_MM:
        raise InputError("--square-mm", f"the board would be larger than {LARGEST_MM:g} mm")
    image = board_image(board, _square_px(board))
    margin = _margin_squares(board) * board.square_mm
    sides = [side + 2 * margin for side in board.extent_mm()]
    figure = plotting.new_figure(*(side / MM_PER_INCH for side in sides))
    figure.set_layout_engine("none")
    width, height = (1 - 2 * margin / side for side in sides)
    axes = figure.add_axes((margin / sides[0], margin / sides[1], width, height))
    # Bytes of RGB are drawn as they are; grey values would go through floats, 20 bytes a px.
    colours = np.repeat(image[..., None], 3, axis=-1)
    axes.imshow(colours, interpolation="none", aspect="auto")
    axes.set_axis_off()
    figure.text(0.5, 0.3 * margin / sides[1], _caption(board), ha="center", fontsize=6)
    dots = _square_px(board) * MM_PER_INCH / board.square_mm
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lower().removeprefix("."), dpi=dots)


def board_image(board: Board, square_px: int) -> NDArray[np.uint8]:
    """(rows * square_px, columns * square_px) uint8 picture of the squares, without a margin."""
    if board.kind == "chess":
        parity = np.add.outer(np.arange(board.rows), np.arange(board.columns)) % 2
        squares = (255 * parity).astype(np.uint8)
        return squares.repeat(square_px, axis=0).repeat(square_px, axis=1)
    size = (board.columns * square_px, board.rows * square_px)
    image: Any = board.opencv().generateImage(size, marginSize=0)
    return np.asarray(image, dtype=np.uint8)


def _margin_squares(board: Board) -> int:
    """Whole squares, so that the board begins on a px of a PNG."""
    return math.ceil(LEAST_MARGIN_MM / board.square_mm)


def _square_px(board: Board) -> int:
    wanted = board.square_mm * DOTS_PER_INCH / MM_PER_INCH
    most = LARGEST_SIDE // (max(board.columns, board.rows) + 2 * _margin_squares(board))
    return max(min(round(wanted), most), SMALLEST_SQUARE[board.kind])


def _caption(board: Board) -> str:
    if board.kind == "chess":
        inner = f"{board.columns - 1}x{board.rows - 1}"
        return f"chess, {inner} inner corners, squares of {board.square_mm:g} mm"
    pattern = ", legacy pattern" if board.legacy else ""
    return (
        f"ChArUco, {board.columns}x{board.rows} squares of {board.square_mm:g} mm, markers of "
        f"{board.marker_mm:g} mm, {board.dictionary}{pattern}"
    )
