"""Resized, cropped and paired cameras see what the pictures they stand for would show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cameras import NAMES, cameras, pixels_of, published, rotation

from mvps.calib import Camera
from mvps.calib.geometry import (
    label,
    normalise,
    project,
    to_camera,
    to_pixels,
    to_world,
    undistort_points,
    unproject,
)
from mvps.calib.transforms import (
    NORMAL_FLIP,
    bin_camera,
    board_distance,
    board_homography,
    board_points,
    board_scale,
    board_tilt,
    camera_to_board,
    crop_camera,
    homography_from_pose,
    inverse_depth_of_plane,
    pinhole,
    plane_homography,
    relative_pose,
    resize_camera,
    rotate_normals,
    rotation_between_views,
)
from mvps.errors import InputError

DEEP = settings(max_examples=30, deadline=None)

# Measured on the four files at the undistorted pixel in the middle of the image: mm along its ray
# to the board, um on the board per px in x and y, and degrees between optical axis and board.
MEASURED = {
    "cam1": (267.6, (13.6, 18.9), 37.9),
    "cam2": (283.0, (14.1, 19.9), 49.2),
    "cam3": (244.8, (14.1, 20.3), 44.9),
    "cam4": (256.5, (14.3, 20.5), 44.6),
}


def seen(camera: Camera, count: int = 50) -> np.ndarray:
    """Points (count, 3) of the world inside the image of a camera."""
    rays, _ = unproject(camera, pixels_of(camera, count))
    return to_world(camera, 250 * rays)


def applied(matrix: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A homography applied to points (n, 2), and the third component of the products."""
    product = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return product[:, :2] / product[:, 2:], product[:, 2]


@DEEP
@given(cameras(skewed=True), st.floats(0.1, 3), st.booleans())
def test_a_resized_camera_sees_the_pixel_whose_area_it_covers(camera, factor, stretched):
    width, height = camera.image_size
    size = (max(1, round(width * factor)), max(1, round(height * factor * (1 + stretched))))
    sx, sy = size[0] / width, size[1] / height

    small = resize_camera(camera, size, allow_aspect=True)

    assert small.image_size == size
    before, _ = project(camera, seen(camera))
    after, _ = project(small, seen(camera))
    # the left edge of the image, -0.5, stays -0.5
    assert np.abs(after - ((before + 0.5) * [sx, sy] - 0.5)).max() < 1e-8


