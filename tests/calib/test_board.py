"""Boards, and their corners in rendered photographs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rendered_boards import TEXEL, board_poses, exact_corners, lens, rendered

from mvps.calib.board import Board, _search, find_corners, make_board, parse_squares
from mvps.errors import InputError

CHARUCO = make_board("charuco", 9, 7, 10.0)
CAMERA = lens(40, size=(640, 480))
POSE = board_poses(CHARUCO, CAMERA, fill=0.75)[2]


def errors(board: Board, image: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """(n, 2) px found minus true; at least half of the corners must be found."""
    corners = find_corners(board, image)
    assert corners is not None and len(corners) > len(exact) / 2
    return corners.pixels - exact[corners.ids]


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return rendered(CHARUCO, CAMERA, POSE)


def test_the_texture_has_its_edges_on_pixel_borders() -> None:
    image = CHARUCO.opencv().generateImage((9 * TEXEL, 7 * TEXEL), marginSize=0)
    row = image[TEXEL // 16]
    edges = np.flatnonzero(np.diff(row.astype(int)))
    assert (edges == np.arange(1, 9) * TEXEL - 1).all()


def test_points_are_opencvs_charuco_corners_in_the_order_of_their_ids() -> None:
    np.testing.assert_allclose(
        CHARUCO.points(), CHARUCO.opencv().getChessboardCorners(), rtol=0, atol=1e-5
    )


def test_corners_of_a_noise_free_photograph_are_found_to_a_fiftieth_of_a_pixel(
    photograph: np.ndarray,
) -> None:
    """Measured: 0.015 px RMS, where OpenCV's own refinement leaves 0.041."""
    image = np.rint(photograph).astype(np.uint8)
    exact = exact_corners(CHARUCO, CAMERA, POSE)
    found = errors(CHARUCO, image, exact)
    assert np.sqrt((found**2).mean()) < 0.02
    assert np.abs(found).max() < 0.08
    assert np.abs(found.mean(0)).max() < 0.004
    opencvs = _search(CHARUCO, image)
    assert opencvs is not None
    off = opencvs.pixels - exact[opencvs.ids]
    assert np.sqrt((found**2).mean()) < 0.4 * np.sqrt((off**2).mean())


@pytest.mark.parametrize("depth", ["uint8", "uint16", "dark uint16", "float32", "rgb"])
def test_any_depth_gives_the_same_corners(photograph: np.ndarray, depth: str) -> None:
    image = {
        "uint8": lambda: np.rint(photograph).astype(np.uint8),
        "uint16": lambda: np.rint(photograph * 257).astype(np.uint16),
        "dark uint16": lambda: np.rint(photograph * 4 + 100).astype(np.uint16),
        "float32": lambda: (photograph / 255).astype(np.float32),
        "rgb": lambda: np.rint(np.repeat(photograph[..., None], 3, -1)).astype(np.uint8),
    }[depth]()
    found = errors(CHARUCO, image, exact_corners(CHARUCO, CAMERA, POSE))
    assert np.sqrt((found**2).mean()) < 0.02


def test_a_large_image_is_searched_small_and_refined_large(photograph: np.ndarray) -> None:
    """Enlarged five times, a pixel's centre c lies at 5 (c + 0.5) - 0.5."""
    image = cv2.resize(
        photograph.astype(np.float32), None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC
    )
    exact = 5 * (exact_corners(CHARUCO, CAMERA, POSE) + 0.5) - 0.5
    found = errors(CHARUCO, image, exact)
    assert np.sqrt((found**2).mean()) < 5 * 0.02
    assert np.abs(found.mean(0)).max() < 0.05  # 2 px if centres were forgotten


def test_a_chessboard_is_found_up_to_half_a_turn() -> None:
    board = make_board("chess", 8, 6, 10.0)
    pose = board_poses(board, CAMERA, fill=0.75)[2]
    image = np.rint(rendered(board, CAMERA, pose)).astype(np.uint8)
    exact = exact_corners(board, CAMERA, pose)
    corners = find_corners(board, image)
    assert corners is not None and len(corners) == 48
    off = min(np.abs(corners.pixels - order).max() for order in (exact, exact[::-1]))
    assert off < 0.08


def test_no_board_is_no_corners() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640), dtype=np.uint8)
    for image in (noise, np.zeros((480, 640), np.uint16), np.full((20, 20), 7, np.uint8)):
        assert find_corners(CHARUCO, image) is None
        assert find_corners(make_board("chess", 5, 4, 1.0), image) is None


def test_one_row_of_corners_is_none() -> None:
    """A line of corners leaves the board free to turn about it."""
    height = 150.0
    pose = (np.eye(3), np.array([-45.0, -30.0, height]))
    image = np.rint(rendered(CHARUCO, CAMERA, pose)).astype(np.uint8)
    exact = exact_corners(CHARUCO, CAMERA, pose)
    second, third = exact[8:16, 1].mean(), exact[16:24, 1].mean()
    both = image[: int(third + 0.6 * (third - second))]
    assert find_corners(CHARUCO, both) is not None
    one = image[int(second - 0.95 * (third - second)) : int(second + 0.95 * (third - second))]
    seen = _search(CHARUCO, one)
    assert seen is not None and len(seen) >= 6
    assert find_corners(CHARUCO, one) is None


def test_corners_beside_the_border_are_left_out(photograph: np.ndarray) -> None:
    """A refinement window that the border cuts is lopsided, and its corner with it."""
    exact = exact_corners(CHARUCO, CAMERA, POSE)
    cut = int(np.sort(exact[:, 0])[20]) + 2  # right through the board, 2 px right of a corner
    image = np.rint(photograph[:, :cut]).astype(np.uint8)
    found = find_corners(CHARUCO, image)
    assert found is not None
    assert (found.pixels[:, 0] < cut - 3).all()
    assert np.abs(found.pixels - exact[found.ids]).max() < 0.08


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("circles", 9, 7, 1.0), "unknown board 'circles'"),
        (("charuco", 2, 7, 1.0), "2x7 is not from 3x3"),
        (("charuco", 9, 700, 1.0), "9x700 is not"),
        (("chess", 1, 7, 1.0), "1x7 is not from 2x2"),
        (("charuco", 9, 7, 0.0), "0 is not a positive length"),
        (("charuco", 9, 7, float("nan")), "nan is not a positive length"),
    ],
)
def test_boards_that_nobody_has_are_refused(
    words: tuple[str, int, int, float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_board(*words)


def test_markers_must_fit() -> None:
    with pytest.raises(InputError, match="smaller than its square of 2 mm"):
        make_board("charuco", 9, 7, 2.0, marker_mm=2.0)
    with pytest.raises(InputError, match="did you mean 'DICT_4X4_100'"):
        make_board("charuco", 9, 7, 2.0, dictionary="dict_4x4_10")
    with pytest.raises(InputError, match="DICT_4X4_50 has 50 markers, the board needs 63"):
        make_board("charuco", 14, 9, 2.0, dictionary="DICT_4X4_50")


@pytest.mark.parametrize("text", ["11", "11x", "x8", "11x8x2", "-3x4", "a x b", "1.5x2"])
def test_squares_are_two_counts(text: str) -> None:
    with pytest.raises(InputError, match="columns x rows; for example 11x8"):
        parse_squares(text)


def test_squares_are_read() -> None:
    assert parse_squares("11x8") == parse_squares("11 X 8") == (11, 8)
