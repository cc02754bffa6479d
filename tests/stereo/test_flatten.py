"""Known bends are found and taken off, and the relief of the part stays."""

from __future__ import annotations

import numpy as np
import pytest
from bends import dome, letters, linear, normals_of, quadratic, seen_by_near_lights, waves
from scenes import degrees_between

from mvps.errors import InputError
from mvps.stereo.flatten import (
    Bend,
    SlopeCells,
    SmoothSlopes,
    fit_bend,
    remove_bend,
    rotate_to_axis,
    subtract_slopes,
)

SIZE = (300, 420)
UP = np.array([0.0, 0.0, 1.0])
# float32 normals are right to about 6e-8 in each component, 1e-5 degrees.
ROUNDING = 3e-5


def cells_of(normals, valid=None, *, rows=64, edge=None) -> SlopeCells:
    height, width = normals.shape[:2]
    valid = np.ones((height, width), np.bool_) if valid is None else valid
    cells = SlopeCells(width, height, edge)
    for y in range(0, height, rows):
        cells.add_rows(normals[y : y + rows], valid[y : y + rows])
    return cells


def flattened(normals, degree, valid=None) -> tuple[np.ndarray, Bend]:
    valid = np.ones(normals.shape[:2], np.bool_) if valid is None else valid
    return remove_bend(normals, valid, degree)


def test_a_constant_tilt_is_found_and_removed():
    normals = normals_of(np.full(SIZE, 0.2), np.full(SIZE, -0.1))

    flat, bend = flattened(normals, 0)

    assert bend.p == pytest.approx([0.2], abs=1e-6)
    assert bend.q == pytest.approx([-0.1], abs=1e-6)
    assert bend.kept == 1
    assert degrees_between(flat, UP).max() < ROUNDING


@pytest.mark.parametrize("degree", [1, 2])
def test_a_linear_bend_is_found_by_every_degree_that_holds_it(degree):
    flat, bend = flattened(normals_of(*linear(*SIZE)), degree)

    assert bend.p[:3] == pytest.approx([0.05, 0.1, -0.03], abs=1e-5)
    assert bend.q[:3] == pytest.approx([-0.02, 0.02, 0.08], abs=1e-5)
    assert degrees_between(flat, UP).max() < 1e-3


def test_a_quadratic_bend_leaves_what_a_plane_cannot_follow():
    normals = normals_of(*quadratic(*SIZE))

    plane, quadric = (flattened(normals, degree)[0] for degree in (1, 2))

    # 0.04 u^2 less its best line is a parabola of up to 0.027, 1.5 degrees, at the border.
    assert 0.5 < degrees_between(plane, UP).max() < 3
    assert degrees_between(quadric, UP).max() < 0.005


@pytest.mark.parametrize(
    "relief",
    [
        dome(*SIZE, radius=90),  # a fifth of the part: its cells are rejected
        letters(*SIZE, 150),  # a tenth of it: most medians pass over them
    ],
)
def test_relief_on_a_face_stays_when_its_bend_goes(relief):
    bent = [bend + slope for bend, slope in zip(quadratic(*SIZE), relief, strict=True)]

    flat, _ = flattened(normals_of(*bent), 2)

    assert degrees_between(normals_of(*bent), normals_of(*relief)).max() > 6
    assert degrees_between(flat, normals_of(*relief)).max() < 0.01


def test_waves_over_all_of_a_part_stay_when_a_cell_holds_whole_ones():
    size = (600, 840)
    relief = waves(*size, pitch=12)
    bent = normals_of(*(bend + slope for bend, slope in zip(quadratic(*size), relief, strict=True)))

    bend = fit_bend(cells_of(bent, edge=24), 2)
    flat = subtract_slopes(bent, np.ones(size, np.bool_), bend.slopes(0, size[0]))

    # Measured: 0.061 degrees in either slope, against waves of 17.
    assert degrees_between(flat, normals_of(*relief)).max() < 0.1