@DEEP
@given(cameras(skewed=True), st.integers(1, 16))
def test_a_binned_camera_sees_the_mean_of_its_pixels(camera, n):
    binned = bin_camera(camera, n)

    before, _ = project(camera, seen(camera))
    after, _ = project(binned, seen(camera))
    # pixel (0, 0) of the binned image is the mean of 0 .. n-1, whose middle is (n - 1) / 2
    assert np.abs(after - (before - (n - 1) / 2) / n).max() < 1e-8
    assert binned.image_size == (camera.image_size[0] // n, camera.image_size[1] // n)


@DEEP
@given(cameras(skewed=True), st.integers(0, 40), st.integers(0, 40))
def test_a_cropped_camera_counts_pixels_from_its_corner(camera, x, y):
    cropped = crop_camera(camera, x, y, 20, 10)

    before, _ = project(camera, seen(camera))
    after, _ = project(cropped, seen(camera))
    assert np.abs(after - (before - [x, y])).max() < 1e-9
    assert cropped.image_size == (20, 10)


@pytest.mark.parametrize("name", NAMES)
def test_changes_carry_the_stated_homography_along(name):
    camera = published(name)
    for changed in (
        resize_camera(camera, (1024, 750)),
        bin_camera(camera, 4),
        crop_camera(camera, 100, 200, 300, 400),
        pinhole(camera, matrix=camera.matrix * [[2], [2], [1]]),
        pinhole(camera),
    ):
        expected = homography_from_pose(changed)
        assert changed.homography / expected == pytest.approx(np.ones((3, 3)), abs=1e-12)


def test_cropping_and_binning_undo_no_distortion_and_keep_the_frame():
    camera = published("cam3")

    binned = bin_camera(crop_camera(camera, 0, 0, 4000, 3000), 2)

    assert np.array_equal(binned.distortion, camera.distortion)
    assert binned.frame_id == camera.frame_id
    assert np.array_equal(binned.rotation, camera.rotation)
    assert binned.source == camera.source


def test_sizes_that_cannot_be_are_refused():
    camera = published("cam1")

    with pytest.raises(InputError, match="4096 x 3000; 3648 x 5472 has another aspect ratio"):
        resize_camera(camera, (3648, 5472))
    assert resize_camera(camera, (1000, 733)).image_size == (1000, 733)  # 732.4 rounded up
    with pytest.raises(InputError, match="another aspect ratio"):
        resize_camera(camera, (1000, 740))
    with pytest.raises(InputError, match="cannot be resized to 0 x 5"):
        resize_camera(camera, (0, 5))
    for part in ((-1, 0, 5, 5), (0, 0, 4097, 5), (4000, 2999, 5, 2), (0, 0, 0, 5)):
        with pytest.raises(InputError, match="is not inside its image of 4096 x 3000"):
            crop_camera(camera, *part)
    for n in (0, 3001):
        with pytest.raises(InputError, match=f"cannot be binned by {n}"):
            bin_camera(camera, n)


@DEEP
@given(cameras(skewed=True))
def test_a_pinhole_camera_takes_the_undistorted_image(camera):
    raw, _ = project(camera, seen(camera))
    plain = pinhole(camera)

    straight, _ = project(plain, seen(camera))

    assert not plain.distortion.any()
    assert np.abs(straight - undistort_points(camera, raw)[0]).max() < 1e-6
    assert pinhole(camera, size=(7, 5)).image_size == (7, 5)


@DEEP
@given(cameras(skewed=True))
def test_the_board_homography_is_the_projection_of_points_of_the_board(camera):
    board = np.random.default_rng(0).uniform(-20, 20, (50, 2))
    world = np.column_stack([board, np.zeros(50)])

    pixels, depth = applied(homography_from_pose(camera), board)

    points = to_camera(camera, world)
    assert np.abs(pixels - to_pixels(camera.matrix, points[:, :2] / points[:, 2:])).max() < 1e-7
    # the scale: depth over that of the board's origin
    assert depth == pytest.approx(points[:, 2] / camera.translation[2], abs=1e-12)
    assert np.abs(board_points(camera, pixels) - board).max() < 1e-7


def test_a_stated_homography_goes_before_matrix_and_pose():
    camera = published("cam1")
    stated = camera.homography * [[1.01], [1], [1]]

    assert np.array_equal(board_homography(replace(camera, homography=stated)), stated)
    derived = board_homography(replace(camera, homography=None))
    assert derived / camera.homography == pytest.approx(np.ones((3, 3)), abs=1e-13)
    with pytest.raises(InputError, match=r"cam1\.yml: holds no rotation and translation"):
        board_homography(replace(camera, homography=None, rotation=None, translation=None))


@pytest.mark.parametrize("name", NAMES)
def test_a_published_camera_resolves_its_board_as_was_measured(name):
    distance, scale, tilt = MEASURED[name]
    camera = published(name)

    assert round(float(board_distance(camera)), 1) == distance
    assert tuple(np.round(board_scale(camera), 1)) == scale
    assert round(board_tilt(camera), 1) == tilt


@DEEP
@given(cameras(skewed=True), st.booleans())
def test_the_scale_is_the_way_on_the_board_of_one_step_of_a_pixel(camera, raw):
    pixels = pixels_of(camera, 10)
    h = 1e-3
    right, below = np.array([h, 0]), np.array([0, h])

    def board(px):
        return board_points(camera, undistort_points(camera, px)[0] if raw else px)

    across = np.linalg.norm(board(pixels + right) - board(pixels - right), axis=1) / (2 * h)
    down = np.linalg.norm(board(pixels + below) - board(pixels - below), axis=1) / (2 * h)

    expected = 1000 * np.stack([across, down], axis=1)
    row = inverse_depth_of_plane(camera)
    use = np.abs(pixels @ row[:2] + row[2]) > 1e-3  # within 1 m: near the horizon a pixel is metres
    assert board_scale(camera, pixels, raw=raw)[use] == pytest.approx(expected[use], rel=1e-3)


def test_a_camera_that_faces_a_board_squarely_resolves_it_by_distance_over_focal_length():
    camera = Camera(
        matrix=[[2000, 0, 320], [0, 1000, 240], [0, 0, 1]],
        distortion=np.zeros(12),
        image_size=(641, 481),
        rotation=np.diag([1.0, -1, -1]),
        translation=[3, -4, 500],
    )

    assert board_scale(camera) == pytest.approx([250, 500])
    assert board_distance(camera) == pytest.approx(500)
    # at 1.5 focal lengths in x off the axis: 500 sqrt(1 + 1.5^2)
    assert board_distance(camera, [[3320, 240]]) == pytest.approx([500 * np.sqrt(3.25)])
    assert board_tilt(camera) == 0
    assert board_points(camera, [320, 240]) == pytest.approx([-3, -4])


def test_a_ray_that_misses_the_board_has_infinite_length():
    steep = Camera(
        matrix=[[1000, 0, 500], [0, 1000, 500], [0, 0, 1]],
        distortion=np.zeros(12),
        image_size=(1001, 1001),
        rotation=rotation([np.radians(-80), 0, 0]),
        translation=[0, 0, 100],
    )

    assert board_tilt(steep) == pytest.approx(80)
    # the lower the pixel, the nearer the board, whose horizon is 10 degrees up: 500 - 176 px
    assert np.isfinite(board_distance(steep, [[500, 1000], [500, 500], [500, 324]])).all()
    assert np.isinf(board_distance(steep, [[500, 323], [500, 0]])).all()


@DEEP
@given(cameras(), cameras())
def test_the_relative_pose_takes_coordinates_of_one_camera_to_the_other(a, b):
    world = np.random.default_rng(0).normal(0, 50, (20, 3))

    R, t = relative_pose(a, b)
    back, s = relative_pose(b, a)

    assert to_camera(a, world) @ R.T + t == pytest.approx(to_camera(b, world), abs=1e-10)
    assert back @ R == pytest.approx(np.eye(3), abs=1e-13)
    assert back @ t + s == pytest.approx(np.zeros(3), abs=1e-10)


def test_views_without_a_common_frame_are_mixed_only_when_it_is_stated():
    a, b = published("cam1"), published("cam2")

    for pair in ((a, b), (replace(a, frame_id=""), replace(b, frame_id=""))):
        with pytest.raises(InputError, match="share no world frame") as caught:
            relative_pose(*pair)
        assert label(a) in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(InputError, match="share no world frame"):
            plane_homography(*pair)
        with pytest.raises(InputError, match="share no world frame"):
            rotation_between_views(*pair)
    R, _ = relative_pose(a, b, common_frame=True)
    assert pytest.approx(b.rotation @ a.rotation.T) == R


@DEEP
@given(cameras(tilt=0.3), cameras(tilt=0.3), st.integers(0, 99))
def test_the_plane_homography_maps_the_pixels_of_points_of_the_plane(source, target, seed):
    rng = np.random.default_rng(seed)
    normal = np.array([0, 0, -1]) + rng.uniform(-0.3, 0.3, 3)
    offset = float(rng.uniform(-20, 20))
    # any length of the normal states the same plane
    plane = (*(2 * normal).tolist(), 2 * offset)
    span = np.linalg.svd(normal[None])[2][1:]
    world = normal * offset / (normal @ normal) + rng.uniform(-40, 40, (30, 2)) @ span

    def straight(camera):
        points = to_camera(camera, world)
        return to_pixels(camera.matrix, points[:, :2] / points[:, 2:]), points[:, 2]

    (there, there_depth), (here, here_depth) = straight(source), straight(target)
    mapped, depth = applied(plane_homography(source, target, plane), here)
    back, _ = applied(plane_homography(target, source, plane), there)

    assert np.abs(mapped - there).max() < 1e-6
    assert np.abs(back - here).max() < 1e-6
    # the third component is the depth in the source over that in the target
    assert depth == pytest.approx(there_depth / here_depth, rel=1e-9)
    row = inverse_depth_of_plane(target, plane)
    assert here @ row[:2] + row[2] == pytest.approx(1 / here_depth, rel=1e-9)


def test_a_pixel_above_the_horizon_of_the_plane_is_told_by_its_sign():
    camera = replace(published("cam1"), distortion=np.zeros(12))
    row = inverse_depth_of_plane(camera)
    rays = np.array([[0.0, -5, 1], [0.0, 5, 1]])
    world = to_world(camera, rays) - camera.centre()
    pixels = to_pixels(camera.matrix, rays[:, :2])

    # a ray meets the board when it goes to the side on which the board lies
    meets = world[:, 2] * -camera.centre()[2] > 0
    assert ((pixels @ row[:2] + row[2]) > 0).tolist() == meets.tolist()
    assert sorted(meets.tolist()) == [False, True]


def test_planes_without_a_view_of_them_are_refused():
    a = published("cam1")
    x, y, z = a.centre()
    other_side = replace(a, translation=-a.rotation @ np.array([x, y, -z]))

    with pytest.raises(InputError, match="see opposite sides of the plane"):
        plane_homography(a, other_side)
    with pytest.raises(InputError, match="lies in the plane"):
        plane_homography(a, a, (0, 0, 1, float(z)))
    for plane in ((0, 0, 0, 1), (0, 0, np.nan, 1)):
        with pytest.raises(InputError, match="is not nx ny nz d with a normal"):
            inverse_depth_of_plane(a, plane)


def test_a_board_that_faces_the_camera_has_the_normals_that_are_documented():
    # OpenCV's frame and the board's agree: z of both points away from the camera
    square = replace(published("cam1"), rotation=np.eye(3))
    facing = np.array([[0, 0, 1]])

    assert rotate_normals(facing, camera_to_board(square)).tolist() == [[0, 0, -1]]
    assert rotate_normals(facing, camera_to_board(square, board_up=True)).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("name", NAMES)
def test_the_normal_of_the_board_seen_by_a_published_camera_is_its_axis(name):
    camera = published(name)
    # the board's -z in OpenCV's camera frame, written with y up and z to the camera
    normal = NORMAL_FLIP @ camera.rotation @ [0, 0, -1]

    assert normal[2] == pytest.approx(np.cos(np.radians(board_tilt(camera))))
    assert camera_to_board(camera) @ normal == pytest.approx([0, 0, -1], abs=1e-12)
    assert camera_to_board(camera, board_up=True) @ normal == pytest.approx([0, 0, 1], abs=1e-12)


@DEEP
@given(cameras(), cameras())
def test_normals_pass_between_views_by_way_of_the_board(a, b):
    for board_up in (False, True):
        to_a, to_b = camera_to_board(a, board_up), camera_to_board(b, board_up)
        assert rotation_between_views(a, b) == pytest.approx(to_b.T @ to_a, abs=1e-12)
        assert np.linalg.det(to_a) == pytest.approx(1)


@DEEP
@given(cameras(), st.integers(0, 99))
def test_rotated_normals_are_unit_and_zero_stays_zero(camera, seed):
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(6, 7, 3))
    normals[0, 0] = 0
    normals[1, 1] = np.nan

    turned = rotate_normals(normals, camera_to_board(camera))

    assert turned.dtype == np.float32 and turned.shape == normals.shape
    assert not turned[0, 0].any() and not turned[1, 1].any()
    turned[0, 0] = turned[1, 1] = normals[0, 0] = normals[1, 1] = 1
    expected = normals @ camera_to_board(camera).T
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    kept = np.ones((6, 7), dtype=bool)
    kept[0, 0] = kept[1, 1] = False
    assert np.abs(turned - expected)[kept].max() < 1e-6
    assert np.abs(np.linalg.norm(turned, axis=-1)[kept] - 1).max() < 1e-6


def test_normalised_points_and_pixels_are_inverse():
    K = np.array([[900, 3, 100], [0, 1100, -50], [0, 0, 1.0]])
    points = np.random.default_rng(0).normal(size=(5, 4, 2))

    assert np.abs(normalise(K, to_pixels(K, points)) - points).max() < 1e-14
