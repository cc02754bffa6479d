"""The distortion polynomial is OpenCV's, and its inverse says where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from random_cameras import NAMES, published

from mvps.calib.distortion import (
    apply_polynomial,
    fold_radius,
    invert_polynomial,
    is_unfolded,
    polynomial_jacobian,
)

NAMES_OF_TERMS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4")


def coefficients(**terms: float) -> np.ndarray:
    return np.array([terms.get(name, 0.0) for name in NAMES_OF_TERMS])


def strong_polynomials(count: int, points: int, reach: float = 1.2):
    """Random polynomials that fold over or have poles within the unit disc, more often than not."""
    rng = np.random.default_rng(20)
    for trial in range(count):
        k = np.zeros(12)
        strength = rng.choice([0.1, 0.3, 1.0])
        k[[0, 1, 4]] = rng.normal(0, strength, 3)
        if trial % 3:
            k[[2, 3]] = rng.normal(0, 0.05 * strength, 2)
        if trial % 2:
            k[5:8] = rng.normal(0, strength, 3)
        if trial % 4 == 0:
            k[8:] = rng.normal(0, 0.05 * strength, 4)
        yield k, rng.uniform(-reach, reach, (points, 2))


def test_each_term_is_the_one_of_the_formula():
    x, y = 0.3, -0.2
    u = x * x + y * y
    terms = {
        "k1": (x * u, y * u),
        "k2": (x * u**2, y * u**2),
        "k3": (x * u**3, y * u**3),
        "p1": (2 * x * y, u + 2 * y * y),
        "p2": (u + 2 * x * x, 2 * x * y),
        "s1": (u, 0),
        "s2": (u**2, 0),
        "s3": (0, u),
        "s4": (0, u**2),
    }
    for name, (dx, dy) in terms.items():
        got = apply_polynomial(coefficients(**{name: 0.1}), [x, y])
        assert got == pytest.approx((x + 0.1 * dx, y + 0.1 * dy), abs=1e-16), name
    for power, name in enumerate(("k4", "k5", "k6"), start=1):
        got = apply_polynomial(coefficients(**{name: 0.1}), [x, y])
        assert got == pytest.approx(np.array([x, y]) / (1 + 0.1 * u**power), abs=1e-16), name


def test_the_jacobian_is_the_derivative():
    # Central differences with h = 1e-5 err by h^2 / 6 times a third derivative of up to 1e3.
    h, checked = 1e-5, 0
    for k, points in strong_polynomials(20, 50, reach=0.6):
        steps = np.array([[h, 0], [0, h]])
        expected = np.stack(
            [
                (apply_polynomial(k, points + d) - apply_polynomial(k, points - d)) / (2 * h)
                for d in steps
            ],
            axis=-1,
        )
        got = polynomial_jacobian(k, points)
        smooth = np.abs(expected).max(axis=(1, 2)) < 5  # away from poles
        assert np.abs(got - expected)[smooth].max() < 1e-6
        checked += int(np.count_nonzero(smooth))
    assert checked > 900


def test_an_unfolded_point_has_positive_determinants_all_the_way_from_the_centre():
    wrongly_out = inside = 0
    for k, points in strong_polynomials(40, 150):
        fractions = np.linspace(0, 1.02, 603)
        way = points[:, None, :] * fractions[None, :, None]
        u = np.sum(way**2, axis=-1)
        pole = 1 + u * (k[5] + u * (k[6] + u * k[7])) <= 0
        bad = (np.linalg.det(polynomial_jacobian(k, way)) <= 0) | pole
        first = np.where(bad.any(axis=1), fractions[bad.argmax(axis=1)], np.inf)
        got = is_unfolded(k, points)

        assert not got[first < 0.995].any()
        wrongly_out += np.count_nonzero(~got & (first == np.inf))
        inside += np.count_nonzero(got)
    assert inside > 3000
    # only where the fold jumps between two of the 360 directions
    assert wrongly_out <= 0.001 * inside


@pytest.mark.parametrize("terms", [{}, {"p1": 1e-4, "s2": 1e-4}])
def test_beyond_the_fold_nothing_is_valid_though_the_polynomial_goes_on(terms):
    # r - r^3 + r^5 / 4 has the derivative 1 - 3 u + 5 u^2 / 4, zero at u = 0.4 and 2; at r = 1.6
    # the determinant is positive again, and r = 0.1 and a radius near 1.34 have one image.
    k = coefficients(k1=-1, k2=0.25, **terms)
    fold, top = np.sqrt(0.4), np.sqrt(0.4) * (1 - 0.4 + 0.04)
    angle = np.linspace(0, 2 * np.pi, 50)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    assert is_unfolded(k, 0.999 * fold * ring).all()
    assert not is_unfolded(k, 1.001 * fold * ring).any()
    assert (np.linalg.det(polynomial_jacobian(k, 1.6 * ring)) > 0).all()
    assert not is_unfolded(k, 1.6 * ring).any()

    inside, valid = invert_polynomial(k, 0.999 * top * ring)
    assert valid.all()
    assert (np.linalg.norm(inside, axis=-1) < fold).all()
    outside, valid = invert_polynomial(k, 1.001 * top * ring)
    assert not valid.any()
    assert np.isnan(outside).all()


def test_what_lies_beyond_a_pole_is_not_valid():
    k = coefficients(k4=-1.0)  # 1 / (1 - u)

    assert is_unfolded(k, [[0.999, 0], [0, -0.999]]).all()
    assert not is_unfolded(k, [[1.001, 0], [0, -1.001]]).any()


def test_strong_polynomials_are_undone_wherever_they_are_unfolded():
    undone = total = 0
    for k, points in strong_polynomials(100, 1000):
        images = apply_polynomial(k, points)
        near = np.linalg.norm(images, axis=-1) < 10  # not beside a pole
        inside = near & is_unfolded(k, points)
        found, valid = invert_polynomial(k, images)
        solved = inside & valid
        # no other solution is ever taken for the one inside
        assert np.abs(found - points)[solved].max(initial=0.0) < 1e-6
        residual = apply_polynomial(k, found[valid & near]) - images[valid & near]
        assert np.abs(residual).max(initial=0.0) < 1e-11
        undone += int(np.count_nonzero(solved))
        total += int(np.count_nonzero(inside))
    assert total > 60_000
    # what is missed lies in one polynomial, between lobes of a fold with no end in some directions
    assert undone >= 0.9995 * total


@pytest.mark.filterwarnings("error")
def test_points_that_are_not_finite_are_not_valid_and_warn_of_nothing():
    points = np.array([[np.nan, 0], [0, np.inf], [-np.inf, np.nan], [1e200, 0], [0.1, 0.1]])
    for k in (coefficients(), coefficients(k1=-0.3, p1=0.01), coefficients(k1=0.1, k4=0.2)):
        found, valid = invert_polynomial(k, points)

        assert valid.tolist() == [False, False, False, False, True]
        assert np.isnan(found[:4]).all()
        assert is_unfolded(k, points)[[0, 1, 2, 4]].tolist() == [False, False, False, True]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e300, -1e300, 1e100, -1e100, 1e-300, -5e-324])
def test_coefficients_of_any_size_give_an_answer(value):
    for name in NAMES_OF_TERMS:
        k = coefficients(**{name: value}, k2=0.1) if name != "k2" else coefficients(k2=value)
        found, valid = invert_polynomial(k, [[0.0, 0.0], [0.1, 0.2]])
        # at 1e300 the square of the fold radius is below the smallest number: nothing is inside
        assert valid[0] or abs(value) == 1e300
        assert np.array_equal(valid, is_unfolded(k, found))


@pytest.mark.parametrize("name", NAMES)
def test_within_the_fold_radius_every_direction_is_unfolded(name):
    k = published(name).distortion
    radius = min(fold_radius(k), 1e3)
    angle = np.linspace(0, 2 * np.pi, 2000)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    assert is_unfolded(k, 0.9999 * radius * ring).all()
    # measured: 0.366 and 0.306 for cam1 and cam2; cam3 and cam4 fold nowhere
    assert is_unfolded(k, 1.001 * radius * ring).all() == (name in ("cam3", "cam4"))


def test_without_distortion_nothing_moves():
    points = np.random.default_rng(1).normal(0, 10, (500, 2))

    assert np.array_equal(apply_polynomial(np.zeros(12), points), points)
    assert np.array_equal(invert_polynomial(np.zeros(12), points)[0], points)


def test_a_point_has_one_answer_however_an_image_is_cut():
    k = published("cam2").distortion
    points = np.random.default_rng(2).uniform(-0.2, 0.2, (70_000, 2))
    whole, valid = invert_polynomial(k, points)
    assert 0.8 < valid.mean() < 1

    parts = [invert_polynomial(k, part)[0] for part in np.array_split(points, 7)]

    assert np.array_equal(np.concatenate(parts), whole, equal_nan=True)
    assert np.array_equal(invert_polynomial(k, points[12345])[0], whole[12345])


@pytest.mark.parametrize("name", NAMES)
def test_a_published_polynomial_is_unfolded_well_beyond_its_image(name):
    # The farthest corners of the four lie 0.246, 0.259, 0.201 and 0.230 from the principal point.
    radius = {"cam1": 0.36, "cam2": 0.30, "cam3": 1.0, "cam4": 1.0}[name]
    points = np.random.default_rng(3).uniform(-0.7, 0.7, (20_000, 2)) * radius

    assert is_unfolded(published(name).distortion, points).all()


def test_shapes_follow_the_points_and_wrong_ones_are_refused():
    k = coefficients(k1=0.1)
    for shape in ((2,), (0, 2), (3, 4, 2)):
        points = np.zeros(shape)
        found, valid = invert_polynomial(k, points)
        assert found.shape == apply_polynomial(k, points).shape == shape
        assert valid.shape == is_unfolded(k, points).shape == shape[:-1]
        assert polynomial_jacobian(k, points).shape == (*shape, 2)
    with pytest.raises(ValueError, match="12 distortion coefficients"):
        apply_polynomial(np.zeros(5), [0, 0])
    with pytest.raises(ValueError, match=r"points \(\.\.\., 2\)"):
        invert_polynomial(k, np.zeros((4, 3)))
