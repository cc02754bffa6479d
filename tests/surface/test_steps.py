"""Steps: what bilateral integration keeps, Poisson smears and no normals can tell."""

from __future__ import annotations

import numpy as np
import pytest
from reliefs import cap, closed_step, rms_share, slopes_of, slot, sphere

from mvps.surface import integrate

BLEEDING = 3  # px from a wall within which the height may be off


@pytest.mark.parametrize(("size", "depth"), [(128, 12.0), (128, 4.0), (192, 24.0)])
def test_a_slot_that_deepens_is_kept_where_poisson_smears_it(size: int, depth: float) -> None:
    truth = slot(size, depth)
    slopes = slopes_of(truth)

    poisson = integrate(slopes, "dct").height
    found = integrate(slopes, "bilateral")

    assert rms_share(poisson, truth[0]) > 0.2
    assert rms_share(found.height, truth[0]) < 0.005
    assert not found.regions.unobservable
    off = np.abs(away_from(found.height, truth[0]))[far_from_border(truth[0] < 0)]
    assert off.max() < 0.005 * depth


@pytest.mark.parametrize(("depth", "noise"), [(12.0, 0.02), (4.0, 0.01)])
def test_a_slot_is_kept_in_noisy_normals(depth: float, noise: float) -> None:
    """Noise of 0.01 in each component turns normals by 0.7 degrees on average."""
    truth = slot(128, depth)
    found = integrate(slopes_of(truth, noise=noise), "bilateral")
    assert rms_share(found.height, truth[0]) < 0.005
    assert not found.regions.unobservable


def test_a_closed_step_leaves_each_side_right_and_their_relation_open() -> None:
    """No normal knows how high the disc stands: any height belongs to the same map."""
    truth, disc = closed_step(height=6.0)
    higher, _ = closed_step(height=40.0)

    found = integrate(slopes_of(truth), "bilateral")
    other = integrate(slopes_of(higher), "bilateral")

    np.testing.assert_array_equal(found.height, other.height)
    assert found.regions.unobservable
    assert len(found.regions.sizes) == 2
    assert "relative to each other cannot be observed" in found.warnings[-1]
    for side in (disc, ~disc):
        off = (found.height - truth[0])[side]
        assert off.std() < 0.005 * np.ptp(truth[0])
        labels = found.regions.labels[side]
        assert np.mean(labels == np.bincount(labels).argmax()) > 0.95


def test_a_closed_step_in_noisy_normals_is_right_away_from_its_wall() -> None:
    truth, disc = closed_step()

    found = integrate(slopes_of(truth, noise=0.01), "bilateral")

    assert len(found.regions.sizes) == 2
    for side in (disc, ~disc):
        inside = side & far_from_border(disc)
        off = (found.height - truth[0])[inside]
        assert off.std() < 0.005 * np.ptp(truth[0])


@pytest.mark.parametrize("noise", [0.005, 0.01, 0.02])
def test_noise_on_a_smooth_surface_makes_no_regions(noise: float) -> None:
    truth = sphere(128)
    found = integrate(slopes_of(truth, noise=noise), "bilateral")
    assert not found.regions.unobservable
    assert rms_share(found.height, truth[0]) < 0.001


def test_a_crease_is_no_wall() -> None:
    found = integrate(slopes_of(cap(128)), "bilateral")
    assert not found.regions.unobservable


def test_parts_behind_pixels_too_steep_to_be_believed_are_told_apart() -> None:
    """A ring of pixels that face away stands between the disc and the plate."""
    from reliefs import axes, normals_of

    from mvps.surface import orthographic_slopes

    x, y = axes(80)
    radius = np.hypot(x, y)
    ring = (radius > 20) & (radius < 23)
    normals = normals_of((x, 0 * x, 0 * x))
    normals[ring] = np.stack([x / radius, y / radius, 0 * x], axis=-1)[ring]

    found = integrate(orthographic_slopes(normals), "sparse")

    assert len(found.regions.sizes) == 2


def away_from(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Error after the offset of the plate, which most pixels belong to."""
    return found - truth - np.median(found - truth)


def far_from_border(part: np.ndarray) -> np.ndarray:
    """Pixels more than 3 px away from where a part begins."""
    from scipy import ndimage

    inside, outside = (ndimage.distance_transform_edt(side) for side in (part, ~part))
    return np.maximum(inside, outside) > BLEEDING
