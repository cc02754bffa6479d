"""Smooth fields: what is smooth comes back, dust does not count, and intensities follow."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.lights import from_directions
from mvps.lights.fields import LowPass, parse_low_pass, smooth_field
from mvps.lights.intensity import facing, parse_normal, relative_intensities

SIZE, EDGE = (120, 200), 4
y, x = np.mgrid[:120, :200]
U, V = (2 * x - 199) / 199, (2 * y - 119) / 119
TRUTH = 300 * (1 - 0.3 * (U**2 + 0.5 * V**2) + 0.1 * U - 0.05 * U * V)


def cells(image: np.ndarray) -> np.ndarray:
    return image.reshape(30, EDGE, 50, EDGE).mean(axis=(1, 3))


@pytest.mark.parametrize(
    ("low_pass", "error"),
    [
        # Means over cells of 0.04 by 0.067 (the frame is 2 by 2) lie below a parabola's centre by
        # (0.3 * 0.04^2 + 0.15 * 0.067^2) / 12 * 300 / 254 = 1.1e-4.
        (LowPass("polynomial", 2), 2e-4),
        (LowPass("polynomial", 4), 2e-4),
        # A plane of width s (0.03 by 0.05) is off by c s^2 / 2 of each curvature c, here 6e-4, and
        # by a few times that in the corners.
        (LowPass("gaussian", 1.5), 2.5e-3),
    ],
)
def test_a_smooth_field_comes_back_with_mean_1(low_pass, error):
    field = smooth_field(cells(TRUTH), SIZE, EDGE, low_pass)
    rows = np.concatenate([field.rows(0, 64), field.rows(64, 120)])

    assert rows.dtype == np.float32
    assert rows.mean(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert field.level == pytest.approx(TRUTH.mean(), rel=error)
    assert rows == pytest.approx(TRUTH / TRUTH.mean(), abs=error)


@pytest.mark.parametrize("low_pass", [LowPass(), LowPass("gaussian", 5)])
def test_dust_scratches_and_unusable_cells_do_not_count(low_pass):
    dirty = cells(TRUTH)
    clean = smooth_field(dirty, SIZE, EDGE, low_pass)
    dirty[5:8, 10:12] *= 0.6
    dirty[20, :30] *= 1.3
    dirty[12, 40] = np.nan

    field = smooth_field(dirty, SIZE, EDGE, low_pass)

    assert field.rows(0, 120) == pytest.approx(clean.rows(0, 120), abs=5e-3)
    assert field.level == pytest.approx(clean.level, rel=1e-3)
    assert field.rejected >= 36 / 1500


def test_a_field_that_is_not_smooth_says_so_by_its_residual():
    rough = cells(TRUTH) * (1 + 0.05 * np.sin(np.arange(50)))

    assert smooth_field(rough, SIZE, EDGE, LowPass()).residual > 0.02


def test_too_few_usable_cells_cannot_be_fitted():
    holes = np.full((30, 50), np.nan)
    holes[:4, :5] = 1

    with pytest.raises(ValueError, match="too few usable pixels"):
        smooth_field(holes, SIZE, EDGE, LowPass("polynomial", 4))
    with pytest.raises(ValueError, match="too few usable pixels"):
        smooth_field(holes, SIZE, EDGE, LowPass("gaussian", 1))


@pytest.mark.parametrize("text", ["polynomial=4", "gaussian=2.5", "none"])
def test_a_low_pass_is_spelt_as_it_is_read(text):
    assert parse_low_pass(text).text == text


@pytest.mark.parametrize(
    "text",
    ["", "polynomial", "polynomial=0", "polynomial=2.5", "polynomial=9", "gaussian=0", "x=1"],
)
def test_another_low_pass_is_refused(text):
    with pytest.raises(InputError, match="no low pass"):
        parse_low_pass(text)


def test_intensities_are_levels_over_the_foreshortening_with_mean_1():
    # Lights at 60 and 0 degrees off the target's normal; the second looks twice as bright.
    rig = from_directions([[np.sqrt(0.75), 0, 0.5], [0, 0, 1]])

    cosine = facing(rig, np.array([0, 0, 1.0]))

    assert relative_intensities(np.array([0.3, 0.6]), cosine).tolist() == pytest.approx([1, 1])
    assert relative_intensities(np.array([0.3, 0.6]), None).tolist() == pytest.approx(
        [2 / 3, 4 / 3]
    )
    colours = relative_intensities(np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6]]), cosine)
    assert colours == pytest.approx(np.array([[0.5, 1, 1.5]] * 2))


def test_a_light_that_grazes_the_target_is_named():
    rig = from_directions([[0, 0, 1], [1, 0, 0]], source="a.lp")

    with pytest.raises(InputError, match=r"a\.lp: row 2: the light hardly reaches the target"):
        facing(rig, parse_normal("0,0,1"))


@pytest.mark.parametrize("text", ["0,0", "0,0,-1", "a,b,c", "0,0,nan", "1,0,0"])
def test_a_normal_that_does_not_face_the_camera_is_refused(text):
    with pytest.raises(InputError, match="is not the normal of a target"):
        parse_normal(text)
