"""Warped images show what the pattern on the board has at the place they claim."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from planar import (
    CURVATURE_BOUND,
    on_board,
    pattern,
    photograph,
    pinhole_rays,
    reversed_camera,
    tilted_camera,
)

from mvps.calib import resample
from mvps.calib.remap import (
    rectify_board,
    remap_image,
    undistort_image,
    undistort_normals,
    warp_view,
)
from mvps.calib.transforms import camera_to_board, pinhole
from mvps.calib.warp import undistortion
from mvps.errors import InputError


@pytest.fixture(params=["compiled", "NumPy"], autouse=True)
def backend(request, monkeypatch):
    if request.param == "NumPy":
        monkeypatch.setattr(resample, "library", lambda: None)
    elif resample.library() is None:
        pytest.skip("no compiled core")


@pytest.mark.parametrize("camera", [tilted_camera(), reversed_camera()], ids=["opencv", "reversed"])
def test_an_undistorted_image_is_what_a_pinhole_would_see(camera):
    image = photograph(camera)

    found, valid = undistort_image(image, camera)

    expected = pattern(*on_board(camera, pinhole_rays(camera)))
    assert 0.75 < valid.mean() <= 1
    assert np.abs(found - expected)[valid].max() < CURVATURE_BOUND
    assert np.abs(image - expected)[valid].max() > 0.2  # the distortion is worth undoing


def test_another_matrix_gives_another_pinhole():
    camera = tilted_camera()
    matrix = camera.matrix * [[0.8], [0.7], [1.0]]

    found, valid = undistort_image(photograph(camera), camera, matrix)

    rays = pinhole_rays(pinhole(camera, matrix))
    assert 0.4 < valid.mean() < 0.9  # it sees more than the raw image holds
    assert np.abs(found - pattern(*on_board(camera, rays)))[valid].max() < CURVATURE_BOUND


def test_a_view_seen_over_the_board_shows_the_board_where_the_other_camera_has_it():
    source, target = tilted_camera(side=-1), tilted_camera(side=1)

    found, valid = warp_view(photograph(source), source, target)

    expected = pattern(*on_board(target, pinhole_rays(target)))
    assert 0.3 < valid.mean() < 1
    assert np.abs(found - expected)[valid].max() < CURVATURE_BOUND


def test_views_without_a_common_frame_are_not_mixed():
    source, target = tilted_camera(), replace(tilted_camera(side=1), frame_id="another")
    with pytest.raises(InputError, match="share no world frame"):
        warp_view(photograph(source), source, target)
    _, valid = warp_view(photograph(source), source, target, common_frame=True)
    assert valid.any()


def test_a_rectified_image_is_the_board_at_a_known_scale():
    camera = tilted_camera()

    board = rectify_board(photograph(camera), camera, um_per_px=400)

    height, width = board.valid.shape
    x = board.origin[0] + 0.4 * np.arange(width)
    y = board.origin[1] + 0.4 * np.arange(height)
    error = np.abs(board.image - pattern(*np.meshgrid(x, y)))[board.valid]
    assert 0.4 < board.valid.mean() < 1
    assert error.max() < 3 * CURVATURE_BOUND  # the far edge has 0.9 mm a pixel
    assert board.valid.any(axis=0).mean() > 0.97 and board.valid.any(axis=1).mean() > 0.97


def test_normals_are_turned_and_stay_unit_vectors():
    camera = tilted_camera()
    height, width = camera.image_size[::-1]
    v, u = np.mgrid[:height, :width] / 40.0
    normals = np.stack([0.4 * np.sin(u), 0.4 * np.cos(v), np.ones_like(u)], -1)
    normals = (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)
    normals[60:70, 90:100] = 0
    turn = camera_to_board(camera)

    found, valid = undistort_normals(normals, None, camera, turn)
    plain, _ = undistort_normals(normals, None, camera)

    np.testing.assert_allclose(np.linalg.norm(found[valid], axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(found[valid], plain[valid] @ turn.T, atol=2e-6)
    # Each component by itself, as an image: the same direction.
    marks = normals.any(axis=-1)
    x, ok = remap_image(undistortion(camera), normals[..., 0], marks)
    z, _ = remap_image(undistortion(camera), normals[..., 2], marks)
    np.testing.assert_array_equal(valid, ok)
    np.testing.assert_allclose((plain[..., 0] * z)[valid], (plain[..., 2] * x)[valid], atol=2e-6)
    assert not found[~valid].any() and 100 <= (~valid[50:80, 80:110]).sum() < 200


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_opencv_gives_the_same_image_within_its_coarser_fractions(dtype, channels):
    rng = np.random.default_rng(1)
    camera = tilted_camera()
    top = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    smooth = cv2.GaussianBlur(rng.random((180, 240, channels)), (0, 0), 3)
    image = (np.squeeze(smooth) * top).astype(dtype)

    found, valid = undistort_image(image, camera, threads=2)

    theirs = cv2.undistort(image, camera.matrix, camera.distortion)
    slope = max(np.abs(np.diff(image.astype(float), axis=a)).max() for a in (0, 1))
    error = np.abs(found.astype(float) - theirs.astype(float))[valid]
    assert error.max() <= 2 * slope / 32 + (0 if dtype is np.float32 else 1)


def test_masks_are_not_averaged():
    camera = tilted_camera()
    labels = np.random.default_rng(2).choice(np.uint8([0, 7, 200]), (180, 240))
    found, _ = undistort_image(labels, camera, interpolation="nearest")
    assert set(np.unique(found)) == {0, 7, 200}


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((180, 239), np.uint8), "239x180 px, but the camera of camera has 240x180 px"),
        (np.zeros((180, 240), np.int32), "type int32; give uint8, uint16 or float32"),
        (np.zeros((180, 240, 4), np.uint8), r"shape \(180, 240, 4\)"),
    ],
)
def test_what_cannot_be_warped_is_refused(image, words):
    with pytest.raises(InputError, match=words):
        undistort_image(image, tilted_camera())


def test_an_unknown_interpolation_is_named():
    with pytest.raises(InputError, match="'cubic' is not linear or nearest"):
        undistort_image(np.zeros((180, 240), np.uint8), tilted_camera(), interpolation="cubic")


@pytest.mark.parametrize("shape", [(0, 240), (180,), ()])
def test_what_is_no_image_is_refused_before_its_size_is_asked(shape):
    camera, image = tilted_camera(), np.zeros(shape, np.float32)
    calls = (
        lambda: undistort_image(image, camera),
        lambda: undistort_normals(image, None, camera),
        lambda: warp_view(image, camera, camera),
        lambda: rectify_board(image, camera, 500.0),
    )
    for call in calls:
        with pytest.raises(InputError, match=r"give \(H, W\) or \(H, W, 3\)"):
            call()


@pytest.mark.parametrize(
    "matrix", [np.eye(2), np.zeros((3, 3)), np.full((3, 3), np.nan), np.diag([np.inf, 1, 1])]
)
def test_a_matrix_that_makes_no_image_is_refused(matrix):
    image = np.zeros((180, 240), np.uint8)
    with pytest.raises(InputError, match=r"matrix: (is not|has no inverse)"):
        undistort_image(image, tilted_camera(), matrix)


@pytest.mark.parametrize("rotation", [np.eye(2), np.ones(3), np.full((3, 3), np.nan)])
def test_a_rotation_has_nine_finite_numbers(rotation):
    """The compiled core would read on beyond a smaller one."""
    normals = np.zeros((180, 240, 3), np.float32)
    with pytest.raises(InputError, match=r"rotation: is not \(3, 3\) finite numbers"):
        undistort_normals(normals, None, tilted_camera(), rotation)
