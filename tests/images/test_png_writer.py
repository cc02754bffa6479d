"""PNG files as other readers see them."""

from __future__ import annotations

import tracemalloc

import cv2
import imagecodecs
import numpy as np
import pytest

from mvps import native
from mvps.errors import MvpsError
from mvps.images.png_writer import PngWriter


def image(height=150, width=37, channels=3, dtype=np.uint16) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(1).integers(0, top, (height, width, channels)).astype(dtype)


def write(path, rows, chunk=64, description="") -> None:
    height, width, channels = rows.shape
    writer = PngWriter(path, width, height, channels, rows.dtype, description=description)
    for y in range(0, height, chunk):
        writer.write_rows(rows[y : y + chunk])
    writer.finish()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("chunk", [1, 7, 64, 150])
def test_opencv_and_libpng_read_what_was_written(tmp_path, dtype, channels, chunk):
    rows = image(channels=channels, dtype=dtype)
    path = tmp_path / "a.png"
    write(path, rows, chunk, description='{"mvps": "0"}')

    by_opencv = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert by_opencv.dtype == dtype
    assert np.array_equal(by_opencv.reshape(rows.shape)[..., ::-1], rows)
    assert np.array_equal(imagecodecs.png_decode(path.read_bytes()).reshape(rows.shape), rows)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_numpy_writes_the_same_file_as_the_compiled_core(tmp_path, monkeypatch, dtype):
    rows = image(height=70, width=31, dtype=dtype)
    write(tmp_path / "here.png", rows, 7)
    monkeypatch.setattr(native, "library", lambda: None)
    write(tmp_path / "numpy.png", rows, 7)

    assert (tmp_path / "here.png").read_bytes() == (tmp_path / "numpy.png").read_bytes()


def test_rows_need_not_lie_together(tmp_path):
    wide = image(height=20, width=60)
    write(tmp_path / "a.png", wide[:, ::2], 7)

    assert np.array_equal(imagecodecs.png_decode((tmp_path / "a.png").read_bytes()), wide[:, ::2])


def test_an_image_of_one_pixel_is_an_image(tmp_path):
    rows = np.array([[[1, 2, 3]]], np.uint8)
    write(tmp_path / "a.png", rows)

    assert np.array_equal(imagecodecs.png_decode((tmp_path / "a.png").read_bytes()), rows)


def test_smooth_images_shrink(tmp_path):
    ramp = np.arange(500, dtype=np.uint16)
    rows = np.broadcast_to((ramp[:, None] + ramp)[..., None], (500, 500, 3)).copy()
    write(tmp_path / "a.png", rows)

    assert (tmp_path / "a.png").stat().st_size < rows.nbytes / 5


def test_a_full_disk_is_told_in_one_line_that_names_the_file(tmp_path):
    (tmp_path / "a.png").symlink_to("/dev/full")

    with pytest.raises(MvpsError, match=r"a\.png: no space left on the disk"):
        write(tmp_path / "a.png", image())


def test_an_aborted_file_is_gone(tmp_path):
    writer = PngWriter(tmp_path / "a.png", 8, 8, 1, np.uint8)
    writer.write_rows(np.zeros((3, 8), np.uint8))
    writer.abort()

    assert not list(tmp_path.iterdir())


def test_rows_that_do_not_fit_are_refused(tmp_path):
    writer = PngWriter(tmp_path / "a.png", 8, 8, 1, np.uint8)
    with pytest.raises(ValueError, match="do not fit"):
        writer.write_rows(np.zeros((1, 7), np.uint8))
    with pytest.raises(ValueError, match="0 of 8 rows"):
        writer.finish()
    with pytest.raises(ValueError, match="9 rows for an image of 8"):
        writer.write_rows(np.zeros((9, 8), np.uint8))
    with pytest.raises(ValueError, match="8 or 16-bit"):
        PngWriter(tmp_path / "b.png", 8, 8, 1, np.float32)


def test_memory_does_not_grow_with_the_height(tmp_path):
    strip = image(height=100, width=1000)
    writer = PngWriter(tmp_path / "a.png", 1000, 2000, 3, np.uint16)
    tracemalloc.start()
    for _ in range(20):
        writer.write_rows(strip)
    writer.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # A block of 64 rows has 384 kB; the image 12 MB.
    assert peak < 6 * 384_000
