"""A mirror ball as optics: exact outlines and highlights give back the lamps that made them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import rendered_balls as rb

from mvps.calib import Camera
from mvps.calib.geometry import unproject
from mvps.lights import near
from mvps.lights import sphere_model as model
from mvps.lights.sphere_ellipse import circle, fit_ellipse

VIEW = rb.camera()
DISTORTED = rb.camera(focal=1400.0, distortion=(-0.12, 0.05, 1e-3, -5e-4))
CAMERAS = pytest.mark.parametrize("view", [VIEW, DISTORTED], ids=["pinhole", "distorted"])
BALLS = [(np.array([-90.0, 40.0, 700.0]), 25.0), (np.array([110.0, -55.0, 760.0]), 20.0)]
RADII = np.array([radius for _, radius in BALLS])
LIGHTS = np.array(
    [[-250.0, -300.0, 250.0], [300.0, -150.0, 100.0], [40.0, 310.0, 300.0], [-350.0, 60.0, 420.0]]
)


def photograph(
    view: Camera, centre: np.ndarray, radius: float, light: np.ndarray, count: int = 360
) -> tuple[np.ndarray, np.ndarray]:
    """Outline (count, 2) and highlight (2,) in px, as a perfect photograph would give them."""
    outline = rb.pixels(view, rb.tangent_rays(centre, radius, count))
    return outline, rb.pixels(view, rb.mirror_point(centre, radius, light))


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(2 * np.arcsin(np.linalg.norm(rb.unit(a) - rb.unit(b), axis=-1) / 2))


@CAMERAS
@pytest.mark.parametrize("ball", BALLS)
def test_a_ball_gives_its_centre_and_the_directions_of_the_lamps(
    view: Camera, ball: tuple[np.ndarray, float]
) -> None:
    """Rounding alone separates them: measured 5e-9 degrees and 2e-9 mm at most."""
    centre, radius = ball
    for light in LIGHTS:
        outline, highlight = photograph(view, centre, radius, light)
        cone = model.outline_cone(view, outline)
        point, direction = model.mirror_rays(cone.m, unproject(view, highlight)[0], radius)

        assert model.sphere_centre(cone.m, radius) == pytest.approx(centre, abs=1e-6)
        assert degrees(direction, light - point) < 1e-6
        assert cone.sigma < 1e-8


def test_the_half_angle_is_that_of_the_tangent_rays() -> None:
    centre, radius = BALLS[0]
    m = model.fit_cone(rb.tangent_rays(centre, radius, 7))

    assert np.sin(model.half_angle(m)) == pytest.approx(radius / np.linalg.norm(centre), rel=1e-9)


def test_the_eccentricity_of_the_outline_tells_how_far_off_axis_a_ball_is() -> None:
    """The closed form of docs/light_probes.md, e = sin phi / cos a, and the semi-axes."""
    for centre, radius in BALLS:
        points = rb.pixels(VIEW, rb.tangent_rays(centre, radius, 200))
        middle = points.mean(axis=0)
        ellipse = fit_ellipse(points, circle(*middle, 70.0)).ellipse
        far = np.linalg.norm(centre)
        sine, cosine_off = radius / far, centre[2] / far
        cosine, focal = np.sqrt(1 - sine**2), VIEW.matrix[0, 0]
        spread = cosine_off**2 - sine**2

        major, minor = ellipse.semi_axes
        assert major == pytest.approx(focal * sine * cosine / spread, rel=1e-9)
        assert minor == pytest.approx(focal * sine / np.sqrt(spread), rel=1e-9)
        assert ellipse.eccentricity == pytest.approx(np.sqrt(1 - cosine_off**2) / cosine, rel=1e-6)


@CAMERAS
def test_two_balls_give_the_position_of_a_near_lamp(view: Camera) -> None:
    for light in LIGHTS:
        outlines, highlights = perfect(view, light)
        m, rays = cones_and_rays(view, outlines, highlights)

        assert near.lamp(m, rays, RADII) == pytest.approx(light, abs=1e-6)


def test_parallel_rays_meet_nowhere() -> None:
    ahead = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])

    assert np.isnan(near.meet(np.array([[0.0, 0, 0], [5.0, 0, 0]]), ahead)).all()


def perfect(view: Camera, light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outlines (2, 120, 2) and highlights (2, 2) of the two balls, px."""
    seen = [photograph(view, centre, radius, light, 120) for centre, radius in BALLS]
    return np.stack([outline for outline, _ in seen]), np.stack([spot for _, spot in seen])


