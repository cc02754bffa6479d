"""Truth against closed forms and against itself: normals, depth, labels, masks, the board."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synth_scenes import MATT, ball, degrees, matt_scene, needs_mitsuba, relief, tile

from mvps.calib import published_cameras, read_camera
from mvps.calib.geometry import pixel_grid, undistort_points, unproject
from mvps.calib.transforms import crop_camera
from mvps.lights import from_directions
from mvps.synth.materials import preset
from mvps.synth.mesh import make_mesh
from mvps.synth.renderer import NOTHING, PLATE, Renderer
from mvps.synth.scene import Scene
from mvps.synth.views import View, camera_in_world, five_views, published_views, ring

FLIP = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module", autouse=True)
def _renders() -> None:
    needs_mitsuba()


@pytest.mark.parametrize("name", ["top", "left"])
def test_a_ball_has_the_normals_depth_and_height_of_a_ball(name: str) -> None:
    renderer = Renderer(matt_scene(ball(), ground=True))
    view = next(v for v in five_views(10.0, (128, 128)) if v.name == name)
    truth = renderer.truth(view)
    rays, _ = unproject(view.camera, pixel_grid(view.camera))
    centre, world = view.camera.centre(), rays @ view.camera.rotation
    apart = centre - np.array([0, 0, 5.0])
    b = (world * apart).sum(-1)
    distance = -b - np.sqrt(np.maximum(b * b - apart @ apart + 25.0, 0))
    points = centre + distance[..., None] * world
    normals = (points - [0, 0, 5.0]) / 5 @ view.camera.rotation.T @ FLIP
    # The middles of facets of 1.6 degrees lie 4.9e-4 mm inside the ball, seen at a cosine of 0.3.
    front = truth.part & (normals[..., 2] > 0.3)
    assert np.abs(truth.depth - distance * rays[..., 2])[front].max() < 2e-3
    assert np.abs(truth.height - points[..., 2])[front].max() < 2e-3
    assert degrees(truth.normals, normals)[front].max() < 0.03
    assert np.abs(truth.height[~truth.part]).max() < 1e-9


def test_normals_agree_with_finite_differences_of_depth() -> None:
    """Median of 0.5 degrees is required; the waves are smooth, so far less is left."""
    view = five_views(10.0, (200, 200), centre_height_mm=1.0)[2]
    truth = Renderer(matt_scene(relief())).truth(view)
    rays, _ = unproject(view.camera, pixel_grid(view.camera))
    points = (rays / rays[..., 2:] * truth.depth[..., None]) @ FLIP
    across, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
    normals = np.cross(down, across)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    inner = truth.part[1:-1, 1:-1] & np.isfinite(normals).all(axis=-1)
    error = degrees(truth.normals[1:-1, 1:-1], normals)[inner]
    assert inner.sum() > 10_000
    assert np.median(error) < 0.1


def test_labels_parts_plate_and_nothing_are_told_apart() -> None:
    part = ball(rings=32)
    label = np.where(part.vertices[part.faces].mean(axis=1)[:, 0] > 0, 3, 0).astype(np.int16)
    scene = replace(matt_scene(replace(part, label=label), ground=True), ground_size_mm=12.0)
    renderer = Renderer(scene)
    view = five_views(20.0, (100, 100), centre_height_mm=5.0)[0]
    truth, seen = renderer.truth(view), renderer.seen(view)
    assert set(np.unique(truth.label)) == {0, 3}
    rows, columns = np.nonzero(truth.label == 3)
    assert columns.min() >= 49
    assert np.array_equal(truth.part, seen.face >= 0)
    assert np.array_equal(np.isnan(truth.depth), seen.face == NOTHING)
    assert (seen.face == PLATE).any() and (seen.face == NOTHING).any()
    assert np.array_equal(truth.depth, seen.depth, equal_nan=True)
    assert not truth.normals[seen.face == NOTHING].any()
    assert rows.size > 500


def test_albedo_is_the_colour_and_highlights_lie_where_a_mirror_would_send_the_lamp() -> None:
    matt = Renderer(matt_scene(ball())).truth(five_views(10.0, (64, 64))[0])
    assert np.allclose(matt.albedo[matt.part], MATT.colour, atol=1e-6)
    assert not matt.highlight.any()
    scene = Scene(ball(), {"part": preset("ceramic")})
    view = five_views(10.0, (128, 128), lights=from_directions([[0.6, 0, 0.8]]))[0]
    truth = Renderer(scene).truth(view)
    half = np.array([0.6, 0, 1.8]) / np.linalg.norm([0.6, 0, 1.8])
    apart = degrees(truth.normals, np.broadcast_to(half, truth.normals.shape))
    assert truth.highlight[0][truth.part & (apart < 2)].all()
    assert not truth.highlight[0][truth.part & (apart > 35) & (apart < 60)].any()
    assert not (truth.highlight & truth.shadow).any()


@pytest.mark.parametrize("name", ["cam1", "cam2", "cam3", "cam4"])
def test_the_board_is_rendered_where_the_calibration_file_says(name: str) -> None:
    """Corners of 1 mm squares, undistorted, against H of the file: 0.05 px is required."""
    cv2 = pytest.importorskip("cv2")
    whole = read_camera(published_cameras()[name])
    world = camera_in_world(whole)
    window = crop_camera(world, 1900, 1400, 360, 240)
    undistorted, _ = undistort_points(whole, np.array([[2080.0, 1520.0]]))
    middle = _apply(np.linalg.inv(whole.homography), undistorted)[0].round()
    scene, corners = _board(middle * [1, -1])
    view = View(name, window, ring(4, 30.0))
    image = Renderer(scene).light_images(view, samples=64).sum(axis=0)[..., 1]
    expected_raw, expected = _where(whole, corners * [1, -1])
    local = expected_raw - [1900, 1400]
    inside = ((local > 25) & (local < [334, 214])).all(axis=1)
    assert inside.sum() >= 4
    # A saddle stays where it is under a blur; sharp edges would draw it to the middles of pixels.
    shade = cv2.GaussianBlur((255 * image / image.max()).astype(np.float32), (0, 0), 2.0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-4)
    start = np.ascontiguousarray(local[inside], np.float32)
    found = cv2.cornerSubPix(shade, start, (8, 8), (-1, -1), stop) + np.array([1900.0, 1400.0])
    measured, valid = undistort_points(whole, found.astype(np.float64))
    assert valid.all()
    assert np.abs(measured - expected[inside]).max() < 0.05


def test_published_views_look_at_the_plate_from_above() -> None:
    views = published_views(image_size=(205, 150))
    renderer = Renderer(matt_scene(tile(400.0)))
    for view in views:
        assert view.camera.centre()[2] > 100
        normals = renderer.truth(view).normals
        assert (normals[..., 2][normals.any(axis=-1)] > 0).all()


def _board(middle: np.ndarray, squares: int = 12):
    """Black and white squares of 1 mm about ``middle`` in the world; their inner corners."""
    line = np.arange(squares + 1) - squares / 2
    x, y = np.meshgrid(line, line)
    vertices = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3) + np.array([*middle, 0])
    number = np.arange(vertices.shape[0]).reshape(squares + 1, squares + 1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    faces = np.stack([a, b, c, a, c, d], -1).reshape(-1, 3)
    black = (np.add.outer(np.arange(squares), np.arange(squares)) % 2).ravel().repeat(2)
    mesh = make_mesh(vertices, faces)
    mesh = replace(mesh, material=black.astype(np.int16), materials=("white", "black"))
    looks = {"white": replace(MATT, colour=(0.9,) * 3), "black": replace(MATT, colour=(0.05,) * 3)}
    inner = number[1:-1, 1:-1].ravel()
    return Scene(mesh, looks), vertices[inner, :2]


def _where(camera, board: np.ndarray):
    """Raw and undistorted pixels of board points (n, 2) by the homography of the file."""
    from mvps.calib.geometry import distort_points

    undistorted = _apply(camera.homography, board)
    return distort_points(camera, undistorted)[0], undistorted


def _apply(H: np.ndarray, points: np.ndarray) -> np.ndarray:
    mapped = np.column_stack([points, np.ones(len(points))]) @ H.T
    return mapped[:, :2] / mapped[:, 2:]
