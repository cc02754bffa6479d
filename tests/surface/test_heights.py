"""Heights from exact normals: every method against the truth, and against dense least squares."""

from __future__ import annotations

import numpy as np
import pytest
from reliefs import cap, normals_of, rms_share, slopes_of, sphere, waves

from mvps.errors import InputError
from mvps.surface import integrate, orthographic_slopes
from mvps.surface.edges import mean_edges
from mvps.surface.slopes import Slopes


@pytest.mark.parametrize("method", ["dct", "sparse", "bilateral"])
def test_a_sphere_that_fills_the_frame_is_right_to_a_thousandth_of_its_range(method: str) -> None:
    truth = sphere(129)

    found = integrate(slopes_of(truth), method)

    assert rms_share(found.height, truth[0]) < 1e-4
    assert not found.regions.unobservable


@pytest.mark.parametrize("method", ["dct", "frankot", "sparse", "bilateral"])
def test_a_cap_in_a_plate_is_right_to_a_thousandth_of_its_range(method: str) -> None:
    """The rim is a crease: the frame repeats itself, so Frankot and Chellappa's applies too."""
    truth = cap(256)

    found = integrate(slopes_of(truth), method)

    assert rms_share(found.height, truth[0]) < 1e-3


@pytest.mark.parametrize("method", ["sparse", "bilateral"])
def test_a_masked_cap_is_right_and_leaves_the_rest_empty(method: str) -> None:
    truth = sphere(100)
    rows, columns = np.mgrid[:100, :100] - 49.5
    mask = rows**2 + columns**2 < 45**2

    found = integrate(slopes_of(truth, mask), method)

    assert rms_share(found.height, truth[0], mask) < 1e-3
    assert np.array_equal(np.isfinite(found.height), mask)


def test_waves_that_repeat_are_exact_with_frankot_and_chellappa() -> None:
    truth = waves(96)

    found = integrate(slopes_of(truth), "frankot")

    assert rms_share(found.height, truth[0]) < 1e-6


def test_a_tilted_plane_is_exact_with_every_method() -> None:
    slope = np.full((40, 57), 0.3), np.full((40, 57), -0.2)
    rows, columns = np.mgrid[:40, :57]
    truth = 0.3 * columns + 0.2 * rows
    slopes = orthographic_slopes(normals_of((truth, *slope)))
    for method in ("dct", "frankot", "sparse", "bilateral"):
        assert rms_share(integrate(slopes, method).height, truth) < 1e-5, method


@pytest.mark.parametrize("shape", [(1, 7), (9, 1), (2, 2), (13, 31), (32, 17), (25, 24)])
def test_the_fast_paths_solve_the_equations_of_dense_least_squares(shape: tuple[int, int]) -> None:
    """Random slopes belong to no surface; numpy.linalg.lstsq solves the same sum of squares."""
    rng = np.random.default_rng(shape[0])
    slopes = random_slopes(shape, np.ones(shape, bool), rng)
    truth = dense_height(slopes)
    spread = np.ptp(truth)
    for method in ("dct", "sparse"):
        found = integrate(slopes, method).height
        assert np.abs(found - truth).max() < 1e-5 * spread, method


@pytest.mark.parametrize("seed", range(6))
def test_holes_and_islands_are_solved_as_by_dense_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (15 + seed, 24 - 2 * seed)
    slopes = random_slopes(shape, rng.random(shape) < (0.55, 0.8, 0.95)[seed % 3], rng)
    truth = dense_height(slopes)

    found = integrate(slopes, "sparse")

    off = np.abs(found.height - truth)[slopes.valid]
    assert off.max() < 2e-5 * np.ptp(truth[slopes.valid])


def test_islands_have_a_mean_of_zero_each_and_are_told_of() -> None:
    truth = sphere(90)
    mask = np.zeros((90, 90), bool)
    mask[5:40, 5:80] = mask[50:85, 20:60] = True
    mask[15:20, 20:30] = False

    found = integrate(slopes_of(truth, mask))

    assert found.method == "sparse"
    assert found.regions.sizes == (35 * 75 - 50, 35 * 40)
    assert found.regions.unobservable
    for label in (1, 2):
        island = found.regions.labels == label
        assert abs(float(found.height[island].mean())) < 1e-5
        assert rms_share(found.height, truth[0], island) < 1e-3


def test_a_single_pixel_has_the_height_zero() -> None:
    mask = np.zeros((8, 9), bool)
    mask[3, 4] = True
    found = integrate(slopes_of((np.zeros((8, 9)),) * 3, mask))
    assert found.height[3, 4] == 0
    assert np.isnan(found.height).sum() == 71


