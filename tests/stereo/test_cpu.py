"""Every variant of the compiled core, and NumPy in float32, beside the float64 definition."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from rendered import MODES, WHITE, make_rig, poisoned, render

from mvps import native
from mvps.errors import InputError
from mvps.stereo import StripOut, prepare
from mvps.stereo.cpu import STREAMED_BYTES, CpuBackend
from mvps.stereo.reference import ReferenceBackend

BACKENDS = [CpuBackend(variant) for variant in native.variants()] + [ReferenceBackend(np.float32)]
NAMES = [str(backend.describe().get("instruction set", "numpy")) for backend in BACKENDS]
each_backend = pytest.mark.parametrize("backend", BACKENDS, ids=NAMES)
LIMITS = {"low": 0.03, "high": 0.7}


def compare(backend, problem, samples, mask=None, *, quality=False, normals=2e-6, albedo=2e-6):
    """The backend's results beside the definition's, invalid pixels to the bit."""
    pixels = samples.shape[1]
    out, right = (poisoned(pixels, problem, quality) for _ in range(2))
    backend.solve_strip(problem, samples, mask, out)
    ReferenceBackend().solve_strip(problem, samples, mask, right)
    np.testing.assert_array_equal(out.valid, right.valid)
    np.testing.assert_allclose(out.normals, right.normals, rtol=0, atol=normals)
    np.testing.assert_allclose(out.albedo, right.albedo, rtol=0, atol=albedo)
    for array in (out.normals, out.albedo):
        assert not array[out.valid == 0].any()
    if quality:
        np.testing.assert_array_equal(out.used, right.used)
        np.testing.assert_allclose(out.residual, right.residual, rtol=0, atol=albedo)
    return out


@each_backend
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", WHITE)
def test_all_lights_agree_with_the_definition(backend, dtype, mode):
    capture = render(dtype, 1 if mode == "grey" else 3, lights=9)
    mask = (np.random.default_rng(5).random(2011) < 0.9).astype(np.uint8)
    for quality, inside in product((False, True), (None, mask)):
        compare(backend, capture.problem(mode), capture.samples, inside, quality=quality)


@each_backend
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", WHITE)
def test_limited_lights_agree_with_the_definition(backend, dtype, mode):
    capture = render(dtype, 1 if mode == "grey" else 3, lights=9)
    problem = capture.problem(mode, **LIMITS)
    for quality in (False, True):
        # Three lights that happen to stand close together multiply the rounding of float32.
        out = compare(backend, problem, capture.samples, quality=quality, normals=2e-4, albedo=2e-4)
    assert 0.5 < out.valid.mean() < 1  # some pixels have too few lights
    assert (out.used[out.valid == 1] < 9).any()


@each_backend
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lights", [3, 4, 33, 128])
def test_any_number_of_lights_fits(backend, mode, lights):
    capture = render("uint16", 1 if mode == "grey" else 3, lights=lights, pixels=301)
    tolerance = 2e-6 if lights < 96 else 1e-5
    compare(backend, capture.problem(mode), capture.samples, normals=tolerance, albedo=tolerance)


@each_backend
@pytest.mark.parametrize("mode", MODES)
def test_any_number_of_pixels_fits(backend, mode):
    capture = render("uint8", 1 if mode == "grey" else 3, lights=4, pixels=100)
    for pixels in [*range(36), 63, 64, 65, 100]:
        samples = np.ascontiguousarray(capture.samples[:, :pixels])
        compare(backend, capture.problem(mode), samples, quality=pixels % 2 == 0)


@each_backend
@pytest.mark.parametrize("mode", ["grey", "luminance"])
def test_planes_may_stand_apart_and_neighbours_stay_untouched(backend, mode):
    capture = render("uint16", 1 if mode == "grey" else 3, lights=5, pixels=400)
    problem = capture.problem(mode)
    strip = slice(7, 7 + 251)
    whole = poisoned(400, problem, quality=True)
    backend.solve_strip(problem, capture.samples[:, strip], None, whole.part(7, 7 + 251))
    alone = compare(backend, problem, np.ascontiguousarray(capture.samples[:, strip]), quality=True)
    np.testing.assert_array_equal(whole.normals[strip], alone.normals)
    for outside in (slice(0, 7), slice(258, 400)):
        assert np.isnan(whole.normals[outside]).all()
        assert np.isnan(whole.residual[outside]).all()
        assert (whole.valid[outside] == 0xEE).all()


@each_backend
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("limits", [{}, LIMITS], ids=["all", "limited"])
def test_degenerate_pixels_are_the_same_everywhere(backend, mode, limits):
    capture = render("float32", 1 if mode == "grey" else 3, lights=7, pixels=97)
    samples, mask = np.array(capture.samples), np.ones(97, np.uint8)
    samples[:, ::11] = 0
    for pixel, value in ((1, np.nan), (18, np.inf), (35, -np.inf), (52, 3e38), (95, np.nan)):
        samples.reshape(7, 97, -1)[pixel % 7, pixel, 0] = value
    samples[2:, 4::13] = 0.001  # two lights alone
    mask[5::9] = 0
    out = compare(
        backend,
        capture.problem(mode, **limits),
        samples,
        mask,
        quality=True,
        normals=1e-4,
        albedo=1e-4,
    )
    dark = [0, 11, 22, 1, 18, 35, 52, 95, 5, 14]
    assert not out.valid[dark].any()
    assert not out.residual[dark].any()


@pytest.mark.parametrize("core", native.variants(), ids=NAMES[:-1])
def test_results_that_pass_the_caches_are_the_same_to_the_bit(core):
    pixels = STREAMED_BYTES // 16 + 37
    samples = np.random.default_rng(3).integers(0, 256, (3, pixels), dtype=np.uint8)
    problem = prepare(
        make_rig(3, 1, np.random.default_rng(0)), channels=1, dtype="uint8", white=255
    )
    backend = CpuBackend(core)
    streamed, unaligned = poisoned(pixels, problem, False), poisoned(pixels + 1, problem, False)
    backend.solve_strip(problem, samples, None, streamed)
    backend.solve_strip(problem, samples, None, unaligned.part(1, pixels + 1))
    pieces = StripOut.empty(pixels, problem, quality=False)
    for start in range(0, pixels, 1 << 18):
        part = slice(start, start + (1 << 18))
        backend.solve_strip(problem, samples[:, part], None, pieces.part(start, part.stop))
    for name in ("normals", "albedo", "valid"):
        np.testing.assert_array_equal(getattr(streamed, name), getattr(pieces, name))
        np.testing.assert_allclose(
            getattr(unaligned, name)[1:], getattr(pieces, name), rtol=0, atol=1e-6
        )


@each_backend
@pytest.mark.parametrize("name", ["samples", "mask", "normals", "albedo", "valid", "residual"])
def test_arrays_that_do_not_fit_are_refused_by_name(backend, name):
    capture = render("uint8", pixels=50)
    problem = capture.problem()
    parts = {"samples": capture.samples, "mask": np.ones(50, np.uint8)}
    out = vars(poisoned(50, problem, quality=True)).copy()
    target = parts if name in parts else out
    target[name] = target[name][..., ::2]
    with pytest.raises(InputError, match=rf"^{name}: "):
        backend.solve_strip(problem, parts["samples"], parts["mask"], StripOut(**out))
