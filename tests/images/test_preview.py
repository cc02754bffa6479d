"""Previews against block means computed one by one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mvps import native
from mvps.errors import MvpsError
from mvps.images.preview import BlockSums, PreviewAccumulator, write_png


def sphere(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Normals of a sphere seen from above, and where it is."""
    y, x = np.mgrid[1 : -1 : height * 1j, -1 : 1 : width * 1j]
    square = x**2 + y**2
    valid = square < 0.9
    normals = np.dstack([x, y, np.sqrt(np.maximum(0, 1 - square))])
    normals[~valid] = 0
    return normals.astype(np.float32), valid.astype(np.uint8)


def expected(normals: np.ndarray, valid: np.ndarray, factor: int) -> np.ndarray:
    """Levels before rounding, NaN where a block has no valid pixel."""
    height, width = valid.shape
    picture = np.full((-(-height // factor), -(-width // factor), 3), np.nan)
    for i, j in np.ndindex(picture.shape[:2]):
        block = np.s_[i * factor : (i + 1) * factor, j * factor : (j + 1) * factor]
        inside = normals[block][valid[block] != 0].astype(np.float64)
        if len(inside):
            mean = inside.mean(axis=0)
            picture[i, j] = (mean / np.linalg.norm(mean) + 1) / 2 * 255
    return picture


@pytest.mark.parametrize("chunk", [1, 5, 64, 200, 1000])
@pytest.mark.parametrize(("height", "width"), [(199, 173), (60, 128), (7, 3)])
def test_a_pixel_is_the_mean_of_the_valid_normals_read_of_its_block(chunk, height, width):
    normals, valid = sphere(height, width)
    preview = PreviewAccumulator(width, height, limit=40)
    for y in range(0, height, chunk):
        preview.add_rows(normals[y : y + chunk], valid[y : y + chunk])

    factor = -(-max(height, width) // 40)
    read = (np.arange(height) % preview.step == 0)[:, None]
    levels = expected(normals, valid & read, factor)
    picture = preview.finish()
    assert preview.factor == factor
    assert picture.shape == levels.shape
    # Half a level for rounding, a thousandth for float32 sums.
    assert np.nanmax(np.abs(picture - levels)) < 0.501
    assert not picture[np.isnan(levels)].any()
    assert picture[~np.isnan(levels)].any()


def test_normals_of_invalid_pixels_do_not_count():
    normals, valid = sphere(64, 64)
    spoilt = np.where(valid[..., None] != 0, normals, np.float32(np.nan))
    clean, dirty = PreviewAccumulator(64, 64, 16), PreviewAccumulator(64, 64, 16)
    clean.add_rows(normals, valid)
    dirty.add_rows(spoilt, valid != 0)

    assert np.array_equal(clean.finish(), dirty.finish())
    assert clean.finish()[0, 0].tolist() == [0, 0, 0]
    assert clean.finish()[8, 8, 2] >= 253


@pytest.mark.parametrize("seed", range(6))
def test_block_sums_are_those_of_each_block_however_the_rows_are_split(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    width, height, channels, factor, tall = (int(n) for n in rng.integers(1, (70, 60, 4, 9, 9)))
    rows = rng.normal(size=(height, width, channels)).astype(np.float32)
    valid = rng.random((height, width)) < rng.choice([0.5, 1.1])
    rows[~valid] = np.nan
    kept = np.where(valid[..., None], rows, 0).astype(np.float64)
    wanted = np.add.reduceat(kept, np.arange(0, height, tall), axis=0)
    wanted = np.add.reduceat(wanted, np.arange(0, width, factor), axis=1)

    found, compiled = [], native.library() is not None
    for core in (native.library(), None):
        monkeypatch.setattr(native, "library", lambda core=core: core)
        for chunk in (height, 1, 7):
            sums = BlockSums(width, height, channels, factor, tall)
            for y in range(0, height, chunk):
                sums.add_rows(rows[y : y + chunk], valid[y : y + chunk])
            assert np.allclose(sums.sums, wanted, atol=1e-5)
            found.append(sums.sums)
    if compiled:
        assert all(np.array_equal(found[0], other) for other in found[1:3])


def test_more_rows_than_the_map_has_are_refused():
    sums = BlockSums(4, 3, 2, 2)
    sums.add_rows(np.ones((3, 4, 2), np.float32))

    with pytest.raises(ValueError, match="4 rows for a map of 3"):
        sums.add_rows(np.ones((1, 4, 2), np.float32))


def test_a_small_map_keeps_its_size():
    normals, valid = sphere(30, 40)
    preview = PreviewAccumulator(40, 30)
    preview.add_rows(normals, valid)

    assert preview.finish().shape == (30, 40, 3)


def test_the_picture_lands_in_a_png_with_red_first(tmp_path):
    picture = np.zeros((4, 5, 3), np.uint8)
    picture[..., 0] = 200
    write_png(tmp_path / "a.png", picture)

    assert cv2.imread(str(tmp_path / "a.png"))[0, 0].tolist() == [0, 0, 200]


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "a.png").symlink_to("/dev/full")

    with pytest.raises(MvpsError, match="no space left"):
        write_png(tmp_path / "a.png", np.zeros((4, 5, 3), np.uint8))
    assert not list(tmp_path.iterdir())