def cones_and_rays(
    view: Camera, outlines: np.ndarray, highlights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    slopes = model.ray_derivative(view, outlines)
    m, _ = model.fit_outline(unproject(view, outlines)[0], slopes)
    return m, unproject(view, highlights)[0]


@pytest.mark.parametrize("noise", [0.02, 0.05])
def test_the_covariance_of_a_position_covers_the_truth_at_its_rate(noise: float) -> None:
    """Chi-square of 3 degrees of freedom: 68.27% lie within 3.527 and 95% within 7.815.

    Bounds are three binomial standard deviations of 1,000 trials: 4.4% and 2.1%. Outline and
    highlight of both balls are noisy; the covariance is that of the noisy fit, not of the truth.
    """
    trials, light = 1000, LIGHTS[0]
    rng = np.random.default_rng(4)
    outlines, highlights = perfect(VIEW, light)
    outlines = outlines + noise * rng.standard_normal((trials, *outlines.shape))
    highlights = highlights + noise * rng.standard_normal((trials, *highlights.shape))
    m, rays = cones_and_rays(VIEW, outlines, highlights)
    slopes = model.ray_derivative(VIEW, outlines)
    cones = model.cone_covariance(unproject(VIEW, outlines)[0], slopes, m, noise)
    covariance = near.lamp_covariance(
        m,
        rays,
        RADII,
        cone_covariances=cones,
        ray_derivatives=model.ray_derivative(VIEW, highlights),
        highlight_sigmas=np.full(2, noise),
    )
    off = near.lamp(m, rays, RADII) - light
    square = (off * np.linalg.solve(covariance, off[..., None])[..., 0]).sum(axis=-1)

    assert np.mean(square < 3.527) == pytest.approx(0.6827, abs=0.044)
    assert np.mean(square < 7.815) == pytest.approx(0.95, abs=0.021)
    assert np.abs(off.mean(axis=0)).max() < np.sqrt(np.trace(covariance.mean(axis=0))) / 10


def test_the_residual_of_a_noisy_outline_is_its_noise() -> None:
    """200 noisy outlines of 120 points: the mean deviation is known to 0.5%."""
    rng = np.random.default_rng(5)
    outlines, _ = perfect(VIEW, LIGHTS[0])
    found = [
        model.outline_cone(VIEW, outlines[0] + 0.1 * rng.standard_normal((120, 2))).sigma
        for _ in range(200)
    ]

    assert np.mean(found) == pytest.approx(0.1, rel=0.02)


def test_the_orthographic_model_keeps_within_its_bound() -> None:
    """Distant lamps, balls anywhere in pictures of 14 to 74 degrees, half-angles to 8 degrees.

    Over 400 draws the largest error is 0.98 of the bound: it is not idle either.
    """
    rng = np.random.default_rng(7)
    shares = [orthographic_error_over_bound(rng) for _ in range(150)]

    assert max(shares) < 1
    assert max(shares) > 0.9


def orthographic_error_over_bound(rng: np.random.Generator) -> float:
    view = rb.camera(focal=float(rng.uniform(1000, 6000)))
    width, height = view.image_size
    matrix = view.matrix.copy()
    matrix[:2, 2] = (width - 1) / 2, (height - 1) / 2
    view = dataclasses.replace(view, matrix=matrix)
    focal = matrix[0, 0]
    aim = np.array([*rng.uniform(-0.4, 0.4, 2) * view.image_size / focal, 1])
    centre = rb.unit(aim) * 20.0 / np.sin(np.radians(rng.uniform(0.5, 8)))
    lamp = rb.unit(np.array([*rng.uniform(-1.5, 1.5, 2), -1.0]))
    outline, highlight = photograph(view, centre, 20.0, centre + 1e7 * lamp)
    middle = outline.mean(axis=0)
    guess = circle(*middle, np.linalg.norm(outline - middle, axis=1).mean())
    ellipse = fit_ellipse(outline, guess).ellipse
    found = model.orthographic_directions(ellipse, highlight)
    diagonal = 2 * np.degrees(np.arctan(np.hypot(width, height) / 2 / focal))
    bound = model.orthographic_bound(ellipse, highlight, view.image_size, diagonal)
    return float(degrees(found, model.to_house(lamp)) / bound)
