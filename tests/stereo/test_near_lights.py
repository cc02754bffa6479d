"""Near lights over a known surface: exact renderings come back, and faults have their line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from near_scenes import (
    DISTANCE,
    MM_PER_PX,
    as_distant,
    camera,
    errors,
    lamps,
    plane_scene,
    sight,
    sphere_scene,
)

from mvps.calib import published_cameras, read_camera
from mvps.calib.geometry import undistort_points
from mvps.calib.transforms import board_distance
from mvps.errors import InputError
from mvps.lights import LightRig, from_directions
from mvps.stereo import near_view, solve
from mvps.stereo.near import solve_given
from mvps.stereo.near_view import NearView, Plane

each_look = pytest.mark.parametrize("perspective", [True, False], ids=["camera", "parallel"])
each_lobe = pytest.mark.parametrize("mu", [None, 1.0, 2.7], ids=["even", "lambertian", "narrow"])


@each_look
@each_lobe
@pytest.mark.parametrize("scene_of", [plane_scene, sphere_scene])
def test_a_given_depth_gives_the_exact_normals(scene_of, mu, perspective):
    scene = scene_of(sight(perspective=perspective), lamps(mu=mu))

    found = solve_given(
        scene.images(), scene.rig, scene.view, depth=scene.depth, mask=scene.mask,
        device="reference", quality=True,
    )  # fmt: skip

    assert (found.valid == scene.mask).all()
    # Samples are float32: half a unit of 6e-8 is 4e-6 degrees.
    assert errors(found.normals, scene, scene.mask).max() < 1e-4
    albedo = found.albedo[scene.mask]
    assert albedo.std() < 1e-6 * albedo.mean()
    assert found.residual.max() < 1e-6 and (found.used[scene.mask] == 8).all()


@each_look
def test_the_assumed_plane_is_enough_for_a_plane_where_distant_lights_err_by_degrees(perspective):
    scene = plane_scene(sight(perspective=perspective), lamps(mu=1.0))
    images = scene.images(noise=0.001, dtype="uint16")

    near = solve_given(images, scene.rig, scene.view)
    distant = solve(images, as_distant(scene.rig))

    everywhere = np.ones(near.valid.shape, bool)
    # Noise is 0.1% of white; measured 0.20 and 8.2 degrees.
    assert errors(near.normals, scene, everywhere).mean() < 0.3
    assert errors(distant.normals, scene, everywhere).mean() > 5


def test_far_lamps_give_what_distant_lights_give():
    scene = plane_scene(sight(perspective=True, plane=Plane.tilted(DISTANCE, 20, 70)), lamps())
    rig = replace(scene.rig, intensities=np.ones(len(scene.rig)))  # the same weight to each
    far = replace(rig, positions=rig.directions * 1e9)
    images = scene.images()

    near = solve_given(images, far, scene.view, intensities="reference", device="reference")
    distant = solve(images, far, device="reference")

    np.testing.assert_allclose(near.normals, distant.normals, atol=1e-6)
    np.testing.assert_allclose(near.albedo, distant.albedo, atol=1e-6)


def test_albedo_is_that_of_distant_lights_in_the_middle():
    scene = plane_scene(sight(perspective=True), lamps(mu=1.0))
    images = scene.images()

    near = solve_given(images, scene.rig, scene.view, device="reference").albedo
    target = solve_given(
        images, as_distant_with_positions(scene.rig), scene.view,
        intensities="reference", device="reference",
    ).albedo  # fmt: skip
    distant = solve(images, as_distant(scene.rig), device="reference").albedo

    middle = near.shape[0] // 2, near.shape[1] // 2
    for albedo in (near, target):
        assert albedo.std() < 1e-6 * albedo.mean()
        assert albedo[middle] == pytest.approx(distant[middle], rel=0.02)


def as_distant_with_positions(rig: LightRig) -> LightRig:
    """Intensities as a white target in the middle measures them."""
    middle = sight(perspective=True).reference_point()
    towards = rig.positions - middle
    distance = np.linalg.norm(towards, axis=1)
    lobe = (-(towards * rig.axes).sum(1) / distance) ** rig.mu
    light = rig.intensities * lobe / distance**2
    return replace(rig, intensities=light * rig.intensities.mean() / light.mean())


def test_shadows_are_left_out_by_gated():
    scene = sphere_scene(sight(perspective=True), lamps(), cap=55.0)
    given = {"depth": scene.depth, "mask": scene.mask, "device": "reference"}

    plain = solve_given(scene.images(), scene.rig, scene.view, **given)
    gated = solve_given(scene.images(), scene.rig, scene.view, solver="gated", **given)

    assert errors(plain.normals, scene, scene.mask).max() > 5
    lit = scene.mask & (gated.fallback == 0)
    assert lit.sum() > 0.99 * scene.mask.sum()
    assert errors(gated.normals, scene, lit).max() < 1e-3


@pytest.mark.parametrize("device", ["auto", "cpu", "numpy"])
def test_every_device_agrees(device):
    scene = sphere_scene(sight(perspective=True), lamps(mu=1.0))
    given = {"depth": scene.depth, "mask": scene.mask}

    found = solve_given(scene.images(), scene.rig, scene.view, device=device, **given)
    right = solve_given(scene.images(), scene.rig, scene.view, device="reference", **given)

    np.testing.assert_array_equal(found.valid, right.valid)
    np.testing.assert_allclose(found.normals, right.normals, atol=5e-6)


def test_colours_are_added_up():
    scene = plane_scene(sight(perspective=False), lamps())
    grey = scene.images()
    colour = np.repeat(grey[..., None], 3, axis=3)

    one = solve_given(grey, scene.rig, scene.view)
    three = solve_given(colour, scene.rig, scene.view)

    np.testing.assert_allclose(three.normals, one.normals, atol=2e-6)


def test_pixels_without_a_finite_depth_are_invalid():
    scene = plane_scene(sight(perspective=True), lamps())
    depth = scene.depth.copy()
    depth[3, 5], depth[7, 11], depth[20, :] = np.nan, np.inf, -1

    for device in ("reference", "cpu"):
        found = solve_given(scene.images(), scene.rig, scene.view, depth=depth, device=device)

        assert (found.valid == ((depth > 0) & np.isfinite(depth))).all(), device


@pytest.mark.parametrize("name", ["cam1", "cam2", "cam3", "cam4"])
def test_lines_of_sight_between_nodes_are_exact(name):
    view_camera = read_camera(published_cameras()[name])
    view = NearView(view_camera.image_size, Plane.of_board(view_camera), view_camera)

    found = view.lateral(1000, 1064)

    columns, rows = np.arange(float(view.size[0])), np.arange(1000.0, 1064.0)
    exact = near_view._exact_slopes(view_camera, columns, rows)
    # Measured: 3e-6 px; a pixel is 1/20000 rad.
    assert np.abs(found - exact).max() * view_camera.matrix[0, 0] < 1e-4


def test_the_board_is_the_plane_of_its_camera():
    view_camera = read_camera(published_cameras()["cam1"])

    plane = Plane.of_board(view_camera)

    view = NearView(view_camera.image_size, plane, view_camera)
    lateral = view.lateral(700, 701)[0]
    points = view.points(lateral, view.plane_depth(lateral))
    raw = np.stack([np.arange(4096.0), np.full(4096, 700.0)], -1)
    distance = board_distance(view_camera, undistort_points(view_camera, raw)[0])
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), distance, rtol=1e-9)


@each_look
def test_binned_and_cropped_views_look_at_the_same_points(perspective):
    view = sight((192, 144), perspective=perspective, plane=Plane.tilted(DISTANCE, 15, 40))
    lateral = view.lateral()

    binned = view.binned(4).lateral()
    cropped = view.cropped(10, 20, 50, 40).lateral()

    np.testing.assert_allclose(
        binned, lateral.reshape(36, 4, 48, 4, 2).mean(axis=(1, 3)), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(cropped, lateral[20:60, 10:60], rtol=0, atol=1e-12)


def bad(view=None, rig=None, **options):
    """Solve with one thing wrong."""
    view = view or sight(perspective=True)
    images = np.full((8, view.size[1], view.size[0]), 90, np.uint8)
    solve_given(images, rig or lamps(), view, **options)


def test_lights_without_positions_are_refused():
    with pytest.raises(InputError, match=r"no positions.*--near off"):
        bad(rig=from_directions(lamps().directions))


def test_a_light_behind_the_plane_is_named():
    rig = lamps()
    positions = rig.positions.copy()
    positions[4, 2] = -DISTANCE - 20

    with pytest.raises(InputError, match="light 5 stands 20 mm behind the assumed plane"):
        bad(rig=replace(rig, positions=positions))


def test_a_light_inside_the_part_is_named():
    rig = lamps()
    positions = rig.positions.copy()
    positions[2] = [1.0, 2.0, -290.0]
    depth = np.full((144, 192), 280.0)

    with pytest.raises(InputError, match="light 3 stands 10 mm inside the part"):
        bad(rig=replace(rig, positions=positions), depth=depth)


def test_a_light_that_points_away_is_named():
    rig = lamps(mu=1.0)

    with pytest.raises(InputError, match="light 1 points away from the part"):
        bad(rig=replace(rig, axes=-rig.axes))


def test_mu_without_axes_is_refused():
    with pytest.raises(InputError, match="mu without axes"):
        bad(rig=replace(lamps(), mu=np.full(8, 1.0)))


def test_neither_camera_nor_scale_is_refused():
    with pytest.raises(InputError, match="--camera FILE or --mm-per-px"):
        NearView((192, 144), Plane(DISTANCE))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(InputError, match="not a positive number"):
        NearView((192, 144), Plane(DISTANCE), mm_per_px=scale)


def test_a_plane_behind_the_camera_is_refused():
    with pytest.raises(InputError, match="not in front of the camera"):
        NearView((192, 144), Plane(-5.0), camera())


@pytest.mark.parametrize("tilt", [86.0, 90.0, 120.0])
def test_a_plane_edge_on_is_refused(tilt):
    with pytest.raises(InputError, match="edge-on"):
        Plane.tilted(DISTANCE, tilt)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"solver": "trimmed"}, "use ls or gated"),
        ({"intensities": "watts"}, "none of lamp, reference"),
        ({"device": "abacus"}, "unknown device"),
        ({"mask": np.ones((3, 3))}, "mask: shape"),
        ({"depth": np.ones((3, 3))}, "depth: shape"),
    ],
)
def test_what_near_lights_do_not_know_is_refused(options, what):
    with pytest.raises(InputError, match=what):
        bad(**options)


def test_an_albedo_for_each_colour_is_refused():
    images = np.full((8, 144, 192, 3), 90, np.uint8)

    with pytest.raises(InputError, match="--grey channels: is not there for near lights"):
        solve_given(images, lamps(), sight(perspective=True), grey="channels")


def test_images_of_another_size_than_the_view_are_refused():
    view = NearView((64, 48), Plane(DISTANCE), mm_per_px=MM_PER_PX)

    with pytest.raises(InputError, match=r"\(64, 47\) px, but the view is \(64, 48\)"):
        solve_given(np.zeros((8, 47, 64), np.uint8), lamps(), view)


@pytest.mark.parametrize(
    ("value", "dtype"), [(0, np.uint8), (np.nan, np.float32), (np.inf, np.float32)]
)
def test_black_and_missing_samples_have_no_normal(value, dtype):
    images = np.full((8, 144, 192), value, dtype)

    for device in ("cpu", "reference"):
        found = solve_given(images, lamps(), sight(perspective=True), device=device)

        assert not found.valid.any() and not found.normals.any()
