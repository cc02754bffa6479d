"""The robust solvers: the definition against a plain oracle, and every fast path against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from outliers import GATED, ROBUST, SOLVER_NAMES, TRIMMED, oracle, problem_of, spoilt
from rendered import MODES, WHITE, degrees_between, poisoned, render

from mvps import native, solve
from mvps.errors import InputError
from mvps.lights import LightRig
from mvps.stereo import Solver
from mvps.stereo.cpu import CpuBackend
from mvps.stereo.reference import ReferenceBackend
from mvps.stereo.robust_reference import rank_weights

BACKENDS = [CpuBackend(variant) for variant in native.variants()] + [ReferenceBackend(np.float32)]
NAMES = [str(backend.describe().get("instruction set", "numpy")) for backend in BACKENDS]
each_backend = pytest.mark.parametrize("backend", BACKENDS, ids=NAMES)
each_solver = pytest.mark.parametrize("solver", ROBUST, ids=SOLVER_NAMES)
CLOSE = 1e-4  # of float32 against float64, in each component
# NumPy in float32 does not refine what lights in nearly one plane give: up to 2% of the pixels.
UNREFINED = 3e-3


def solved(backend, problem, samples, mask=None, *, quality=True):
    out = poisoned(samples.shape[1], problem, quality)
    if out.fallback is not None:
        out.fallback.fill(0xEE)
    backend.solve_strip(problem, samples, mask, out)
    return out


def assert_like_the_definition(backend, problem, samples, mask=None, *, quality=True):
    out = solved(backend, problem, samples, mask, quality=quality)
    right = solved(ReferenceBackend(), problem, samples, mask, quality=quality)
    np.testing.assert_array_equal(out.valid, right.valid)
    np.testing.assert_array_equal(out.fallback, right.fallback)
    alike = np.abs(out.normals - right.normals).max(axis=1, initial=0)
    refined = isinstance(backend, CpuBackend)
    assert np.count_nonzero(alike > CLOSE) <= (0 if refined else max(1, 0.02 * len(alike)))
    assert alike.max(initial=0) < UNREFINED
    albedo = CLOSE if refined else UNREFINED
    np.testing.assert_allclose(out.albedo, right.albedo, rtol=0, atol=albedo)
    assert not out.normals[out.valid == 0].any()
    assert not out.albedo[out.valid == 0].any()
    if quality:
        np.testing.assert_allclose(out.residual, right.residual, rtol=0, atol=2e-5)
        # A weight at the very edge of counting may fall on either side.
        assert np.count_nonzero(out.used != right.used) <= 0.01 * len(alike)
        assert not out.used[out.valid == 0].any()
        assert not out.residual[out.valid == 0].any()
    return out


@each_solver
@pytest.mark.parametrize("lights", [5, 12, 37])
def test_the_definition_is_what_the_oracle_says_pixel_by_pixel(solver, lights):
    capture = spoilt("uint16", lights=lights, pixels=201)
    problem = problem_of(capture, solver)
    out = solved(ReferenceBackend(), problem, capture.samples)
    v = capture.samples * problem.gain
    usable = capture.samples < problem.high
    judged = 0
    for p in np.flatnonzero(out.valid & ~out.fallback):
        g = oracle(problem.directions, v[:, p], usable[:, p], solver)
        assert g is not None
        np.testing.assert_allclose(out.normals[p], g / np.linalg.norm(g), atol=3e-6)
        np.testing.assert_allclose(out.albedo[p], np.linalg.norm(g), atol=3e-6)
        judged += 1
    assert judged > 150
    for p in np.flatnonzero(out.fallback):
        assert oracle(problem.directions, v[:, p], usable[:, p], solver) is None


@each_backend
@each_solver
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", WHITE)
def test_every_path_gives_what_the_definition_gives(backend, dtype, mode, solver):
    capture = spoilt(dtype, 1 if mode == "grey" else 3)
    mask = (np.random.default_rng(5).random(501) < 0.9).astype(np.uint8)
    problem = problem_of(capture, solver, mode)
    for quality, inside in ((False, None), (True, mask)):
        assert_like_the_definition(backend, problem, capture.samples, inside, quality=quality)


@each_backend
@each_solver
@pytest.mark.parametrize("lights", [3, 4, 16, 17, 32, 33, 96, 128])
def test_any_number_of_lights_fits(backend, solver, lights):
    capture = spoilt("uint8", lights=lights, pixels=150)
    assert_like_the_definition(backend, problem_of(capture, solver), capture.samples)


@each_backend
@pytest.mark.parametrize("trim", [(0.0, 0.0), (0.0, 0.4), (0.45, 0.0), (0.49, 0.5), (0.1, 0.85)])
@pytest.mark.parametrize("lights", [7, 40, 128])
def test_any_window_fits(backend, trim, lights):
    capture = spoilt("uint8", lights=lights, pixels=150)
    problem = problem_of(capture, Solver("trimmed", trim=trim))
    assert_like_the_definition(backend, problem, capture.samples)


@each_backend
@pytest.mark.parametrize("mode", ["grey", "channels"])
def test_any_number_of_pixels_fills_its_outputs_and_nothing_else(backend, mode):
    capture = spoilt("uint16", 1 if mode == "grey" else 3, lights=6, pixels=100)
    for solver in (TRIMMED, ROBUST[2]):
        problem = problem_of(capture, solver, mode)
        for pixels in [*range(18), 31, 32, 33, 100]:
            samples = np.ascontiguousarray(capture.samples[:, :pixels])
            assert_like_the_definition(backend, problem, samples, quality=pixels % 2 == 0)
        whole = poisoned(100, problem, quality=True)
        backend.solve_strip(problem, capture.samples[:, 5:82], None, whole.part(5, 82))
        assert np.isnan(whole.normals[:5]).all()
        assert np.isnan(whole.residual[82:]).all()
        assert (whole.used[82:] == 0xEE).all()


@each_backend
@each_solver
def test_missing_samples_make_a_pixel_invalid_and_no_other(backend, solver):
    capture = spoilt("float32", lights=9, pixels=97)
    samples = np.array(capture.samples)
    for pixel, value in ((1, np.nan), (18, np.inf), (35, -np.inf), (52, 3e38), (96, np.nan)):
        samples[pixel % 9, pixel] = value
    problem = problem_of(capture, solver)
    out = assert_like_the_definition(backend, problem, samples)
    clean = solved(backend, problem, capture.samples)
    spoiled = [1, 18, 35, 52, 96]
    assert not out.valid[spoiled].any()
    others = np.setdiff1d(np.arange(97), spoiled)
    np.testing.assert_array_equal(out.normals[others], clean.normals[others])


@pytest.mark.parametrize("backend", BACKENDS[:-1], ids=NAMES[:-1])
@pytest.mark.parametrize("solver", [GATED, ROBUST[2]], ids=["gated", "irls"])
@pytest.mark.parametrize("tilt", [0.06, 0.1, 0.2])
def test_three_lights_left_in_nearly_one_plane_lose_no_digits(backend, solver, tilt):
    # Three in nearly one plane through the point, and a fourth that every pixel sees in shadow.
    rows = np.array([[-0.6, 0, 0.8], [0, tilt, 1], [0.6, 0, 0.8], [0.1, 0.8, 0.6]])
    rig = LightRig(rows / np.linalg.norm(rows, axis=1)[:, None], np.ones(4))
    capture = replace(render("float32", lights=4, pixels=3000), rig=rig)
    normals = np.random.default_rng(3).normal(size=(3000, 3)) * [0.2, 0.2, 0] + [0, 0, 1]
    samples = np.maximum(rig.directions @ normals.T, 0.01) * 0.4
    samples[3] *= 0.02
    problem = problem_of(capture, solver)
    out = assert_like_the_definition(backend, problem, samples.astype(np.float32))
    assert (out.used == 3).mean() > 0.9
    assert not out.fallback.any()


def test_ties_share_their_places_so_that_the_order_of_lights_is_of_no_consequence():
    v = np.array([1, 3, 3, 3, 3, 5, 7, 9], float)[:, None, None]
    # Three of eight go below: the 1 and two of the four 3s; two above: the 9 and the 7.
    weights = rank_weights(v, 3, 2)[:, 0]
    np.testing.assert_allclose(weights, [0, 0.5, 0.5, 0.5, 0.5, 1, 0, 0])
    np.testing.assert_allclose(rank_weights(v[::-1], 3, 2)[:, 0], weights[::-1])


def test_a_window_leaves_four_lights_and_gives_way_at_the_dark_end():
    windows = {lights: TRIMMED.window(lights) for lights in (3, 4, 5, 6, 8, 10, 12, 96, 128)}
    assert windows == {
        3: (0, 0), 4: (0, 0), 5: (0, 1), 6: (0, 2), 8: (1, 3), 10: (2, 4), 12: (3, 4),
        96: (28, 38), 128: (38, 51),
    }  # fmt: skip


@pytest.mark.parametrize("device", ["reference", "numpy", "cpu"])
class TestGuards:
    """What becomes of a pixel whose lights are too few: stated here once for every device."""

    RIG = LightRig(
        np.array([[0.6, 0, 0.8], [-0.3, 0.52, 0.8], [-0.3, -0.52, 0.8]])
        / np.linalg.norm([[0.6, 0, 0.8], [-0.3, 0.52, 0.8], [-0.3, -0.52, 0.8]], axis=1)[:, None],
        np.ones(3),
    )

    def pixel(self, values, solver, device, **options):
        images = np.array(values, np.uint8).reshape(3, 1, 1)
        return solve(images, self.RIG, solver=solver, device=device, quality=True, **options)

    @pytest.mark.parametrize("solver", ["gated", "trimmed", "irls"])
    def test_three_lights_one_in_shadow_fall_back_to_all_three(self, device, solver):
        found = self.pixel([150, 150, 2], solver, device)
        assert found.valid.all()
        assert found.fallback.all()
        assert (found.used == 3).all()
        plain = self.pixel([150, 150, 2], "ls", device)
        np.testing.assert_allclose(found.normals, plain.normals, atol=1e-6)

    def test_three_lights_one_below_the_black_limit_leave_no_normal(self, device):
        for solver in ("ls", "gated", "trimmed", "irls"):
            found = self.pixel([150, 150, 2], solver, device, low=5)
            assert not found.valid.any()
            assert found.fallback is None or not found.fallback.any()

    @pytest.mark.parametrize("solver", ["ls", "gated", "trimmed", "irls"])
    def test_a_black_pixel_has_no_normal(self, device, solver):
        assert not self.pixel([0, 0, 0], solver, device).valid.any()

    @pytest.mark.parametrize("solver", ["gated", "trimmed", "irls"])
    def test_a_saturated_pixel_has_no_normal_unless_plain_least_squares_is_asked(
        self, device, solver
    ):
        assert not self.pixel([255, 255, 255], solver, device).valid.any()
        assert self.pixel([255, 255, 255], "ls", device).valid.all()

    def test_a_window_of_nearly_coplanar_lights_falls_back(self, device):
        turn = np.radians([0, 120, 240])
        flat = np.stack([0.5 * np.cos(turn), 0.5 * np.sin(turn), np.full(3, 0.866)], axis=1)
        line = np.array([[x, 0.0, np.sqrt(1 - x**2)] for x in (-0.6, -0.2, 0.2, 0.6)])
        rig = LightRig(np.concatenate([line, flat[1:]]), np.ones(6))
        # The two lights off the line are the brightest and the window leaves them out.
        images = np.array([80, 85, 90, 95, 200, 210], np.uint8).reshape(6, 1, 1)
        found = solve(images, rig, solver=TRIMMED, device=device, quality=True)
        assert found.fallback.all()
        assert (found.used == 6).all()
        plain = solve(images, rig, device=device)
        np.testing.assert_allclose(found.normals, plain.normals, atol=1e-6)


def test_a_mask_that_is_empty_leaves_no_normal_and_one_of_another_size_is_refused():
    capture = spoilt("uint8", pixels=600)
    images = capture.samples.reshape(12, 20, 30)
    for solver in ("gated", "trimmed", "irls", "auto"):
        found = solve(images, capture.rig, solver=solver, mask=np.zeros((20, 30)))
        assert not found.valid.any()
        with pytest.raises(InputError, match="mask: shape"):
            solve(images, capture.rig, solver=solver, mask=np.ones((30, 20)))


@each_solver
def test_outliers_that_bend_least_squares_do_not_bend_it(solver):
    capture = spoilt("uint16", lights=24, pixels=2000)
    plain = solved(ReferenceBackend(), capture.problem(), capture.samples)
    found = solved(ReferenceBackend(), problem_of(capture, solver), capture.samples)
    both = (plain.valid & found.valid) > 0

    def median(out):
        return np.median(degrees_between(out.normals[both], capture.normals[both]))

    # Gating takes out the shadows alone; the highlights are as many.
    assert median(found) < (0.75 if solver is GATED else 0.35) * median(plain)


def test_residual_and_used_speak_of_the_lights_that_counted():
    capture = render("float32", lights=12, pixels=50)
    steep = (capture.rig.directions @ capture.normals.T).min(axis=0) > 0.2
    ideal = (capture.rig.directions @ capture.normals[steep].T) * 0.5
    ideal *= capture.rig.intensities[:, None]
    ideal[4] *= 3  # one light reflects
    samples = ideal.astype(np.float32)
    for solver, used in ((TRIMMED, 5), (Solver("irls", loss="tukey"), 11)):
        out = solved(ReferenceBackend(), problem_of(capture, solver), samples)
        assert (out.used == used).all()
        assert out.residual.max() < 1e-6
        np.testing.assert_allclose(out.normals, capture.normals[steep], atol=1e-5)


@pytest.mark.parametrize(
    "change,text",
    [
        ({"name": "lq"}, "--solver: 'lq' is none of ls, gated, trimmed, irls, auto"),
        ({"loss": "l2"}, "--loss: 'l2' is none of cauchy, huber, tukey, l1"),
        ({"iterations": 0}, "--iterations: 0 is not 1 to 100"),
        ({"trim": (0.5, 0.5)}, "--trim: 0.5,0.5 leaves nothing"),
        ({"trim": (float("nan"), 0.1)}, "--trim: nan,0.1 leaves nothing"),
        ({"epsilon": 0.0}, "epsilon: 0.0 is not above 0"),
    ],
)
def test_a_solver_that_cannot_be_is_refused(change, text):
    with pytest.raises(InputError) as caught:
        replace(TRIMMED, **change)
    assert str(caught.value).startswith(text)
