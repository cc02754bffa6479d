"""Every variant of the compiled warp, beside the float64 definition."""

from __future__ import annotations

import numpy as np
import pytest
from remap_cases import TYPES, assert_image, certain, make_case, unit_case, warps

from mvps import native
from mvps.calib import published_cameras, read_camera
from mvps.calib import remap_reference as reference
from mvps.calib.geometry import distort_points, pixel_grid
from mvps.calib.resample import normal_rows, position_rows, remap_rows
from mvps.calib.warp import undistortion

CORES = native.variants()
pytestmark = pytest.mark.skipif(not CORES, reason="no compiled core")
each_core = pytest.mark.parametrize("core", CORES, ids=[core.instruction_set for core in CORES])
each_warp = pytest.mark.parametrize("name", warps())


@each_core
@each_warp
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", TYPES)
def test_images_agree_with_the_definition(core, name, channels, dtype):
    case = make_case(name, dtype, channels)
    for masked in (False, True):
        for nearest in (False, True):
            out, valid = case.outputs()
            remap_rows(
                case.warp, case.source(masked=masked), 0, out, valid, nearest=nearest, core=core
            )
            assert_image(case, out, valid, masked=masked, nearest=nearest)


@each_core
@each_warp
def test_normals_agree_with_the_definition_and_are_unit_vectors(core, name):
    case = unit_case(name)
    turn = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.6]])
    out, valid = case.outputs()

    normal_rows(case.warp, case.source(masked=True), 0, out, valid, rotation=turn, core=core)

    where = reference.positions(case.warp, 0, case.warp.size[1])
    right, ok = reference.remap_normals(case.image, case.mask, where, turn)
    sure = certain(where, case.source(masked=True))
    np.testing.assert_array_equal(valid[sure] > 0, ok[sure])
    both = sure & ok
    np.testing.assert_allclose(out[both], right[both], atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(out[valid > 0], axis=-1), 1, atol=1e-6)
    assert not out[valid == 0].any()


@each_core
@pytest.mark.parametrize("dtype", TYPES)
def test_a_band_of_the_source_gives_what_needs_no_other_rows(core, dtype):
    case = make_case("plain", dtype, 3)
    band = slice(60, 121)
    out, valid = case.outputs()

    remap_rows(case.warp, case.source(masked=True, rows=band), 0, out, valid, core=core)

    assert 0.1 < valid.mean() < 0.5
    assert_image(case, out, valid, masked=True, rows=band)


@each_core
def test_rows_of_a_wider_image_are_read_where_they_lie(core):
    case = make_case("rational", "uint16", 3)
    height, width = case.image.shape[:2]
    wide = np.zeros((height, width + 9, 3), np.uint16)
    wide[:, 4:-5] = case.image
    out, valid = case.outputs()
    view = type(case)(case.warp, wide[:, 4:-5], case.mask)

    remap_rows(case.warp, view.source(masked=True), 0, out, valid, core=core)

    assert not view.image.flags.c_contiguous
    assert_image(case, out, valid, masked=True)


@each_core
def test_some_output_rows_equal_those_of_all(core):
    case = make_case("matrix", "uint8", 3)
    whole, valid = case.outputs()
    source = case.source(masked=False)
    remap_rows(case.warp, source, 0, whole, valid, core=core)
    out, ok = case.outputs()

    remap_rows(case.warp, source, 37, out[37:101], ok[37:101], core=core)

    np.testing.assert_array_equal(out[37:101], whole[37:101])
    assert (ok[:37] == 0xEE).all() and (ok[101:] == 0xEE).all()


@each_core
def test_whole_pixel_shifts_copy_samples_to_the_bit(core):
    case = make_case("rational", "float32", 3)
    height, width = case.image.shape[:2]
    v, u = np.mgrid[:height, :width].astype(np.float32)
    where = np.stack([u + 3, v - 2], axis=-1)
    out, valid = case.outputs()

    remap_rows(case.warp, case.source(masked=False), 0, out, valid, where=where, core=core)

    assert valid[2:, :-3].all() and valid.sum() == (height - 2) * (width - 3)
    np.testing.assert_array_equal(out[2:, :-3], case.image[:-2, 3:])


@each_core
def test_what_is_not_finite_is_not_valid(core):
    case = make_case("rational", "float32", 1)
    case.image[40, 50], case.image[41, 80] = np.nan, np.inf
    height, width = case.image.shape
    where = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    where[10, 10], where[11, 11], where[12, 12] = np.nan, np.inf, -np.inf
    out, valid = case.outputs()

    remap_rows(case.warp, case.source(masked=False), 0, out, valid, where=where + 0, core=core)

    lost = {(40, 50), (41, 80), (10, 10), (11, 11), (12, 12)}
    assert lost <= set(zip(*map(list, np.nonzero(valid == 0)), strict=True))
    assert np.isfinite(out).all() and (valid == 0).sum() < 20


@each_core
@pytest.mark.parametrize("name", ["cam1", "cam2", "cam3", "cam4"])
def test_positions_of_the_published_cameras_are_right_to_a_thousandth_of_a_pixel(core, name):
    camera = read_camera(published_cameras()[name])
    warp = undistortion(camera)
    exact, _ = distort_points(camera, pixel_grid(camera, 1000, 1064))

    where, rows = position_rows(warp, 1000, 1064, core=core)

    inside = ((exact >= 0) & (exact <= np.array(camera.image_size) - 1)).all(axis=-1)
    # Half a step of float32 between 2048 and 4096; the polynomial itself is right to 1e-11.
    assert np.abs(where - exact)[inside].max() <= 2.0**-13 + 1e-9
    y = exact[..., 1][inside]
    assert rows == (np.floor(y.min()), np.ceil(y.max()) + 1)


@each_core
def test_beyond_the_fold_nothing_is_seen(core):
    from remap_cases import rational_camera

    camera = rational_camera()
    fish = type(camera)(camera.matrix, np.array([-0.5, *[0.0] * 11]), camera.image_size)
    # x (1 - r^2 / 2) turns back at r^2 = 2/3; an output eight times as wide looks beyond that.
    wide = np.array([[12.0, 0, 63], [0, 12.0, 51], [0, 0, 1]])
    warp = undistortion(fish, wide)
    out, valid = np.empty((97, 131), np.uint8), np.empty((97, 131), np.uint8)
    from mvps.calib.resample import Source

    remap_rows(warp, Source(np.full((97, 131), 9, np.uint8)), 0, out, valid, core=core)

    v, u = np.mgrid[:97, :131]
    r2 = ((u - 63) / 12) ** 2 + ((v - 51) / 12) ** 2
    assert not valid[r2 > 2 / 3].any()
    assert valid[r2 < 0.2].all()
