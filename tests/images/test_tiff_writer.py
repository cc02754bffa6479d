"""TIFF files as other readers see them."""

from __future__ import annotations

import resource
import tracemalloc

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile

from mvps.errors import MvpsError
from mvps.images import tiff_writer
from mvps.images.tiff_writer import TiffWriter


def image(height=150, width=37, channels=3, dtype=np.uint16) -> np.ndarray:
    samples = np.random.default_rng(1).integers(0, 255, (height, width, channels))
    return (samples * 3).astype(dtype)


def write(path, rows, chunk=64, **options) -> None:
    height, width, channels = rows.shape
    writer = TiffWriter(path, width, height, channels, rows.dtype, **options)
    for y in range(0, height, chunk):
        writer.write_rows(rows[y : y + chunk])
    writer.finish()


@pytest.mark.parametrize("chunk", [1, 7, 64, 65, 128, 150])
@pytest.mark.parametrize("compressed", [False, True])
def test_strips_have_64_rows_however_the_rows_arrive(tmp_path, chunk, compressed):
    rows = image()
    write(tmp_path / "a.tif", rows, chunk, compressed=compressed)

    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        assert page.rowsperstrip == 64
        assert len(page.dataoffsets) == 3
        assert not page.is_tiled
        assert np.array_equal(page.asarray(), rows)


def test_the_file_does_not_depend_on_how_the_rows_arrive(tmp_path):
    rows = image()
    files = set()
    for chunk in (1, 50, 64, 150):
        write(tmp_path / "a.tif", rows, chunk)
        files.add((tmp_path / "a.tif").read_bytes())

    assert len(files) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_uncompressed_files_open_in_opencv_libtiff_and_tifffile(tmp_path, dtype, channels):
    rows = image(channels=channels, dtype=dtype)
    path = tmp_path / "a.tif"
    write(path, rows)

    by_opencv = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(by_opencv.reshape(rows.shape)[..., ::-1], rows)
    assert np.array_equal(imagecodecs.tiff_decode(path.read_bytes()).reshape(rows.shape), rows)
    assert np.array_equal(tifffile.imread(path).reshape(rows.shape), rows)


def test_zstd_files_open_in_tifffile_and_libtiff_and_are_smaller(tmp_path):
    smooth = np.broadcast_to(np.arange(37, dtype=np.uint16)[:, None] * 9, (150, 37, 3)).copy()
    write(tmp_path / "a.tif", smooth, compressed=True)

    data = (tmp_path / "a.tif").read_bytes()
    assert len(data) < smooth.nbytes / 4
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), smooth)
    assert np.array_equal(imagecodecs.tiff_decode(data), smooth)


def test_planes_become_pages_that_opencv_reads_too(tmp_path):
    rows = image(channels=2, dtype=np.float32)
    write(tmp_path / "a.tif", rows, chunk=40, pages=True, description="residual; lights used")

    ok, pages = cv2.imreadmulti(str(tmp_path / "a.tif"), flags=cv2.IMREAD_UNCHANGED)
    assert ok
    assert np.array_equal(np.stack(pages, axis=-1), rows)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert [page.description for page in file.pages] == ["residual; lights used"] * 2
        assert np.array_equal(file.pages[1].asarray(), rows[..., 1])


@pytest.mark.parametrize("pages", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_bigtiff_holds_the_same_image(tmp_path, monkeypatch, pages, compressed):
    monkeypatch.setattr(tiff_writer, "CLASSIC_LIMIT", 1000)
    rows = image()
    write(tmp_path / "a.tif", rows, pages=pages, compressed=compressed, description="text")

    assert (tmp_path / "a.tif").read_bytes()[:4] == b"II+\0"
    back = tifffile.imread(tmp_path / "a.tif")
    assert np.array_equal(np.moveaxis(back, 0, 2) if pages else back, rows)
    if not pages:
        assert np.array_equal(imagecodecs.tiff_decode((tmp_path / "a.tif").read_bytes()), rows)


@pytest.mark.parametrize(
    ("height", "magic"), [(26_200, b"II*\0"), (26_220, b"II+\0")], ids=["below", "above"]
)
def test_bigtiff_begins_where_the_offsets_of_a_classic_file_end(tmp_path, height, magic):
    # 27 300 columns of three uint16: 4 GiB lie between 26 214 and 26 221 rows.
    writer = TiffWriter(tmp_path / "a.tif", 27_306, height, 3, np.uint16)

    assert (tmp_path / "a.tif").read_bytes()[:4] == magic
    writer.abort()


def test_an_aborted_file_is_gone(tmp_path):
    writer = TiffWriter(tmp_path / "a.tif", 8, 8, 1, np.uint8)
    writer.write_rows(np.zeros((3, 8), np.uint8))
    writer.abort()
    writer.abort()

    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_in_one_line_that_names_the_file(tmp_path):
    (tmp_path / "a.tif").symlink_to("/dev/full")

    with pytest.raises(MvpsError, match=r"a\.tif: no space left on the disk") as caught:
        write(tmp_path / "a.tif", image())

    assert "\n" not in str(caught.value)


def test_a_write_that_stores_only_a_part_is_not_taken_for_success(tmp_path):
    rows = image(height=640)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(MvpsError, match=r"a\.tif: cannot be written \(File too large\)"):
            write(tmp_path / "a.tif", rows, chunk=640)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(MvpsError, match=r"gone.a\.tif: cannot be written \(No such file"):
        TiffWriter(tmp_path / "gone" / "a.tif", 8, 8, 1, np.uint8)


def test_rows_that_do_not_fit_are_refused(tmp_path):
    writer = TiffWriter(tmp_path / "a.tif", 8, 8, 1, np.uint8)
    with pytest.raises(ValueError, match="do not fit"):
        writer.write_rows(np.zeros((1, 7), np.uint8))
    with pytest.raises(ValueError, match="do not fit"):
        writer.write_rows(np.zeros((1, 8), np.uint16))
    with pytest.raises(ValueError, match="0 of 8 rows"):
        writer.finish()
    with pytest.raises(ValueError, match="9 rows for an image of 8"):
        writer.write_rows(np.zeros((9, 8), np.uint8))
    with pytest.raises(ValueError, match="grey nor RGB"):
        TiffWriter(tmp_path / "b.tif", 8, 8, 2, np.uint8)


@pytest.mark.parametrize("compressed", [False, True])
def test_memory_does_not_grow_with_the_height(tmp_path, compressed):
    strip = image(height=100, width=1000)
    writer = TiffWriter(tmp_path / "a.tif", 1000, 5000, 3, np.uint16, compressed=compressed)
    tracemalloc.start()
    for _ in range(50):
        writer.write_rows(strip)
    writer.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # A strip of 64 rows has 384 kB; the image 30 MB.
    assert peak < 4 * 384_000
