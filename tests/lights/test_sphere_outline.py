"""Outlines of balls: fitted to points, refined on edges, found without help."""

from __future__ import annotations

import numpy as np
import pytest
import rendered_balls as rb

from mvps.lights.sphere_ellipse import circle, distances, ellipse_from_axes, fit_ellipse
from mvps.lights.sphere_outline import find_balls, refine_outline

TRUE = ellipse_from_axes(301.3, 219.8, 120.0, 112.0, 31.0)
VIEW = rb.camera(size=(600, 450), focal=1100.0)
CENTRE, RADIUS = np.array([-60.0, 35.0, 500.0]), 40.0


def test_an_ellipse_is_its_numbers() -> None:
    major, minor = TRUE.semi_axes

    assert (major, minor) == pytest.approx((120, 112))
    assert TRUE.angle == pytest.approx(31)
    assert TRUE.eccentricity == pytest.approx(np.sqrt(1 - (112 / 120) ** 2))
    assert np.abs(distances(TRUE, TRUE.points(50))).max() < 1e-12


def test_points_of_an_ellipse_give_it_back_though_a_third_lie_elsewhere() -> None:
    rng = np.random.default_rng(1)
    points = TRUE.points(300)
    points[:100] = TRUE.points(300, 0.96)[:100] + rng.uniform(-3, 3, (100, 2))

    fit = fit_ellipse(points, circle(299, 222, 117))

    assert fit.ellipse.centre == pytest.approx(TRUE.centre, abs=1e-6)
    assert fit.ellipse.semi_axes == pytest.approx(TRUE.semi_axes, abs=1e-6)
    assert not fit.inliers[:100].any()
    assert fit.inliers[100:].all()


def test_the_covariance_of_a_fit_covers_the_truth() -> None:
    """Five parameters: 95% of 400 trials lie within 11.07, give or take three times 1.1%."""
    rng = np.random.default_rng(2)
    truth = np.array([*TRUE.centre, TRUE.shape[0, 0], TRUE.shape[0, 1], TRUE.shape[1, 1]])
    squares = []
    for _ in range(400):
        fit = fit_ellipse(TRUE.points(200) + 0.2 * rng.standard_normal((200, 2)), TRUE)
        e = fit.ellipse
        found = np.array([*e.centre, e.shape[0, 0], e.shape[0, 1], e.shape[1, 1]])
        squares.append((found - truth) @ np.linalg.solve(fit.covariance, found - truth))

    assert np.mean(np.array(squares) < 11.07) == pytest.approx(0.95, abs=0.033)


def test_points_on_a_line_span_no_ellipse() -> None:
    line = np.stack([np.linspace(0, 100, 50), np.zeros(50)], axis=1)

    with pytest.raises(ValueError, match="span no ellipse"):
        fit_ellipse(line, circle(50, 0, 50))


def test_the_outline_of_a_rendered_ball_is_met_to_a_fiftieth_of_a_pixel() -> None:
    """Measured: 0.008 px at most from the true outline; edge pixels are sampled 8 times a side."""
    image = 0.35 - 0.3 * rb.coverage(VIEW, CENTRE, RADIUS)
    truth = rb.pixels(VIEW, rb.tangent_rays(CENTRE, RADIUS, 500))

    outline = refine_outline(image, circle(*truth.mean(axis=0), 85.0))

    assert outline is not None
    assert outline.coverage > 0.98
    assert np.abs(distances(outline.ellipse, truth)).max() < 0.02


def test_balls_are_found_among_other_edges() -> None:
    """A bright wall on one side, a dark one on the other, bars across and noise over all."""
    rng = np.random.default_rng(3)
    centres = [CENTRE, np.array([90.0, -40.0, 520.0])]
    image = np.where(np.arange(600)[None, :] < 240, 0.6, 0.15) * np.ones((450, 1))
    image[380:392, :] = 0.9
    for centre in centres:
        share = rb.coverage(VIEW, centre, RADIUS)
        image = image * (1 - share) + 0.35 * share
    image = image + 0.02 * rng.standard_normal(image.shape)

    found = find_balls(image, 2)

    assert len(found) == 2
    for outline, centre in zip(found, centres, strict=True):
        truth = rb.pixels(VIEW, rb.tangent_rays(centre, RADIUS, 500))
        assert np.abs(distances(outline.ellipse, truth)).max() < 0.3


@pytest.mark.parametrize("image", [np.zeros((60, 80)), np.zeros((1, 1))], ids=["black", "tiny"])
def test_nothing_is_found_where_nothing_is(image: np.ndarray) -> None:
    assert find_balls(image) == ()


def test_a_square_is_no_ball() -> None:
    image = np.zeros((300, 300))
    image[60:240, 60:240] = 1

    assert find_balls(image) == ()
