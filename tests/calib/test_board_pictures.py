"""The picture of a calibration, and the board to print."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rendered_boards import board_poses, lens, seen_views

from mvps.calib.board import find_corners, make_board
from mvps.calib.board_print import print_board
from mvps.calib.board_report import plot_calibrations
from mvps.calib.board_solve import Calibration, Model, calibrate
from mvps.errors import InputError
from mvps.images import ImageRef, read_image

BOARD = make_board("charuco", 9, 7, 10.0)


def calibration(count: int = 12, coefficients: int = 5) -> Calibration:
    camera = lens(40)
    poses = board_poses(BOARD, camera, count=count)
    views = seen_views(BOARD, camera, poses, 0.1, np.random.default_rng(1))
    return calibrate(BOARD, views, camera.size, Model(coefficients), name="top")


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_camera_is_drawn_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"report{suffix}"
    plot_calibrations([calibration()], path)
    assert path.stat().st_size > 10_000


def test_the_picture_states_what_it_shows(tmp_path: Path) -> None:
    """SVG keeps its letters as shapes, each text named in a comment before them."""
    path = tmp_path / "report.svg"
    found = calibration()
    plot_calibrations([found], path)
    texts = re.findall(r"<!-- (.*?) -->", path.read_text())
    corners = sum(len(view.corners) for view in found.views)
    assert f"{corners} corners in 12 views" in texts
    assert f"reprojection error, RMS {found.rms():.3g} px" in texts
    assert {"views left out", "error of each view", "v11"} <= set(texts)


def test_odd_calibrations_are_drawn_too(tmp_path: Path) -> None:
    """Many views, names too long for a bar, no distortion at all, more cameras than rows."""
    many = calibration(count=40)
    plain = calibration(coefficients=0)
    named = replace(
        plain, views=tuple(replace(view, name=f"{view.name}-" + 30 * "x") for view in plain.views)
    )
    plot_calibrations([many, named, *[plain] * 8], tmp_path / "rig.png")
    plot_calibrations([calibration(count=3, coefficients=2)], tmp_path / "three.png")
    with pytest.raises(InputError, match="not a picture's name"):
        plot_calibrations([plain], tmp_path / "report.jpg")


@pytest.mark.parametrize(("kind", "square"), [("charuco", 5.0), ("chess", 2.3)])
def test_a_printed_board_has_its_corners_where_its_size_says(
    tmp_path: Path, kind: str, square: float
) -> None:
    board = make_board(kind, 9, 6, square)
    path = tmp_path / "board.png"
    print_board(board, path)
    image = read_image(ImageRef(path))
    corners = find_corners(board, image)
    assert corners is not None and len(corners) == len(board.points())
    header = path.read_bytes()
    at = header.index(b"pHYs")
    per_metre, _, unit = struct.unpack(">IIB", header[at + 4 : at + 13])
    assert unit == 1
    mm = (corners.pixels + 0.5) / per_metre * 1000
    off = mm - board.points()[corners.ids, :2]
    if kind == "chess" and np.ptp(off, axis=0).max() > square:
        off = mm[::-1] - board.points()[corners.ids, :2]
    assert np.ptp(off, axis=0).max() < 0.005  # mm
    assert off.mean(0) == pytest.approx(2 * square if square == 5 else 3 * square, abs=0.005)


def test_a_printed_page_has_the_size_of_the_board_and_its_margin(tmp_path: Path) -> None:
    path = tmp_path / "board.pdf"
    print_board(make_board("charuco", 11, 8, 20.0), path)
    (box,) = re.findall(rb"MediaBox \[ 0 0 ([\d.]+) ([\d.]+)", path.read_bytes())
    size = [float(side) / 72 * 25.4 for side in box]
    assert size == pytest.approx([13 * 20.0, 10 * 20.0], abs=0.001)
    with pytest.raises(InputError, match="exists; name another file, or pass --overwrite"):
        print_board(make_board("charuco", 11, 8, 20.0), path)
    with pytest.raises(InputError, match="larger than 2000 mm"):
        print_board(make_board("charuco", 11, 8, 200.0), tmp_path / "wall.pdf")
