"""PNG by rows: what libpng reads is read byte for byte, what it refuses is refused."""

from __future__ import annotations

import struct
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from png_encoder import PAETH, SIGNATURE, chunk, encode, filtered, head, noise, png, split

from mvps import native
from mvps.errors import ImageError
from mvps.images import ImageRef, open_rows, probe, read_image

KINDS = [(samples, bits) for samples in (1, 2, 3, 4) for bits in (8, 16)]
NATIVE = native.library() is not None
by_rows = pytest.mark.skipif(not NATIVE, reason="PNG is read by rows with the compiled core")


def without_alpha(image: np.ndarray) -> np.ndarray:
    """Grey (H, W) or RGB (H, W, 3) of an image (H, W, samples)."""
    return image[..., 0] if image.shape[2] < 3 else image[..., :3]


def by_libpng(data: bytes) -> np.ndarray | None:
    """Pixels without alpha as libpng decodes them, None where it refuses."""
    try:
        image = imagecodecs.png_decode(data)
    except (imagecodecs.PngError, ValueError):
        return None
    return image if image.ndim == 2 else without_alpha(image)


def by_us(folder: Path, data: bytes) -> np.ndarray | None:
    """Pixels as this package reads them, None where it refuses in one line."""
    path = folder / "image.png"
    path.write_bytes(data)
    ref = ImageRef(path)
    try:
        image = read_image(ref, max_pixels=1 << 22)
    except ImageError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return None
    assert image.shape == probe(ref).shape
    return image


def refusal(folder: Path, data: bytes) -> str:
    path = folder / "image.png"
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        read_image(ImageRef(path))
    return str(caught.value)


@pytest.mark.parametrize(("samples", "bits"), KINDS)
def test_every_filter_at_every_width_is_undone_as_libpng_does(tmp_path, samples, bits):
    rng = np.random.default_rng(samples * bits)
    for width in range(1, 71):
        image = noise(12, width, samples, bits, rng)
        # Each filter below itself, below another and, in turn, in the first row.
        filters = [width % 5, 0, 1, 1, 2, 2, 3, 3, 4, 4, *rng.integers(0, 5, 2).tolist()]
        data = encode(image, filters, rng.integers(0, 1 << 16, 3).tolist())
        ours = by_us(tmp_path, data)

        np.testing.assert_array_equal(ours, without_alpha(image))
        np.testing.assert_array_equal(ours, by_libpng(data))


@pytest.mark.skipif(not native.variants(), reason="no compiled core here")
@pytest.mark.parametrize("name", [core.instruction_set for core in native.variants()])
def test_every_variant_of_the_core_reads_the_same(tmp_path, monkeypatch, name):
    core = next(core for core in native.variants() if core.instruction_set == name)
    monkeypatch.setattr(native, "library", lambda: core)
    rng = np.random.default_rng(7)
    for samples, bits in KINDS:
        for width in (1, 2, 3, 7, 16, 17, 64, 301):
            image = noise(25, width, samples, bits, rng)
            ours = by_us(tmp_path, encode(image, [y % 5 for y in range(25)]))
            np.testing.assert_array_equal(ours, without_alpha(image))


@pytest.mark.parametrize("parts", [1, 2, 40, 4000])
def test_idat_may_be_split_anywhere_and_be_empty(tmp_path, parts):
    rng = np.random.default_rng(parts)
    image = noise(40, 33, 3, 16, rng)
    cuts = rng.integers(0, 1 << 20, parts - 1).tolist()
    data = encode(image, rng.integers(0, 5, 40).tolist(), cuts)
    # Of 4000 cuts many fall on one place.
    assert chunk(b"IDAT", b"") in data or parts < 4000

    np.testing.assert_array_equal(by_us(tmp_path, data), image)


def test_chunks_larger_than_what_is_read_at_once(tmp_path):
    rng = np.random.default_rng(2)
    image = noise(300, 401, 3, 16, rng)
    for cuts in ([], [70_000, 70_001, 300_000]):
        data = encode(image, [y % 5 for y in range(300)], cuts)
        np.testing.assert_array_equal(by_us(tmp_path, data), image)


@pytest.mark.parametrize("level", [1, 6, 9])
def test_photographs_written_by_opencv_come_back(tmp_path, level):
    rng = np.random.default_rng(level)
    y, x = np.mgrid[0:150, 0:203]
    for bits, channels in ((8, 1), (16, 1), (8, 3), (16, 3), (8, 4)):
        shade = (np.sin(x / 31) * np.cos(y / 23) / 3 + 0.5)[..., None] * (1 << bits)
        image = (shade + rng.normal(0, 1 << bits - 7, (150, 203, channels))).astype(f"u{bits // 8}")
        path = tmp_path / "photograph.png"
        options = [cv2.IMWRITE_PNG_COMPRESSION, level, cv2.IMWRITE_PNG_FILTER]
        for choice in (cv2.IMWRITE_PNG_ALL_FILTERS, cv2.IMWRITE_PNG_FILTER_SUB):
            assert cv2.imwrite(str(path), image, [*options, choice])
            seen = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            seen = seen if seen.ndim == 2 else seen[..., 2::-1]
            np.testing.assert_array_equal(read_image(ImageRef(path)), seen)


