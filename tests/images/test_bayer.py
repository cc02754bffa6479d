"""Colours from a mosaic: the right ones, and the same by rows as in whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reading_corpus import H, scene, tiff

from mvps.errors import ImageError, InputError
from mvps.images import BayerReader, ImageRef, demosaic, open_rows

PATTERNS = ["rggb", "bggr", "grbg", "gbrg"]


def mosaic_of(pattern: str, colour: tuple[int, int, int], dtype: str) -> np.ndarray:
    """What a sensor of `pattern` sees of an even colour."""
    image = np.zeros((12, 15), dtype)
    for place, letter in enumerate(pattern):
        image[place // 2 :: 2, place % 2 :: 2] = colour["rgb".index(letter)]
    return image


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_an_even_colour_comes_back_as_red_green_blue(pattern: str, dtype: str) -> None:
    colour = (200, 100, 50)
    rgb = demosaic(pattern, mosaic_of(pattern, colour, dtype))
    assert rgb.shape == (12, 15, 3) and rgb.dtype == dtype
    np.testing.assert_array_equal(rgb, np.broadcast_to(np.array(colour, dtype), rgb.shape))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_rows_equal_those_of_the_whole_mosaic(tmp_path: Path, pattern: str, dtype: str) -> None:
    mosaic = scene(dtype)
    path = tmp_path / "mosaic.tif"
    path.write_bytes(tiff(mosaic, rowsperstrip=5))
    whole = demosaic(pattern, mosaic)
    reader = BayerReader(open_rows(ImageRef(path)), pattern)
    assert reader.info.channels == 3 and pattern in reader.info.notes[-1]
    for y0, y1 in [(0, H), (0, 1), (1, 2), (H - 1, H), (7, 20), (20, 23), (2, 3), (H - 2, H)]:
        out = np.zeros(reader.info.rows_shape(y1 - y0), dtype)
        reader.read_rows(y0, y1, out)
        np.testing.assert_array_equal(out, whole[y0:y1])
    reader.close()


def test_what_is_no_mosaic_is_refused(tmp_path: Path) -> None:
    def refusal(image: np.ndarray, pattern: str = "rggb") -> InputError:
        path = tmp_path / "image.tif"
        path.write_bytes(tiff(image))
        with pytest.raises(InputError) as caught:
            BayerReader(open_rows(ImageRef(path)), pattern)
        return caught.value

    assert "3 channel(s)" in str(refusal(scene("u1", 3)))
    assert "float32" in str(refusal(scene("f4")))
    assert "too small" in str(refusal(np.zeros((3, 9), np.uint8)))
    assert isinstance(refusal(scene("f4")), ImageError)
    assert "unknown pattern 'rgbg'" in str(refusal(scene("u1"), "rgbg"))
