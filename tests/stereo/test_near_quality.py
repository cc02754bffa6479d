"""How far a normal under near lights can be trusted: against distant lights, draws and counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from near_scenes import DISTANCE, NearScene, errors, lamps, plane_scene, sight, sphere_scene

from mvps import solve
from mvps.lights import LightRig
from mvps.stereo.near import solve_given
from mvps.stereo.near_view import NearView, Plane
from mvps.stereo.solution import PLANES

SIZE = (192, 144)
DEVICES = ["reference", "numpy", "cpu"]
each_device = pytest.mark.parametrize("device", DEVICES)


@each_device
@pytest.mark.parametrize("solver", ["ls", "gated"])
def test_far_lamps_have_the_figures_of_distant_lights(device, solver):
    # From 100 m a field of 48 mm turns a lamp by 0.03 degrees and changes its light by 0.1%.
    far = lamps(8, nearest=1e5, farthest=1e5)
    far = replace(far, intensities=np.ones(8))
    scene = sphere_scene(sight(SIZE, perspective=False), far, cap=75)
    images = scene.images(0.7, noise=0.002)
    distant = LightRig(far.directions, far.intensities)

    near = solve_given(
        images, far, scene.view, depth=scene.depth, mask=scene.mask, solver=solver, quality=True,
        device=device,
    )  # fmt: skip
    right = solve(images, distant, mask=scene.mask, solver=solver, quality=True, device="reference")

    ok = near.valid & right.valid
    assert ok.sum() > 0.99 * scene.mask.sum()
    # A few samples stand at the limit of shadow.
    apart = np.abs(near.condition[ok] / right.condition[ok] - 1)
    assert np.percentile(apart, 99.9) < 1e-3
    # The two look at different pixels for the noise of the stack.
    ratio = near.deviation[ok] / right.deviation[ok]
    assert 0.95 < np.median(ratio) < 1.05
    assert np.percentile(np.abs(ratio / np.median(ratio) - 1), 99) < 0.02
    for name in ("saturated", "shadowed", "used"):
        assert np.mean(getattr(near, name)[ok] != getattr(right, name)[ok]) < 0.01, name
    assert (right.shadowed > 0).any()


@pytest.mark.parametrize(
    ("lights", "solver", "noise", "mu"),
    [(4, "ls", 0.002, None), (8, "ls", 0.004, 1.0), (12, "gated", 0.001, 2.5), (3, "ls", 0.003, 1)],
)
def test_the_predicted_deviation_is_the_true_error(lights, solver, noise, mu):
    scene = plane_scene(sight(SIZE, perspective=True), lamps(lights, mu=mu))
    images = scene.images(0.8, noise=noise)

    found = solve_given(images, scene.rig, scene.view, solver=solver, quality=True)

    true = errors(found.normals, scene, found.valid)
    ratio = _rms(true) / _rms(found.deviation[found.valid])
    # Measured: 0.99 to 1.02 with a residual, 0.98 with three lights.
    assert 0.93 < ratio < 1.07
    # Lamps are nearer to some parts of the field than to others, and the prediction follows.
    parts = np.arange(SIZE[1] // 48 * 48).reshape(-1, 48)
    shares = [
        _rms(errors(found.normals[rows], _rows(scene, rows), found.valid[rows]))
        / _rms(found.deviation[rows][found.valid[rows]])
        for rows in parts
    ]
    assert min(shares) > 0.9 and max(shares) < 1.1


@each_device
@pytest.mark.parametrize("colour", [False, True])
def test_saturated_and_shadowed_lamps_are_counted(device, colour):
    rng = np.random.default_rng([colour, 8])
    scene = plane_scene(sight((96, 64), perspective=False), lamps(8))
    images = scene.images(0.6, dtype="uint16")
    images = np.repeat(images[..., None], 3, -1) if colour else images
    bright, dark = rng.random((2, 8, 64, 96)) < 0.05
    dark &= ~bright
    images[bright] = 65000
    images[dark] = 20

    found = solve_given(
        images, scene.rig, scene.view, high=60000, solver="gated", quality=True, device=device
    )

    ok = found.valid & (found.fallback == 0)
    assert ok.mean() > 0.9
    np.testing.assert_array_equal(found.saturated[ok], bright.sum(axis=0)[ok])
    np.testing.assert_array_equal(found.shadowed[ok], dark.sum(axis=0)[ok])
    np.testing.assert_array_equal(found.used[ok], 8 - (bright | dark).sum(axis=0)[ok])


@each_device
def test_the_condition_is_that_of_the_light_vectors(device):
    # Two strong lamps and two weak ones: far apart in strength is far from one in condition.
    part = Plane(DISTANCE)
    view = NearView((8, 6), part, mm_per_px=1e-6)  # one point, as it were
    positions = np.array([[100, 0, -100], [-100, 0, -100], [0, 100, -100], [0, -300, 0.0]])
    rig = _rig(positions)
    images = np.full((4, 6, 8), 0.3, np.float32)

    found = solve_given(images, rig, view, quality=True, device=device)

    apart = positions - [0, 0, -DISTANCE]
    vectors = apart / np.linalg.norm(apart, axis=1, keepdims=True) ** 3
    np.testing.assert_allclose(found.condition, np.linalg.cond(vectors), rtol=1e-4)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _rows(scene: NearScene, rows: np.ndarray) -> NearScene:
    return replace(scene, normals=scene.normals[rows])


def _rig(positions: np.ndarray) -> LightRig:
    apart = positions - [0, 0, -DISTANCE]
    directions = apart / np.linalg.norm(apart, axis=1, keepdims=True)
    return LightRig(directions, np.ones(len(positions)), positions=positions)


def test_invalid_pixels_have_no_figures():
    scene = sphere_scene(sight(SIZE, perspective=True), lamps(6))

    found = solve_given(
        scene.images(0.7, noise=0.001), scene.rig, scene.view, mask=scene.mask, quality=True
    )

    outside = ~found.valid
    assert outside.any()
    for name in PLANES:
        assert not getattr(found, name)[outside].any(), name
        assert np.isfinite(getattr(found, name)).all(), name
    assert (found.deviation[found.valid] > 0).all()