def test_rows_may_be_asked_for_in_any_order(tmp_path):
    rng = np.random.default_rng(3)
    for samples, bits in KINDS:
        image = noise(97, 19, samples, bits, rng)
        path = tmp_path / "image.png"
        path.write_bytes(encode(image, rng.integers(0, 5, 97).tolist(), [50, 900]))
        wanted = without_alpha(image)
        reader = open_rows(ImageRef(path))
        for _ in range(30):
            y0, y1 = sorted(rng.integers(0, 98, 2).tolist())
            out = np.zeros(reader.info.rows_shape(y1 - y0), reader.info.dtype)
            reader.read_rows(y0, y1, out)
            np.testing.assert_array_equal(out, wanted[y0:y1])
        reader.close()
        reader.close()


@pytest.mark.parametrize("rows", [1023, 1024, 1025, 2048])
@pytest.mark.parametrize("top", [1, 2, 256])
def test_images_that_end_where_a_piece_of_a_mebibyte_ends(tmp_path, rows, top):
    # A row is 1024 bytes with its filter; a constant image expands a thousandfold.
    image = np.random.default_rng(rows).integers(0, top, (rows, 1023, 1), dtype=np.uint8)
    for level in (0, 9):
        data = zlib.compress(filtered(image, [0] * rows), level)
        for cuts in ([], [len(data) - 4], [len(data) - 1]):
            file = png(head(rows, 1023, 1, 8), split(data, cuts))
            np.testing.assert_array_equal(by_us(tmp_path, file), image[..., 0])


@by_rows
def test_a_reader_that_met_damage_says_so_again_and_still_reads_the_rows_above(tmp_path):
    image = noise(40, 20, 1, 8, np.random.default_rng(4))
    raw = bytearray(filtered(image, [PAETH] * 40))
    raw[30 * 21] = 5
    path = tmp_path / "image.png"
    path.write_bytes(png(head(40, 20, 1, 8), [zlib.compress(bytes(raw))]))
    reader = open_rows(ImageRef(path))
    out = np.zeros((40, 20), np.uint8)
    for _ in range(2):
        with pytest.raises(ImageError, match="filter of row 30"):
            reader.read_rows(0, 40, out)
        reader.read_rows(0, 30, out[:30])
        np.testing.assert_array_equal(out[:30], image[:30, :, 0])
    reader.close()


@by_rows
@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_PNG_COMPRESSION, 9]])
def test_memory_is_bounded_by_the_rows_asked_for(tmp_path, options):
    # Noise, and then zeros, of which one byte holds a thousand.
    image = np.random.default_rng(5).integers(0, 1 << 16, (3000, 1000)).astype(np.uint16)
    image[1000:] = 0
    path = tmp_path / "tall.png"
    cv2.imwrite(str(path), image, options)
    reader = open_rows(ImageRef(path))
    assert reader.info.by_rows
    out = np.empty((50, 1000), np.uint16)
    tracemalloc.start()
    for y in range(0, 3000, 50):
        reader.read_rows(y, y + 50, out)
        assert (out == image[y : y + 50]).all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reader.close()

    # One piece inflated (1 MiB at most, twice while it grows), a stretch of the file; not 6 MB.
    assert peak < 2.5 * (1 << 20)


def test_alpha_is_dropped_and_said(tmp_path):
    rng = np.random.default_rng(6)
    for samples in (1, 2, 3, 4):
        path = tmp_path / "image.png"
        path.write_bytes(encode(noise(5, 5, samples, 8, rng), [1] * 5))
        info = probe(ImageRef(path))
        assert ("alpha channel dropped" in info.notes) == (samples in (2, 4))
        assert info.channels == (1 if samples < 3 else 3)


def test_interlaced_images_are_left_to_the_library(tmp_path):
    # One pixel is the first of Adam7's seven passes alone.
    path = tmp_path / "image.png"
    path.write_bytes(png(head(1, 1, 1, 8, b"\0\0\1"), [zlib.compress(b"\0\x4d")]))
    assert not probe(ImageRef(path)).by_rows
    assert read_image(ImageRef(path)).tolist() == [[0x4D]]


