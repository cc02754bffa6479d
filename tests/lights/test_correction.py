"""Correction: (response(raw) - offset) * gain, in raw units."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.lights.correction import correct


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_samples_without_correction_become_float_unchanged(dtype, shape):
    raw = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    out = np.full(shape, -1, np.float32)

    assert correct(raw, None, None, None, out) is out
    assert np.array_equal(out, raw)


def test_the_response_comes_before_the_offset_and_the_offset_before_the_gain():
    raw = np.array([[10, 20], [30, 255]], np.uint8)
    table = np.arange(256, dtype=np.float32) * 2
    offset = np.array([[1, 2], [3, 4]], np.float32)
    gain = np.array([[1, 0.5], [2, 1]], np.float32)

    out = correct(raw, table, offset, gain, np.empty((2, 2), np.float32))

    assert out.tolist() == [[19, 19], [114, 506]]


def test_a_grey_gain_serves_all_channels_and_a_dark_flat_makes_the_pixel_invalid():
    raw = np.full((1, 2, 3), 7, np.uint16)
    gain = np.array([[2, np.nan]], np.float32)

    out = correct(raw, None, None, gain, np.empty((1, 2, 3), np.float32))

    assert out[0, 0].tolist() == [14, 14, 14]
    assert np.isnan(out[0, 1]).all()


def test_a_sample_below_the_offset_stays_negative_so_that_noise_keeps_its_mean():
    out = correct(
        np.array([[3]], np.uint8), None, np.array([[5]], np.float32), None, np.empty((1, 1), "f4")
    )

    assert out[0, 0] == -2


def test_a_table_that_does_not_cover_the_samples_is_refused():
    with pytest.raises(ValueError, match="256 values does not cover uint16"):
        raw = np.zeros((1, 1), np.uint16)
        correct(raw, np.zeros(256, np.float32), None, None, np.empty((1, 1), np.float32))
