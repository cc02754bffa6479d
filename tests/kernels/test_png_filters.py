"""Every variant of the PNG filters against the words of the specification."""

from __future__ import annotations

import numpy as np
import pytest
from png_encoder import NONE, PAETH, predictor

from mvps import native

SLACK = 8

pytestmark = pytest.mark.parametrize(
    "core", native.variants(), ids=[core.instruction_set for core in native.variants()]
)


@pytest.mark.parametrize("samples", [1, 3])
def test_paeth_is_right_for_every_left_and_above(core, samples):
    left, above = (values.ravel() for values in np.mgrid[0:256, 0:256])
    for corner in (*range(0, 256, 9), 254, 255):
        # Two rows of two pixels: corner and above, unfiltered; left, and 0 plus the prediction.
        rows = np.zeros((256 * 256, 2, 1 + 2 * samples), np.uint8)
        rows[:, :, 0] = NONE, PAETH
        rows[:, 0, 1 : 1 + samples] = corner
        rows[:, 0, 1 + samples :] = above[:, None]
        rows[:, 1, 1 : 1 + samples] = (left - corner)[:, None]
        out = np.zeros((256 * 256, 2, 2, samples), np.uint8)
        lines = np.zeros((2, 2 * samples + SLACK), np.uint8)
        count = 2 * len(rows)
        done = core.mvps_png_unfilter(
            rows.ctypes.data, count, 2, samples, 1, lines.ctypes.data, out.ctypes.data
        )

        assert done == count
        wanted = predictor(PAETH, left, above, np.full_like(left, corner))
        assert (out[:, 1, 1] == wanted[:, None]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_up_for_writing_is_the_difference_of_bytes_across_calls(core, dtype):
    rng = np.random.default_rng(1)
    for width in (1, 7, 32, 65):
        rows = rng.integers(0, np.iinfo(dtype).max, (6, width), dtype, endpoint=True)
        above = np.zeros(rows[0].nbytes, np.uint8)
        filtered = np.full((7, rows[0].nbytes + 1), 77, np.uint8)
        for y, count in ((0, 4), (4, 0), (4, 2)):
            core.mvps_png_filter_up(
                rows[y:].ctypes.data,
                count,
                above.size,
                rows.itemsize,
                above.ctypes.data,
                filtered[y:].ctypes.data,
            )

        stored = rows.astype(rows.dtype.newbyteorder(">")).view(np.uint8)
        assert (filtered[:6, 0] == 2).all()
        np.testing.assert_array_equal(
            filtered[:6, 1:], np.diff(stored, axis=0, prepend=np.uint8(0))
        )
        assert (filtered[6] == 77).all()


def test_an_unknown_filter_or_layout_stops_the_rows(core):
    rows = np.zeros((4, 4), np.uint8)
    rows[2, 0] = 5
    out, lines = np.full((4, 3), 77, np.uint8), np.zeros((2, 3 + SLACK), np.uint8)

    def unfilter(samples: int, width: int = 3) -> int:
        return core.mvps_png_unfilter(
            rows.ctypes.data, 4, width, samples, 1, lines.ctypes.data, out.ctypes.data
        )

    assert unfilter(1) == 2
    assert (out == [[0], [0], [77], [77]]).all()
    assert unfilter(5) == unfilter(1, width=0) == 0
