"""Highlights: centroids of compact spots, medians of ragged ones, and what is no highlight."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.lights.highlight import find_highlight, find_highlights

SIZE = 80
EVERYWHERE = np.ones((SIZE, SIZE), dtype=bool)
DARK = np.full((SIZE, SIZE), 0.03)


def blob(x: float, y: float, peak: float, sigma: float = 3.0) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return peak * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / sigma**2)


@pytest.mark.parametrize("peak", [0.3, 0.9, 3.0, 40.0], ids=lambda p: f"peak {p} of white")
def test_a_round_spot_is_met_to_a_fiftieth_of_a_pixel(peak: float) -> None:
    """Measured over 100 places: 0.022, 0.009, 0.010 and 0.014 px at most."""
    rng = np.random.default_rng(1)
    for x, y in rng.uniform(30, 50, (25, 2)):
        spot = find_highlight(np.clip(DARK + blob(x, y, peak), 0, 1), EVERYWHERE, DARK)
        assert spot is not None
        assert spot.method == "centroid"
        assert (spot.x, spot.y) == pytest.approx((x, y), abs=0.025)
        assert (spot.saturated > 0) == (peak > 1)


def test_a_star_has_the_median_of_its_saturated_pixels() -> None:
    """Four arms of unequal length drag the centroid, but not the median."""
    image = np.clip(DARK + blob(40, 40, 3.0), 0, 1)
    image[39:42, 40:70] = 1.0
    image[10:40, 40:42] = 1.0
    image[40:48, 39:41] = 1.0

    ragged = find_highlight(image, EVERYWHERE, DARK)
    mean = find_highlight(image, EVERYWHERE, DARK, "centroid")

    assert ragged is not None
    assert mean is not None
    assert ragged.method == "median"
    assert np.hypot(ragged.x - 40, ragged.y - 40) < 0.7 * np.hypot(mean.x - 40, mean.y - 40)
    assert ragged.doubt > 1


def test_the_surroundings_are_no_highlight() -> None:
    """A window that every image shows is brighter than the lamp's own spot."""
    window = np.zeros_like(DARK)
    window[10:25, 10:25] = 0.9
    shared = np.maximum(DARK, window)
    image = np.clip(shared + blob(55, 50, 0.6), 0, 1)

    spot = find_highlight(image, EVERYWHERE, shared)

    assert spot is not None
    assert (spot.x, spot.y) == pytest.approx((55, 50), abs=0.05)
    assert spot.rival == 0


def test_the_stronger_of_two_spots_is_taken_and_the_other_told() -> None:
    image = np.clip(DARK + blob(25, 30, 3.0, 4.0) + blob(60, 50, 3.0, 2.8), 0, 1)

    spot = find_highlight(image, EVERYWHERE, DARK)

    assert spot is not None
    assert (spot.x, spot.y) == pytest.approx((25, 30), abs=0.05)
    assert spot.rival == pytest.approx((2.8 / 4) ** 2, rel=0.1)  # areas go as sigma squared


def test_a_hot_pixel_is_no_highlight() -> None:
    image = DARK.copy()
    image[20, 30] = 1.0

    assert find_highlight(image, EVERYWHERE, DARK) is None


def test_what_lies_off_the_ball_does_not_count() -> None:
    inside = EVERYWHERE.copy()
    inside[:, 40:] = False

    assert find_highlight(np.clip(DARK + blob(60, 40, 3), 0, 1), inside, DARK) is None


def test_one_series_has_one_method() -> None:
    round_spot = np.clip(DARK + blob(50, 50, 3.0), 0, 1)
    star = np.clip(DARK + blob(30, 30, 3.0), 0, 1)
    star[29:32, 30:60] = 1.0
    other = star.T.copy()

    spots = find_highlights(np.stack([round_spot, star, other, DARK]), EVERYWHERE)

    assert [spot.method for spot in spots if spot] == ["median"] * 3
    assert spots[3] is None
