"""Projecting, undistorting and what the published cameras measure, against OpenCV and COLMAP."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cameras import NAMES, cameras, pixels_of, published

from mvps.calib import Camera
from mvps.calib.camera import DIRECTIONS
from mvps.calib.distortion import is_unfolded, polynomial_jacobian
from mvps.calib.geometry import (
    displacement,
    distort_points,
    field_of_view,
    normalise,
    pixel_grid,
    project,
    to_camera,
    to_world,
    undistort_points,
    undistortion_jacobian,
    unproject,
)
from mvps.errors import InputError

# Measured on the four files: the polynomial applied to every raw pixel of a grid of 200 x 150 (px,
# largest and mean), its smallest determinant; what undistorting moves the same pixels by.
MEASURED = {
    "cam1": ((298, 132), 0.840, (344, 145)),
    "cam2": ((148, 32), 0.801, (181, 34)),
    "cam3": ((37, 8), 0.971, (38, 8)),
    "cam4": ((36, 8), 0.972, (37, 8)),
}


def world_points(camera: Camera, count: int, seed: int) -> np.ndarray:
    """Random points (count, 3) of the world that fall inside the image."""
    rays, valid = unproject(camera, pixels_of(camera, count, seed))
    assert valid.all()
    depth = np.random.default_rng(seed).uniform(50, 500, (count, 1))
    return to_world(camera, rays * depth)


def plain(**changes) -> Camera:
    camera = Camera(
        matrix=[[1000, 0, 319.5], [0, 1000, 239.5], [0, 0, 1]],
        distortion=np.zeros(12),
        image_size=(640, 480),
        rotation=np.eye(3),
        translation=[0, 0, 100],
    )
    return replace(camera, **changes)


@pytest.mark.parametrize("name", NAMES)
def test_a_published_camera_displaces_its_pixels_by_what_was_measured(name):
    (largest, mean), determinant, back = MEASURED[name]

    found = displacement(published(name))

    assert (round(found.forward_max), round(found.forward_mean)) == (largest, mean)
    assert round(found.smallest_determinant, 3) == determinant
    assert (round(found.undistort_max), round(found.undistort_mean)) == back
    assert found.unconverged == 0


def largest_loop_error(camera: Camera, first_rows: range, rows: int) -> float:
    worst = 0.0
    for y in first_rows:
        pixels = pixel_grid(camera, y, y + rows)
        undistorted, valid = undistort_points(camera, pixels)
        again, unfolded = distort_points(camera, undistorted)
        assert valid.all() and unfolded.all()
        worst = max(worst, float(np.abs(again - pixels).max()))
    return worst


@pytest.mark.parametrize("name", NAMES)
def test_distorting_after_undistorting_returns_to_every_pixel(name):
    assert largest_loop_error(published(name), range(0, 3000, 20), 20) < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_the_loop_closes_as_well_where_the_polynomial_undistorts(name):
    camera = replace(published(name), distortion_direction=DIRECTIONS[1])

    assert largest_loop_error(camera, range(0, 3000, 75), 1) < 1e-6


@settings(max_examples=30, deadline=None)
@given(cameras(directions=DIRECTIONS[:1]), st.integers(0, 99))
def test_project_equals_opencv(camera, seed):
    cv2 = pytest.importorskip("cv2")
    world = world_points(camera, 100, seed)
    rotation_vector = cv2.Rodrigues(camera.rotation)[0]
    # through the matrix that OpenCV makes of the vector, or its rounding would be in the difference
    camera = replace(camera, rotation=cv2.Rodrigues(rotation_vector)[0])

    got, valid = project(camera, world)

    expected, _ = cv2.projectPoints(
        world, rotation_vector, camera.translation, camera.matrix, camera.distortion
    )
    assert valid.all()
    assert np.abs(got - expected[:, 0]).max() < 1e-9


@settings(max_examples=30, deadline=None)
@given(cameras(directions=DIRECTIONS[:1], prism=False), st.integers(0, 99))
def test_project_equals_colmap_whose_first_pixel_centre_is_at_one_half(camera, seed):
    pycolmap = pytest.importorskip("pycolmap")
    world = world_points(camera, 100, seed)
    K = camera.matrix
    theirs = pycolmap.Camera(
        model="FULL_OPENCV",
        width=camera.image_size[0],
        height=camera.image_size[1],
        params=[K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, *camera.distortion[:8]],
    )

    got, valid = project(camera, world)

    expected = np.asarray(theirs.img_from_cam(to_camera(camera, world)))
    assert valid.all()
    assert np.abs(got + 0.5 - expected).max() < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_undistorting_a_published_camera_is_what_opencv_converges_to(name):
    cv2 = pytest.importorskip("cv2")
    camera = published(name)
    pixels = pixels_of(camera, 500)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 1000, 1e-12)

    expected = cv2.undistortPoints(
        pixels[:, None], camera.matrix, camera.distortion, P=camera.matrix, criteria=criteria
    )

    assert np.abs(undistort_points(camera, pixels)[0] - expected[:, 0]).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(cameras(skewed=True), st.integers(0, 99))
def test_a_pixel_sees_the_points_of_its_ray_at_any_depth(camera, seed):
    pixels = pixels_of(camera, 50, seed)
    rays, valid = unproject(camera, pixels)
    assert valid.all()
    assert np.linalg.norm(rays, axis=-1) == pytest.approx(1, abs=1e-14)

    for depth in (1.0, 300.0, 1e6):
        again, seen = project(camera, to_world(camera, depth * rays))
        assert seen.all()
        assert np.abs(again - pixels).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(cameras(skewed=True))
def test_undistorted_pixels_are_those_of_a_pinhole_camera(camera):
    world = world_points(camera, 50, 0)
    raw, _ = project(camera, world)

    undistorted, valid = undistort_points(camera, raw)

    point = to_camera(camera, world) @ camera.matrix.T
    assert valid.all()
    assert np.abs(undistorted - point[:, :2] / point[:, 2:]).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(cameras(skewed=True))
def test_another_matrix_for_the_undistorted_image_changes_its_pixels_alone(camera):
    matrix = camera.matrix * [[0.5], [0.5], [1]] + [[0, 0, 7], [0, 0, -3], [0, 0, 0]]
    pixels = pixels_of(camera, 50)

    own, _ = undistort_points(camera, pixels)
    other, _ = undistort_points(camera, pixels, matrix=matrix)
    again, _ = distort_points(camera, other, matrix=matrix)

    assert np.abs(other - (own / 2 + [7, -3])).max() < 1e-9
    assert np.abs(again - pixels).max() < 1e-6


def test_the_other_direction_swaps_what_is_applied_and_what_is_inverted():
    camera = published("cam1")
    other = replace(camera, distortion_direction="distorted_to_undistorted")
    pixels = pixels_of(camera)

    assert np.array_equal(undistort_points(other, pixels)[0], distort_points(camera, pixels)[0])
    assert np.array_equal(distort_points(other, pixels)[0], undistort_points(camera, pixels)[0])
    moved = displacement(other)
    # the polynomial is now what undistorts: 298 / 132 px and not 344 / 145
    assert (round(moved.undistort_max), round(moved.undistort_mean)) == (298, 132)
    assert moved.forward_max == moved.undistort_max


def test_what_lies_behind_the_camera_or_in_its_plane_is_not_seen():
    camera = plain()

    pixels, valid = project(camera, [[0, 0, 0], [0, 0, -100], [1, 0, -100], [0, 0, -200]])

    assert valid.tolist() == [True, False, False, False]
    assert pixels[0] == pytest.approx([319.5, 239.5])
    assert np.isnan(pixels[1:]).all()


def test_what_lies_beyond_the_fold_is_not_seen():
    # r - r^3 / 3 folds at r = 1, at an image radius of 2/3
    camera = plain(distortion=[-1 / 3, *[0] * 11], translation=[0, 0, 0])

    _, valid = project(camera, [[0.99, 0, 1], [1.01, 0, 1], [0, -1.7, 1]])
    assert valid.tolist() == [True, False, False]
    rays, valid = unproject(camera, [[319.5 + 660, 239.5], [319.5 + 670, 239.5]])
    assert valid.tolist() == [True, False]
    assert np.isnan(rays[1]).all()
    fold = displacement(camera, [[319.5 + 670, 239.5], [319.5, 239.5]])
    assert (fold.unconverged, fold.undistort_max) == (1, 0.0)
    assert np.isnan(displacement(camera, [[319.5 + 670, 239.5]]).undistort_max)


def test_field_of_view_of_a_centred_pinhole_camera_is_twice_the_half_angle():
    x, y, diagonal = field_of_view(plain())

    assert x == pytest.approx(2 * np.degrees(np.arctan(0.320)), abs=1e-12)
    assert y == pytest.approx(2 * np.degrees(np.arctan(0.240)), abs=1e-12)
    assert diagonal == pytest.approx(2 * np.degrees(np.arctan(0.400)), abs=1e-12)


def test_field_of_view_of_an_image_beside_the_principal_point_is_narrower():
    _, y, _ = field_of_view(plain(matrix=[[1000, 0, 319.5], [0, 1000, -400.5], [0, 0, 1]]))

    # rows -0.5 and 479.5 lie 400 and 880 below the principal point
    assert y == pytest.approx(np.degrees(np.arctan(0.88) - np.arctan(0.40)), abs=1e-12)


# Measured on the four files; 2 atan(w / 2f) would say 12.04, 11.93, 13.49 and 13.10 across.
@pytest.mark.parametrize(
    ("name", "degrees"),
    [
        ("cam1", (12.288, 9.063, 15.299)),
        ("cam2", (11.665, 8.609, 14.705)),
        ("cam3", (13.533, 9.938, 16.750)),
        ("cam4", (13.089, 9.573, 16.198)),
    ],
)
def test_field_of_view_of_the_published_cameras(name, degrees):
    assert field_of_view(published(name)) == pytest.approx(degrees, abs=5.1e-4)


def test_field_of_view_is_not_a_number_where_a_border_sees_nothing():
    assert np.isnan(field_of_view(plain(distortion=[-5.0, *[0] * 11]))[2])


def test_pixel_grid_holds_x_and_y_of_pixel_centres():
    camera = plain()

    assert pixel_grid(camera).shape == (480, 640, 2)
    assert pixel_grid((640, 480), 100, 102)[1, 5].tolist() == [5, 101]
    strided = pixel_grid(camera, 10, step=100)
    assert strided[:, 0, 1].tolist() == [10, 110, 210, 310, 410]
    assert strided[0, :, 0].tolist() == [0, 100, 200, 300, 400, 500, 600]


@settings(max_examples=30, deadline=None)
@given(cameras(skewed=True))
def test_the_jacobian_of_undistorting_is_its_derivative(camera):
    pixels = pixels_of(camera, 20)
    h = 1e-3 * max(camera.image_size)  # central differences err by h^2 times a third derivative
    expected = np.stack(
        [
            (undistort_points(camera, pixels + d)[0] - undistort_points(camera, pixels - d)[0])
            / (2 * h)
            for d in np.array([[h, 0], [0, h]])
        ],
        axis=-1,
    )

    assert np.abs(undistortion_jacobian(camera, pixels) - expected).max() < 1e-4


def test_the_jacobian_of_undistorting_is_not_a_number_beyond_the_fold():
    camera = plain(distortion=[-1 / 3, *[0] * 11])

    assert np.isnan(undistortion_jacobian(camera, [[319.5 + 670, 239.5]])).all()


@settings(max_examples=30, deadline=None)
@given(cameras())
def test_random_cameras_of_these_tests_do_not_fold(camera):
    points = normalise(camera.matrix, pixels_of(camera, 100))

    assert is_unfolded(camera.distortion, points).all()
    assert np.linalg.det(polynomial_jacobian(camera.distortion, points)).min() > 0.2


def test_world_and_camera_coordinates_are_inverse():
    camera = published("cam2")
    points = np.random.default_rng(0).normal(0, 100, (4, 5, 3))

    assert np.abs(to_world(camera, to_camera(camera, points)) - points).max() < 1e-12 * 1e3
    assert to_world(camera, [0, 0, 0]) == pytest.approx(camera.centre(), abs=1e-12)


def test_a_camera_without_pose_projects_nothing():
    camera = plain(rotation=None, translation=None)

    with pytest.raises(InputError, match="camera: holds no rotation and translation"):
        project(camera, [0, 0, 0])
    assert unproject(camera, [319.5, 239.5])[0].tolist() == [0, 0, 1]
