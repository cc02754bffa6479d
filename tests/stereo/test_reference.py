"""The definition itself, against linear algebra written another way and against known surfaces."""

from __future__ import annotations

import numpy as np
import pytest
from rendered import degrees_between, poisoned, render

from mvps.stereo import StripOut
from mvps.stereo.reference import ReferenceBackend


def solved(problem, samples, mask=None, *, quality=False) -> StripOut:
    out = poisoned(samples.shape[1], problem, quality)
    ReferenceBackend().solve_strip(problem, samples, mask, out)
    return out


def test_normals_and_albedo_are_those_of_lstsq():
    capture = render("uint16", lights=11)
    out = solved(capture.problem(), capture.samples)
    v = capture.samples / 65535.0 / capture.rig.intensities[:, None]
    g = np.linalg.lstsq(capture.rig.directions, v, rcond=None)[0].T
    norm = np.linalg.norm(g, axis=1)
    np.testing.assert_allclose(out.normals, g / norm[:, None], atol=1e-7)
    np.testing.assert_allclose(out.albedo, norm, atol=1e-7)
    assert out.valid.all()


def test_an_unshadowed_surface_is_recovered_to_the_last_float32_bits():
    capture = render("float32", lights=5)
    steep = (capture.rig.directions @ capture.normals.T).min(axis=0) > 0
    normals, albedo = capture.normals[steep], capture.albedo[steep, 0]
    ideal = (capture.rig.directions @ normals.T * albedo).astype(np.float32)
    ideal *= capture.rig.intensities.astype(np.float32)[:, None]
    out = solved(capture.problem(), ideal)
    np.testing.assert_allclose(out.normals, normals, atol=1e-6)
    np.testing.assert_allclose(out.albedo, albedo, atol=1e-6)


def test_a_shadow_bends_the_normal_and_a_lower_limit_takes_it_out():
    capture = render("uint16", lights=8)
    shadowed = (capture.samples == 0).any(axis=0) & ((capture.samples > 655).sum(axis=0) >= 4)
    assert shadowed.sum() > 20
    bent = degrees_between(solved(capture.problem(), capture.samples).normals, capture.normals)
    limited = solved(capture.problem(low=0.01), capture.samples, quality=True)
    kept = degrees_between(limited.normals, capture.normals)
    assert np.median(kept[shadowed]) < 0.5 * np.median(bent[shadowed])
    np.testing.assert_array_equal(limited.used, (capture.samples > 655.35).sum(axis=0))


def test_limits_solve_every_pixel_with_its_own_lights():
    capture = render("uint8", lights=7, pixels=300)
    problem = capture.problem(low=0.1, high=0.6)
    out = solved(problem, capture.samples, quality=True)
    v = capture.samples / 255.0 / capture.rig.intensities[:, None]
    for p in range(300):
        rows = (capture.samples[:, p] > 25.5) & (capture.samples[:, p] < 153)
        if not out.valid[p]:
            assert rows.sum() < 3
            continue
        g = np.linalg.lstsq(capture.rig.directions[rows], v[rows, p], rcond=None)[0]
        np.testing.assert_allclose(out.normals[p] * out.albedo[p], g, atol=1e-6)
        error = v[rows, p] - capture.rig.directions[rows] @ g
        assert out.residual[p] == pytest.approx(np.sqrt((error**2).mean()), abs=1e-6)
        assert out.used[p] == rows.sum()


def test_usable_lights_in_one_plane_give_no_normal():
    capture = render("uint8", lights=8, pixels=4)
    directions = np.array(capture.rig.directions)
    directions[:3] = [[0.6, 0, 0.8], [0, 0, 1], [-0.6, 0, 0.8]]  # all with y = 0
    problem = type(capture)(
        type(capture.rig)(directions, np.ones(8)), capture.samples, capture.normals, capture.albedo
    ).problem(low=0.1)
    samples = np.zeros((8, 2), np.uint8)
    samples[:3] = 100
    samples[3, 1] = 100  # the second pixel has a light outside the plane
    out = solved(problem, samples, quality=True)
    np.testing.assert_array_equal(out.valid, [0, 1])
    np.testing.assert_array_equal(out.used, [0, 4])


def test_one_normal_and_three_albedos_come_out_of_coloured_images():
    capture = render("float32", channels=3, lights=12)
    lit = (capture.rig.directions @ capture.normals.T).min(axis=0) > 0
    out = solved(capture.problem("channels"), np.ascontiguousarray(capture.samples[:, lit]))
    assert np.median(degrees_between(out.normals, capture.normals[lit])) < 0.2
    np.testing.assert_allclose(out.albedo, capture.albedo[lit], atol=0.01)


def test_three_albedos_minimise_the_squared_error():
    capture = render("uint8", channels=3, lights=6, pixels=40)
    out = solved(capture.problem("channels"), capture.samples)
    v = capture.samples / 255.0 / capture.rig.intensities[:, None, :]
    L, rng = capture.rig.directions, np.random.default_rng(1)

    def cost(n, rho):
        return ((v - (L @ n.T)[:, :, None] * rho) ** 2).sum(axis=(0, 2))

    best = cost(out.normals.astype(float), out.albedo.astype(float))
    for _ in range(50):
        n = out.normals + rng.normal(0, 1e-3, out.normals.shape)
        n /= np.linalg.norm(n, axis=1, keepdims=True)
        rho = out.albedo + rng.normal(0, 1e-3, out.albedo.shape)
        assert (cost(n, rho) > best - 1e-9).all()


def test_matlab_grey_is_clamped_and_luminance_is_not():
    capture = render("uint8", channels=3, lights=4, pixels=1)
    samples = np.full((4, 1, 3), 255, np.uint8)
    dim = type(capture.rig)(capture.rig.directions, np.full(4, 0.5))  # so that grey is about 2
    twice = type(capture)(dim, samples, capture.normals, capture.albedo)
    clamped = solved(twice.problem("matlab"), samples)
    free = solved(twice.problem("luminance"), samples)
    assert free.albedo[0] / clamped.albedo[0] == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("mode", ["grey", "channels"])
def test_invalid_pixels_are_zero_in_every_result(mode):
    capture = render("float32", channels=1 if mode == "grey" else 3, lights=6, pixels=6)
    samples = np.array(capture.samples)
    samples[:, 0] = 0
    samples[2, 1] = np.nan
    samples[3, 2] = np.inf
    samples[4, 3] = -np.inf
    mask = np.array([1, 1, 1, 1, 0, 1], np.uint8)
    for limits in ({}, {"low": 0.001, "high": 5.0}):
        out = solved(capture.problem(mode, **limits), samples, mask, quality=True)
        np.testing.assert_array_equal(out.valid, [0, 0, 0, 0, 0, 1])
        for array in (out.normals, out.albedo, out.residual, out.used):
            assert not array[:5].any()
            assert array[5].any()