class TestDamage:
    image = noise(20, 31, 3, 8, np.random.default_rng(8))
    raw = filtered(image, [y % 5 for y in range(20)])
    head = head(20, 31, 3, 8)

    def file(self, raw: bytes) -> bytes:
        return png(self.head, [zlib.compress(raw)])

    @by_rows
    def test_is_named(self, tmp_path):
        data = zlib.compress(self.raw)
        wrong_sum = data[:-1] + bytes([data[-1] ^ 1])
        window = bytes([0x88, 0x1C]) + data[2:]
        cut = [part[:-3] for part in split(data, [])]
        flipped = bytearray(png(self.head, split(data, [500])))
        flipped[flipped.index(b"IDAT") + 4 + 200] ^= 16
        for broken, why in (
            (self.file(self.raw[:-1]), "no data for row 19"),
            (self.file(self.raw + b"\0"), "more pixels than its size"),
            (self.file(self.raw[:94] + b"\5" + self.raw[95:]), "filter of row 1"),
            (png(self.head, [wrong_sum]), "checksum"),
            (png(self.head, [window]), "window"),
            (png(self.head, cut), "end early"),
            (png(self.head, [b""]), "end early"),
            (png(self.head, [b"no zlib stream"]), "Error"),
            (bytes(flipped), ""),
        ):
            assert "is damaged" in (message := refusal(tmp_path, broken)) and why in message

    @by_rows
    def test_in_a_checksum_alone_is_found(self, tmp_path):
        data = bytearray(png(self.head, split(zlib.compress(self.raw), [100])))
        for place in (data.index(b"IDAT") + 4 + 100, data.index(b"IEND") - 5):
            changed = data.copy()
            changed[place] ^= 1
            assert "checksum of its pixels" in refusal(tmp_path, bytes(changed))

    def test_in_the_order_of_chunks_is_found(self, tmp_path):
        first, second = split(zlib.compress(self.raw), [100])
        text = chunk(b"tEXt", b"key\0word")
        interrupted = SIGNATURE + self.head + chunk(b"IDAT", first) + text + chunk(b"IDAT", second)
        for broken in (
            interrupted + chunk(b"IEND", b""),
            png(self.head, [second, first]),
            png(self.head, [first, second], before=self.head),
            png(self.head, [first, second], before=chunk(b"CRIT", b"ical")),
            png(self.head, [first, second], before=chunk(b"t3Xt", b"")),
            png(self.head, []),
        ):
            assert by_libpng(broken) is None
            assert refusal(tmp_path, broken)

    def test_behind_the_stream_changes_no_pixel(self, tmp_path):
        # libpng warns of it and reads on.
        data = png(self.head, [zlib.compress(self.raw) + b"behind", b"and more"])
        np.testing.assert_array_equal(by_us(tmp_path, data), by_libpng(data))


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A small PNG with damage to its pixels, its stream, its bytes or the order of its chunks."""
    samples, bits = draw(st.sampled_from(KINDS))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    raw = bytearray(
        filtered(noise(height, width, samples, bits, rng), rng.integers(0, 5, height).tolist())
    )
    if draw(st.booleans()):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    raw = raw[: draw(st.just(len(raw)) | st.integers(0, len(raw)))] + bytes(
        draw(st.just(0) | st.integers(0, 40))
    )
    data = bytearray(zlib.compress(bytes(raw), draw(st.sampled_from([0, 1, 6]))))
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=2)):
        data[place] ^= 1 << draw(st.integers(0, 7))
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=4))
    chunks = [chunk(b"IDAT", part) for part in split(bytes(data), cuts)]
    chunks = [head(height, width, samples, bits), *chunks, chunk(b"IEND", b"")]
    if draw(st.booleans()):
        extra = [chunk(b"tEXt", b"a\0b"), chunk(b"ABCD", b""), chunk(b"IDAT", b""), *chunks]
        chunks.insert(draw(st.integers(0, len(chunks))), draw(st.sampled_from(extra)))
    if draw(st.booleans()):
        chunks = draw(st.permutations(chunks))
    file = bytearray(SIGNATURE + b"".join(chunks))
    for place in draw(st.lists(st.integers(8, len(file) - 1), max_size=2)):
        file[place] ^= 1 << draw(st.integers(0, 7))
    return bytes(file[: draw(st.just(len(file)) | st.integers(0, len(file)))])


@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged_files())
def test_damage_is_refused_where_libpng_refuses_it_and_else_changes_nothing(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours = by_us(Path(folder), data)
    theirs = by_libpng(data)
    if ours is not None:
        assert theirs is not None
        np.testing.assert_array_equal(ours, theirs)


def test_a_stream_that_expands_a_thousandfold_is_cut_off(tmp_path):
    # A megabyte of zeros more than the header says, in a kilobyte.
    raw = filtered(np.zeros((9, 9, 1), np.uint8), [0] * 9) + bytes(1 << 20)
    data = png(head(9, 9, 1, 8), [zlib.compress(raw, 9)])
    assert len(data) < 2000
    if NATIVE:
        assert "more pixels than its size" in refusal(tmp_path, data)
    else:
        assert by_us(tmp_path, data) is not None


def test_header_length_is_checked(tmp_path):
    data = bytearray(encode(noise(5, 5, 1, 8, np.random.default_rng(9)), [0] * 5))
    data[8:12] = struct.pack(">I", 12)
    assert "no header chunk" in refusal(tmp_path, bytes(data))