@pytest.mark.parametrize("share", [0.2, 0.33, 0.42])
@pytest.mark.parametrize("degree", [1, 2])
def test_nearly_half_of_the_part_may_slope_another_way(share, degree):
    p, q = (linear, quadratic)[degree - 1](*SIZE)
    edge = round(share * SIZE[1])
    p[:, :edge] += 0.6

    flat, bend = flattened(normals_of(p, q), degree)

    assert bend.kept == pytest.approx(1 - share, abs=0.02)
    assert degrees_between(flat[:, edge:], UP).max() < 0.01


def test_noise_is_averaged_out():
    rng = np.random.default_rng(3)
    p, q = (slope + 0.05 * rng.standard_normal(SIZE) for slope in quadratic(*SIZE))

    bend = fit_bend(cells_of(normals_of(p, q)), 2)

    # Noise of 2.9 degrees a pixel over 126,000 pixels: 0.008 degrees, a little more at the border.
    off = bend.slopes(0, SIZE[0]) - np.stack(quadratic(*SIZE), axis=-1)
    assert np.degrees(np.abs(off)).max() < 0.15


def test_invalid_pixels_neither_count_nor_come_back():
    normals = normals_of(*linear(*SIZE))
    valid = np.ones(SIZE, np.bool_)
    valid[40:200, 100:220] = False
    normals[~valid] = (0.9, 0.1, 0.2)

    flat, bend = flattened(normals, 1, valid)

    assert bend.p == pytest.approx([0.05, 0.1, -0.03], abs=1e-5)
    assert not flat[~valid].any()
    assert degrees_between(flat[valid], UP).max() < 1e-3


def test_walls_are_no_slope_and_stay_unit():
    normals = normals_of(*linear(*SIZE))
    normals[:, 200:260] = (1, 0, 0)

    flat, bend = flattened(normals, 1)

    assert bend.p == pytest.approx([0.05, 0.1, -0.03], abs=1e-5)
    assert np.linalg.norm(flat, axis=-1) == pytest.approx(np.ones(SIZE), abs=1e-6)
    assert flat[0, 230].tolist() == [1, 0, 0]


def test_the_frame_whose_z_points_away_has_the_same_slopes():
    normals = normals_of(*linear(*SIZE))

    bend = fit_bend(cells_of(-normals), 1)

    assert bend.p == pytest.approx([0.05, 0.1, -0.03], abs=1e-5)


@pytest.mark.parametrize("rows", [1, 7, 64, 300])
def test_the_cells_do_not_depend_on_how_the_rows_come(rows):
    normals = normals_of(*quadratic(*SIZE))

    assert np.array_equal(cells_of(normals, rows=rows).slopes, cells_of(normals).slopes)


def test_a_cell_is_the_median_of_its_valid_pixels():
    normals = normals_of(np.array([[0.1, 0.2, 0.9, 0.5]]), np.zeros((1, 4)))
    valid = np.array([[True, True, True, False]])

    cells = cells_of(normals, valid, edge=4)

    assert cells.slopes[0, 0] == pytest.approx([0.2, 0], abs=1e-6)
    assert np.isnan(cells_of(normals, ~valid & (normals[..., 0] > 0), edge=4).slopes).all()