@pytest.mark.parametrize("method", ["dct", "frankot", "sparse", "bilateral"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 1), (2, 2), (1, 700), (15, 16)])
def test_maps_of_any_size_have_a_height(shape: tuple[int, int], method: str) -> None:
    normals = np.random.default_rng(0).normal((0, 0, 3), 0.3, (*shape, 3))
    found = integrate(orthographic_slopes(normals), method, threads=2)
    assert np.isfinite(found.height).all()
    assert np.abs(found.height).max() < sum(shape)


def test_holes_in_a_full_frame_method_are_taken_as_level_and_that_is_said() -> None:
    mask = np.ones((30, 30), bool)
    mask[3, 4:9] = False
    found = integrate(slopes_of(sphere(30), mask), "dct")
    assert found.warnings == ("5 pixels without a normal were taken as level; try sparse",)
    assert np.isnan(found.height).sum() == 5


def test_auto_takes_the_transform_for_full_frames_and_says_why() -> None:
    full = integrate(slopes_of(sphere(20)))
    mask = np.ones((20, 20), bool)
    mask[0, 0] = False
    holed = integrate(slopes_of(sphere(20), mask))
    assert (full.method, full.reason) == ("dct", "every pixel has a normal")
    assert (holed.method, holed.reason) == ("sparse", "1 of 400 pixels have no normal")


def test_normals_that_are_not_numbers_are_left_out() -> None:
    truth = sphere(60)
    normals = normals_of(truth)
    normals[10, 10] = np.nan
    normals[20, 20:23, 0] = np.inf
    normals[30, 30] = 0

    slopes = orthographic_slopes(normals)
    found = integrate(slopes)

    assert np.count_nonzero(~slopes.valid) == 5
    assert np.array_equal(np.isnan(found.height), ~slopes.valid)
    assert rms_share(found.height, truth[0], slopes.valid) < 1e-3


def test_steep_normals_are_limited_and_counted() -> None:
    normals = normals_of(sphere(30))
    normals[4, 5] = (1, 0, 0.001)
    normals[6, 7] = (0, 0.6, -0.8)

    slopes = orthographic_slopes(normals, limit=0.1)

    assert np.argwhere(slopes.steep).tolist() == [[4, 5], [6, 7]]
    assert slopes.p[4, 5] == pytest.approx(-10, rel=1e-4)
    assert slopes.q[6, 7] == pytest.approx(-6, rel=1e-4)
    assert "2 pixels" in integrate(slopes).warnings[0]


def test_single_precision_costs_little() -> None:
    """The same transform in double precision; the stated bound is 1e-5 of the range."""
    from scipy import fft

    rng = np.random.default_rng(3)
    slopes = random_slopes((300, 410), np.ones((300, 410), bool), rng)
    edges = mean_edges(slopes)
    sums = np.zeros(slopes.shape)
    sums[:, :-1] -= edges.step_right
    sums[:, 1:] += edges.step_right
    sums[:-1] -= edges.step_down
    sums[1:] += edges.step_down
    parts = [4 * np.sin(np.pi * np.arange(n) / (2 * n)) ** 2 for n in slopes.shape]
    size = parts[0][:, None] + parts[1]
    size[0, 0] = np.inf
    truth = fft.idctn(fft.dctn(sums) / size)

    found = integrate(slopes, "dct").height

    assert np.abs(found - truth).max() < 1e-5 * np.ptp(truth)


def test_nothing_to_integrate_and_unknown_methods_are_refused() -> None:
    slopes = orthographic_slopes(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(InputError, match="holds no valid pixel"):
        integrate(slopes)
    with pytest.raises(InputError, match="unknown method 'dtc'"):
        integrate(slopes_of(sphere(8)), "dtc")


def random_slopes(shape: tuple[int, int], valid: np.ndarray, rng: np.random.Generator) -> Slopes:
    p, q = rng.normal(0, 0.5, (2, *shape)).astype(np.float32)
    return Slopes(p * valid, q * valid, valid, np.zeros(shape, bool))


def dense_height(slopes: Slopes) -> np.ndarray:
    """Definition: minimum-norm least squares over all edges, every connected part of mean zero."""
    edges = mean_edges(slopes)
    index = np.arange(slopes.p.size).reshape(slopes.shape)
    pairs = [
        (index[:, :-1], index[:, 1:], edges.right, edges.step_right),
        (index[:-1], index[1:], edges.down, edges.step_down),
    ]
    rows, wanted = [], []
    for near, far, weight, step in pairs:
        for i, j, s in zip(near[weight > 0], far[weight > 0], step[weight > 0], strict=True):
            row = np.zeros(index.size)
            row[i], row[j] = -1, 1
            rows.append(row)
            wanted.append(s)
    return np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0].reshape(slopes.shape)
