"""Rendered stacks against closed forms: Lambert's law, shadows, lamps near the part, seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synth_scenes import MATT, ball, degrees, matt_scene, needs_llvm, needs_mitsuba, relief, tile

from mvps.calib.geometry import pixel_grid, to_world, unproject
from mvps.errors import InputError
from mvps.lights import LightRig, from_directions
from mvps.stereo import solve
from mvps.synth.materials import PRESETS, preset
from mvps.synth.mesh import join, make_mesh
from mvps.synth.renderer import Renderer
from mvps.synth.scene import Scene
from mvps.synth.sensor import Sensor, expose, exposure_for
from mvps.synth.views import FIVE, five_views, ring

FLIP = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module", autouse=True)
def _renders() -> None:
    needs_mitsuba()


@pytest.mark.parametrize("shape", ["ball", "relief"])
def test_normals_of_a_matt_part_come_back_from_sixteen_bit_images(shape: str) -> None:
    """Median below 0.05 degrees (the requirement); what is left is quantisation and pixel area."""
    part = ball(height=5.0) if shape == "ball" else relief()
    renderer = Renderer(matt_scene(part))
    view = five_views(10.0, (160, 160), lights=ring(6, 30.0), centre_height_mm=5.0)[0]
    truth = renderer.truth(view)
    stack = renderer.light_images(view)
    sensor = Sensor(bits=16, exposure=exposure_for(stack, 0.9, 100.0))
    raw = np.stack([expose(image, sensor) for image in stack])
    solution = solve(raw, view.lights)
    inside = truth.part & ~truth.shadow.any(axis=0) & solution.valid
    assert inside.mean() > 0.3
    error = degrees(solution.normals, truth.normals)[inside]
    assert np.median(error) < 0.05
    albedo = np.median(solution.albedo[inside]) / sensor.exposure
    assert albedo == pytest.approx(0.2125 * 0.6 + 0.7154 * 0.5 + 0.0721 * 0.4, abs=0.01)


def test_radiance_is_albedo_times_intensity_times_cosine() -> None:
    renderer = Renderer(matt_scene(tile(10.0)))
    lights = from_directions([[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]], [[1, 2, 3], [0.5, 0.5, 0.5]])
    view = five_views(8.0, (24, 24), lights=lights, centre_height_mm=0.0)[0]
    images = renderer.light_images(view, samples=2)
    expected = np.array(MATT.colour) * [[1, 2, 3], [0.5, 0.5, 0.5]] * [[0.8], [1.0]]
    # Normal and light agree to float32 rounding of the directions.
    assert np.abs(images - expected[:, None, None]).max() < 1e-6


def test_a_picture_of_two_colours_is_their_mix_by_coverage() -> None:
    """The samples that tell how far a defect covers a pixel are those that make its value."""
    sound, stain = tile(10.0), tile(3.7, 1e-3, (0.43, -0.35))
    part = join([sound, replace(stain, materials=("stain",))])
    part = replace(part, label=np.array([0, 0, 1, 1], np.int16))
    dark = replace(MATT, colour=(0.1, 0.2, 0.3))
    renderer = Renderer(Scene(part, {"part": MATT, "stain": dark}, None), seed=2)
    lights = from_directions([[0.0, 0.0, 1.0]])
    view = five_views(8.0, (64, 64), lights=lights, centre_height_mm=0.0)[0]
    share = renderer.coverage(view, samples=8)[..., None]
    image = renderer.light_images(view, samples=8)[0]
    mixed = share * np.array(dark.colour) + (1 - share) * np.array(MATT.colour)
    assert np.abs(image - mixed).max() < 1e-6
    rim = np.count_nonzero((share > 0) & (share < 1))
    assert 90 < rim < 120  # four sides of 26 px
    # Samples lie evenly in their pixels: the covered area is that of the stain, at 7.1 px/mm.
    assert share.sum() == pytest.approx((3.7 * 64 / 1.12 / 8.0) ** 2, rel=0.01)


def test_nothing_is_covered_where_no_face_is_labelled_or_the_labelled_ones_are_hidden() -> None:
    part = join([tile(10.0, 1.0), tile(3.0, 0.5)])
    part = replace(part, label=np.array([0, 0, 1, 1], np.int16))
    view = five_views(8.0, (32, 32), centre_height_mm=0.0)[0]
    for label in (part.label, np.zeros_like(part.label)):
        renderer = Renderer(matt_scene(replace(part, label=label)))
        assert not renderer.coverage(view, samples=4).any()


def test_lamps_near_the_part_fall_off_by_the_square_and_along_their_axis() -> None:
    """Queau et al., JMIV 2018, written out anew; one factor is common to all lamps and pixels."""
    positions = np.array([[30.0, 5.0, -100.0], [-40.0, 20.0, -90.0]])
    axes = np.array([[-0.2, 0.1, -0.97], [0.3, 0.0, -0.95]])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    towards = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    rig = LightRig(
        towards * [1, 1, -1], np.array([1.0, 2.0]), positions, axes=axes, mu=np.array([1.0, 3.0])
    )
    view = five_views(8.0, (32, 32), lights=rig, centre_height_mm=0.0)[4]
    image = Renderer(matt_scene(tile(20.0))).light_images(view, samples=64)[..., 0]
    rays, _ = unproject(view.camera, pixel_grid(view.camera))
    rotation, centre = view.camera.rotation, view.camera.centre()
    world = rays @ rotation
    points = centre + world * (-centre[2] / world[..., 2:])
    lamps = positions @ FLIP @ rotation + centre
    apart = lamps[:, None, None] - points
    distance = np.linalg.norm(apart, axis=-1)
    lobe = -np.einsum("khwc,kc->khw", apart / distance[..., None], axes @ FLIP @ rotation)
    mu = np.array([1.0, 3.0])[:, None, None]
    phi = np.array([1.0, 2.0])[:, None, None]
    expected = phi * np.maximum(lobe, 0) ** mu / distance**2 * apart[..., 2] / distance
    ratio = image / expected
    assert expected.min() > 0
    # Light changes by 0.6% from pixel to pixel, and 64 samples meet the centre to 0.1 px.
    assert ratio.max() / ratio.min() < 1 + 2e-3


def test_a_ball_throws_its_shadow_where_a_cone_of_parallel_rays_says() -> None:
    """The shadow of a distant lamp on the plate is an ellipse in closed form."""
    rig = from_directions([[0.6, 0.0, 0.8]])
    renderer = Renderer(matt_scene(ball(2.0, 6.0), ground=True))
    view = five_views(20.0, (200, 200), lights=rig, centre_height_mm=0.0)[0]
    truth = renderer.truth(view)
    rays, _ = unproject(view.camera, pixel_grid(view.camera))
    points = to_world(view.camera, rays / rays[..., 2:] * view.camera.centre()[2])
    from_centre = points - np.array([0, 0, 6.0])
    along = from_centre @ np.array([0.6, 0.0, 0.8])
    distance = np.sqrt((from_centre**2).sum(-1) - along**2)
    plate = ~truth.part
    # The ball has 160 rings, so that its outline lies 4e-4 mm within the circle at most.
    inside, outside = plate & (distance < 1.998), plate & (distance > 2.001)
    assert truth.shadow[0][inside].all() and not truth.shadow[0][outside].any()
    assert inside.sum() > 500


def test_a_seed_gives_the_same_bytes_whatever_the_tiles_and_threads(monkeypatch) -> None:
    scene = Scene(ball(), {"part": preset("plastic")}, preset("ground"))
    view = five_views(10.0, (48, 40))[1]
    first = Renderer(scene, seed=3).light_images(view, samples=3)
    picture = Renderer(scene, seed=3).diffuse(view, samples=3)
    marked = replace(scene, part=replace(ball(), label=np.ones_like(ball().label)))
    covered = Renderer(marked, seed=3).coverage(view, samples=3)
    assert 0 < covered.mean() < 1
    monkeypatch.setattr("mvps.synth.renderer_rays.TILE", 48 * 7)
    again = Renderer(scene, seed=3)
    assert again.light_images(view, samples=3).tobytes() == first.tobytes()
    assert again.diffuse(view, samples=3).tobytes() == picture.tobytes()
    assert Renderer(marked, seed=3).coverage(view, samples=3).tobytes() == covered.tobytes()
    one_by_one = np.stack(list(again.each_light(view, samples=3)))
    assert one_by_one.tobytes() == first.tobytes()
    assert Renderer(scene, seed=4).light_images(view, samples=3).tobytes() != first.tobytes()


def test_the_slow_variant_agrees_with_the_fast_one() -> None:
    """Both trace the same rays and shade by the same code: float32 rounding, but for outlines.

    At an outline or a shadow's edge one sample of eight may fall to the other side.
    """
    needs_llvm()
    scene = Scene(ball(rings=40), {"part": preset("plastic")}, preset("ground"))
    view = five_views(12.0, (40, 40))[3]
    fast, slow = (Renderer(scene, seed=1, variant=v) for v in ("llvm_ad_rgb", "scalar_rgb"))
    for shots in (
        [r.light_images(view, samples=8) for r in (fast, slow)],
        [r.diffuse(view, samples=8)[None] for r in (fast, slow)],
    ):
        apart = np.abs(shots[0] - shots[1]).max(axis=-1) / shots[0].mean()
        assert np.median(apart) < 1e-5
        assert np.mean(apart > 1e-3) < 0.02
    truths = [r.truth(view) for r in (fast, slow)]
    assert np.mean(truths[0].shadow != truths[1].shadow) < 0.005
    assert np.nanmax(np.abs(truths[0].depth - truths[1].depth)[truths[0].part]) < 1e-4


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_no_material_makes_fireflies_or_loses_a_pixel(name: str) -> None:
    """No pixel outshines its neighbourhood by far, under point lamps and under the studio."""
    scene = Scene(ball(rings=60), {"part": preset(name)}, preset("ground"))
    renderer = Renderer(scene)
    view = five_views(10.0, (96, 96))[1]
    bounced = renderer.light_images(view, interreflection=True)
    for image in (*renderer.light_images(view), *bounced, renderer.diffuse(view)):
        grey = image.mean(axis=-1)
        assert np.isfinite(image).all() and grey.min() >= 0 and np.median(grey) > 0
        padded = np.pad(grey, 2, mode="edge")
        around = np.sort(
            np.stack([padded[y : y + 96, x : x + 96] for y in range(5) for x in range(5)]), 0
        )
        # The 20th of the 25 pixels round it: a lone bright pixel stands far above that.
        assert (grey / np.maximum(around[19], 0.02 * grey.max())).max() < 3.5


def test_light_between_surfaces_brightens_a_corner_and_nothing_else() -> None:
    """A white ball over a white plate: its underside gets light over the plate alone."""
    white = replace(MATT, colour=(0.9, 0.9, 0.9))
    scene = Scene(ball(), {"part": white}, white)
    view = five_views(10.0, (64, 64), lights=from_directions([[0.0, 0.6, 0.8]]), tilt_deg=80)[1]
    renderer = Renderer(scene)
    direct = renderer.light_images(view)[0]
    both = renderer.light_images(view, interreflection=True)[0]
    assert (both >= direct - 1e-6).all()
    dark = renderer.truth(view).part & (direct.max(axis=-1) == 0)
    assert dark.sum() > 50
    # Between a tenth of what falls on it and the plate's albedo times the ball's.
    assert 0.02 < both[dark].mean() < 0.9 * 0.9


def test_five_views_share_a_frame_and_see_the_part_in_their_middle() -> None:
    views = five_views(10.0, (64, 64), centre_height_mm=5.0)
    renderer = Renderer(matt_scene(ball(), ground=True))
    assert tuple(view.name for view in views) == FIVE
    assert len({view.camera.frame_id for view in views}) == 1
    for view in views:
        rows, columns = np.nonzero(renderer.truth(view).part)
        assert abs(rows.mean() - 31.5) < 0.6 and abs(columns.mean() - 31.5) < 0.6


def test_a_camera_that_sees_no_part_is_refused_in_one_line() -> None:
    renderer = Renderer(matt_scene(ball()))
    view = five_views(10.0, (64, 64))[0]
    away = replace(view.camera, translation=view.camera.translation + np.array([500.0, 0, 0]))
    with pytest.raises(InputError, match="view top: the camera does not see the part"):
        renderer.light_images(replace(view, camera=away))
    below = replace(view.camera, rotation=view.camera.rotation @ FLIP)
    with pytest.raises(InputError, match="below the ground plate"):
        renderer.truth(replace(view, camera=below))


def test_a_part_larger_than_the_image_is_seen_although_no_vertex_is() -> None:
    view = five_views(2.0, (16, 16), centre_height_mm=0.0)[0]
    assert Renderer(matt_scene(tile(400.0))).truth(view).part.all()


@pytest.mark.parametrize("samples", [0, 5000])
def test_a_senseless_number_of_samples_is_refused(samples: int) -> None:
    view = five_views(10.0, (16, 16))[0]
    with pytest.raises(InputError, match="samples"):
        Renderer(matt_scene(ball(rings=8))).light_images(view, samples=samples)


def test_facets_of_a_coarse_ball_do_not_show() -> None:
    """A ball of 32 rings beside one of 160, within the outline: shading and the terminator agree.

    Facets of 5.6 degrees, shaded flat, would be off by 0.03 to 0.05 half way to their edges.
    """
    white = replace(MATT, colour=(1.0, 1.0, 1.0))
    view = five_views(10.0, (128, 128), lights=from_directions([[0.8, 0.0, 0.6]]))[0]
    coarse, fine = (Renderer(matt_scene(ball(rings=rings), material=white)) for rings in (32, 160))
    core = fine.truth(view).normals[..., 2] > 0.35
    images = [renderer.light_images(view)[0, ..., 0] for renderer in (coarse, fine)]
    apart = np.abs(images[0] - images[1])[core]
    assert np.median(apart) < 2e-3
    assert apart.max() < 0.02


def test_scenes_without_faces_or_looks_are_refused() -> None:
    with pytest.raises(InputError, match="no faces"):
        matt_scene(make_mesh(np.zeros((0, 3)), np.zeros((0, 3), int)))
    with pytest.raises(InputError, match="no looks for the material 'part'"):
        Scene(ball(rings=8), {})
    with pytest.raises(InputError, match="ground plate"):
        Scene(ball(rings=8), {"part": MATT}, MATT, ground_size_mm=0.0)