def test_the_tilt_at_the_centre_can_stay():
    bend = fit_bend(cells_of(normals_of(*linear(*SIZE))), 1).about_tilt()

    middle = bend.slopes(SIZE[0] // 2, SIZE[0] // 2 + 1)[0, SIZE[1] // 2]
    assert middle == pytest.approx([0, 0], abs=1e-3)
    assert bend.p[1:] == pytest.approx([0.1, -0.03], abs=1e-5)


@pytest.mark.parametrize(("shape", "degree"), [((1, 1), 0), ((3, 3), 1), ((5, 4), 2)])
def test_tiny_maps_are_flattened(shape, degree):
    p, q = (np.full(shape, 0.1), np.full(shape, 0.1)) if degree == 0 else linear(*shape)

    flat, _ = flattened(normals_of(p, q), degree)

    assert degrees_between(flat, UP).max() < 1e-3


@pytest.mark.parametrize(
    ("normals", "degree", "fault"),
    [
        (normals_of(*linear(1, 1)), 1, "too few"),
        (normals_of(*linear(3, 3)), 2, "normals in 9 cells of 1 x 1 pixels are too few"),
        (normals_of(*linear(1, 60)), 1, "take a lower degree"),  # all in one line
        (np.zeros((30, 30, 3), np.float32), 0, "normals in 0 cells"),
        (normals_of(*linear(30, 30)), 3, "3 is none of 0, 1, 2"),
    ],
)
def test_what_cannot_be_fitted_is_refused(normals, degree, fault):
    cells = cells_of(normals, normals.any(axis=-1))

    with pytest.raises(InputError, match=fault):
        fit_bend(cells, degree)


def test_a_reference_is_turned_upright_and_angles_between_normals_stay():
    rng = np.random.default_rng(1)
    reference = normals_of(*rng.normal(0, 0.4, (2, 40, 50)))
    other = normals_of(*rng.normal(0, 0.4, (2, 40, 50)))
    valid = np.ones((40, 50), np.bool_)

    level = rotate_to_axis(reference, valid, reference)
    turned = rotate_to_axis(other, valid, reference)

    assert degrees_between(level, UP).max() < ROUNDING
    # A rotation keeps the angle to the reference, which is the vertical now.
    assert degrees_between(turned, UP) == pytest.approx(
        degrees_between(other, reference), abs=ROUNDING
    )
    assert not rotate_to_axis(other, ~valid, reference).any()


@pytest.mark.parametrize("edge", [7, 32])
def test_a_smoothed_reference_follows_a_linear_bend_to_the_border(edge):
    normals = normals_of(*linear(*SIZE))

    smooth, known = SmoothSlopes(cells_of(normals, edge=edge)).normals(0, SIZE[0])

    assert known.all()
    # Less than half a cell from the border the line between the last two cells goes on.
    assert degrees_between(smooth, normals).max() < 0.005


def test_smoothing_takes_dust_and_noise_off_the_reference():
    rng = np.random.default_rng(2)
    bend = quadratic(*SIZE)
    p, q = (slope + 0.03 * rng.standard_normal(SIZE) for slope in bend)
    p[rng.random(SIZE) < 0.05] = 1  # dust
    flat = normals_of(*bend)
    valid = np.ones(SIZE, np.bool_)

    smooth, _ = SmoothSlopes(cells_of(normals_of(p, q), edge=20)).normals(0, SIZE[0])
    raw = rotate_to_axis(flat, valid, normals_of(p, q))
    fine = rotate_to_axis(flat, valid, smooth)

    assert degrees_between(raw, UP).mean() > 2
    # sqrt(pi/2) * 0.03 / 20: 0.11 degrees in each slope, and 0.1 from the dust's pull on a median.
    assert degrees_between(fine, UP).mean() < 0.25


def test_a_hole_in_the_reference_stays_a_hole_to_within_a_cell():
    normals = normals_of(*linear(*SIZE))
    valid = np.ones(SIZE, np.bool_)
    valid[100:200, 100:300] = False

    smooth, known = SmoothSlopes(cells_of(normals, valid, edge=20)).normals(0, SIZE[0])

    assert not known[100:200, 100:300].any()
    assert np.array_equal(known, valid)
    assert degrees_between(smooth[known], normals[known]).max() < 1.5
    with pytest.raises(InputError, match="holds no normal"):
        SmoothSlopes(cells_of(normals, ~valid & False))


@pytest.mark.parametrize(
    ("relief", "mean"),
    [
        (np.zeros((2, *SIZE)), 0.03),
        (dome(*SIZE, radius=85, steepest=0.4), 0.04),
        (letters(*SIZE, 130), 0.05),
    ],
)
def test_near_lights_taken_for_distant_ones_bend_a_part_by_degrees_and_no_longer(relief, mean):
    true = normals_of(*relief)
    seen = seen_by_near_lights(true)

    flat, _ = flattened(seen, 1)
    target = seen_by_near_lights(normals_of(*np.zeros((2, *SIZE))))
    divided = rotate_to_axis(seen, np.ones(SIZE, np.bool_), target)

    # Measured: 8.7 degrees before, 0.018, 0.027 and 0.036 after.
    assert degrees_between(seen, true).mean() > 8
    assert degrees_between(flat, true).mean() < mean
    assert degrees_between(divided, true).mean() < 0.08
