"""Every kind of file gives its pixels, in whole and in rows of any order."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from reading_corpus import H, Sample, corpus, scene

from mvps.images import ImageRef, open_rows, probe, read_image


def written(tmp_path: Path, sample: Sample) -> ImageRef:
    path = tmp_path / "image.dat"
    path.write_bytes(sample.data)
    return ImageRef(path, sample.page)


@pytest.fixture(params=sorted(corpus()))
def sample(request: pytest.FixtureRequest) -> Sample:
    return corpus()[request.param]


def test_the_whole_image_is_what_was_written(tmp_path: Path, sample: Sample) -> None:
    image = read_image(written(tmp_path, sample))
    assert image.dtype == sample.image.dtype and image.dtype.isnative
    np.testing.assert_array_equal(image, sample.image)


def test_rows_in_any_order_are_rows_of_the_image(tmp_path: Path, sample: Sample) -> None:
    rng = np.random.default_rng(1)
    cuts = np.unique(rng.integers(0, H, 6)).tolist()
    ranges = list(zip([0, *cuts], [*cuts, H], strict=True))
    ranges += [tuple(sorted(rng.integers(0, H + 1, 2).tolist())) for _ in range(12)]
    reader = open_rows(written(tmp_path, sample))
    try:
        for y0, y1 in ranges:
            out = np.zeros(reader.info.rows_shape(y1 - y0), reader.info.dtype)
            reader.read_rows(y0, y1, out)
            np.testing.assert_array_equal(out, sample.image[y0:y1])
    finally:
        reader.close()


def test_rows_go_into_arrays_that_are_not_contiguous(tmp_path: Path, sample: Sample) -> None:
    reader = open_rows(written(tmp_path, sample))
    wide = np.zeros((9, reader.info.width * 2, *sample.image.shape[2:]), reader.info.dtype)
    reader.read_rows(20, 29, wide[:, ::2])
    reader.close()
    np.testing.assert_array_equal(wide[:, ::2], sample.image[20:29])
    assert not wide[:, 1::2].any()


def test_headers_tell_shape_and_type_before_decoding(tmp_path: Path, sample: Sample) -> None:
    info = probe(written(tmp_path, sample))
    assert info.shape == sample.image.shape
    assert info.dtype == sample.image.dtype
    assert info.format == sample.name.split("-")[0]


@pytest.mark.parametrize("name", ["tiff-u2x3-strips", "npy-<u2x3"])
def test_plain_rows_are_read_straight_into_the_output(tmp_path: Path, name: str) -> None:
    reader = open_rows(written(tmp_path, corpus()[name]))
    out = np.empty(reader.info.shape, reader.info.dtype)
    reader.read_rows(0, 1, out[:1])
    tracemalloc.start()
    reader.read_rows(0, H, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reader.close()
    assert peak < out.nbytes / 4


@pytest.mark.parametrize(
    "options",
    [
        {"rowsperstrip": 32},
        {"rowsperstrip": 32, "compression": "lzw"},
        {"rowsperstrip": 32, "compression": "zstd", "predictor": True},
        {"tile": (32, 64), "compression": "zlib"},
        {"tile": (32, 64)},
    ],
)
def test_memory_is_bounded_by_strips_where_the_format_is_by_rows(
    tmp_path: Path, options: dict[str, object]
) -> None:
    height, width = 1601, 801
    image = np.resize(scene("u2"), (height, width))
    path = tmp_path / "tall.tif"
    tifffile.imwrite(path, image, **options)
    reader = open_rows(ImageRef(path))
    assert reader.info.by_rows
    out = np.empty((32, width), np.uint16)
    # The codec library is imported at the first read, which is not what is measured.
    reader.read_rows(0, 32, out)
    tracemalloc.start()
    for y in range(0, height - 32, 32):
        reader.read_rows(y, y + 32, out)
        assert (out == image[y : y + 32]).all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reader.close()
    assert peak < image.nbytes / 8


def test_rows_outside_the_image_or_of_another_shape_are_a_fault_of_the_caller(
    tmp_path: Path,
) -> None:
    reader = open_rows(written(tmp_path, corpus()["tiff-u1x1-strips"]))
    with pytest.raises(ValueError, match="rows 30 to 38 of 37"):
        reader.read_rows(30, 38, np.empty((8, 53), np.uint8))
    with pytest.raises(ValueError, match="expected"):
        reader.read_rows(0, 8, np.empty((8, 53), np.uint16))
    reader.close()
