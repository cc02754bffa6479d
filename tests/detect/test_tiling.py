from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.detect.tiling import Blend, Tiling, blend, tiles
from mvps.errors import InputError


@settings(max_examples=80, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    tile=st.integers(1, 40),
    share=st.floats(0, 0.5),
)
def test_weights_of_all_tiles_are_exactly_one_at_every_pixel(
    width: int, height: int, tile: int, share: float
) -> None:
    tiling = Tiling((width, height), tile, int(tile * share))
    total = np.zeros((height, width), np.float32)
    for window in tiling.windows:
        assert window.x + window.width <= width and window.y + window.height <= height
        rows = slice(window.y, window.y + window.height)
        total[rows, window.columns] += tiling.weights(window)
    assert (total == 1).all()


@settings(max_examples=40, deadline=None)
@given(length=st.integers(41, 3000), tile=st.integers(2, 40), share=st.floats(0, 0.5))
def test_neighbours_overlap_by_what_was_asked(length: int, tile: int, share: float) -> None:
    overlap = int(tile * share)
    starts = [window.x for window in tiles((length, 1), tile, overlap)]
    assert starts[0] == 0 and starts[-1] + tile == length
    # Starts are rounded to pixels, each by half a pixel at most.
    assert all(a < b <= a + tile - overlap for a, b in itertools.pairwise(starts))


def test_a_map_cut_into_tiles_comes_back_whole() -> None:
    whole = np.random.default_rng(0).normal(size=(77, 130)).astype(np.float32)
    tiling = Tiling((130, 77), 40, 12)
    cut = [whole[w.y : w.y + w.height, w.columns] for w in tiling.windows]
    # Four products of float32 and their sum: a few units of the last place.
    np.testing.assert_allclose(blend(tiling, cut), whole, rtol=5e-7, atol=1e-7)


def test_a_seam_between_unlike_tiles_is_a_ramp_without_a_step() -> None:
    tiling = Tiling((70, 1), 40, 10)
    left, right = (np.full((1, 40), value, np.float32) for value in (0, 1))
    seam = blend(tiling, [left, right])[0]
    assert (seam[:30] == 0).all() and (seam[40:] == 1).all()
    assert np.diff(seam).min() >= 0 and np.diff(seam).max() < 0.11  # ten steps of a tenth


def test_an_image_of_20_megapixels_takes_the_fewest_tiles() -> None:
    # ceil((5472 - 896) / (896 - 128)) + 1 = 7 columns, ceil((3648 - 896) / 768) + 1 = 5 rows
    assert len(tiles((5472, 3648), 896, 128)) == 35


def test_an_image_smaller_than_a_tile_is_one_tile() -> None:
    (window,) = tiles((10, 5), 40, 10)
    assert (window.x, window.y, window.width, window.height) == (0, 0, 10, 5)


def test_tiles_are_added_once_and_all() -> None:
    tiling = Tiling((70, 40), 40, 10)
    first = tiling.windows[0]
    whole = Blend(tiling)
    whole.add(first, np.zeros((40, 40), np.float32))
    with pytest.raises(ValueError, match="still missing"):
        whole.add(first, np.zeros((40, 40), np.float32))
    with pytest.raises(ValueError, match="tiles are missing"):
        whole.finish()
    with pytest.raises(ValueError, match="a map of"):
        whole.add(tiling.windows[1], np.zeros((39, 40), np.float32))


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0), (8, 5), (8, -1)])
def test_impossible_tiles_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(InputError, match="--tile"):
        tiles((64, 64), tile, overlap)
