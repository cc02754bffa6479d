"""Broken files name themselves in one line; nothing else ever leaves the room."""

from __future__ import annotations

import struct
import tempfile
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from png_encoder import chunk
from reading_corpus import Sample, corpus, tiff_by_hand

from mvps.errors import ImageError, InputError
from mvps.images import ImageRef, RawLayout, open_rows, probe, read_image

NAMES = sorted(corpus())
RAW = RawLayout("mono12p", 53, 37, 2)
RAW_BYTES = 2 + (53 * 37 * 12 + 7) // 8


def failure_of(path: Path, data: bytes, sample: Sample) -> str:
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        read_image(ImageRef(path, sample.page))
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_names_itself_wherever_it_is_cut(tmp_path: Path, name: str) -> None:
    sample = corpus()[name]
    path = tmp_path / "cut.img"
    size = len(sample.data)
    # Two tags that are not read, the resolutions, end the file of pages.
    end = [] if name == "tiff-page-2" else [size - 40, size - 1]
    for kept in (1, 9, 20, 60, size // 4, size // 2, size * 3 // 4, *end):
        message = failure_of(path, sample.data[:kept], sample)
        assert message.startswith(f"{path}: ") and "\n" not in message


@pytest.mark.parametrize(
    "name", [n for n in NAMES if not n.startswith(("png", "jpeg")) and n != "tiff-page-2"]
)
def test_plain_formats_show_missing_data_before_decoding(tmp_path: Path, name: str) -> None:
    sample = corpus()[name]
    path = tmp_path / "cut.img"
    path.write_bytes(sample.data[:-1])
    with pytest.raises(ImageError):
        probe(ImageRef(path, sample.page))


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(("png", "jpeg"))])
def test_a_cut_png_or_jpeg_shows_in_the_header_walk(tmp_path: Path, name: str) -> None:
    path = tmp_path / "cut.img"
    path.write_bytes(corpus()[name].data[:-200])
    with pytest.raises(ImageError, match="truncated"):
        probe(ImageRef(path))


@pytest.mark.parametrize("name", ["png-u1x1", "jpeg-x1"])
def test_bytes_after_the_end_of_an_image_do_no_harm(tmp_path: Path, name: str) -> None:
    sample = corpus()[name]
    path = tmp_path / "padded.img"
    path.write_bytes(sample.data + b"\0 trailer \xff\x00")
    np.testing.assert_array_equal(read_image(ImageRef(path)), sample.image)


def test_a_png_whose_pixels_stop_early_is_found_in_decoding(tmp_path: Path) -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 53, 37, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(54 * 36)))
    path = tmp_path / "short.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b""))
    probe(ImageRef(path))
    with pytest.raises(ImageError, match=r"short\.png: is damaged"):
        read_image(ImageRef(path))


@pytest.mark.parametrize("code", ["lzw", "zlib", "zstd", "packbits"])
def test_a_strip_that_decodes_to_too_little_is_found(tmp_path: Path, code: str) -> None:
    number = {"lzw": 5, "zlib": 8, "zstd": 50000, "packbits": 32773}[code]
    strip = getattr(imagecodecs, f"{code}_encode")(bytes(range(200)) * 9)
    tags = {256: (50,), 257: (37,), 258: (8,), 259: (number,), 262: (1,), 277: (1,), 278: (37,)}
    path = tmp_path / "short.tif"
    path.write_bytes(tiff_by_hand(tags, [strip]))
    with pytest.raises(ImageError, match="holds 1800 of 1850 bytes"):
        read_image(ImageRef(path))


def test_missing_empty_and_foreign_files_are_told_apart(tmp_path: Path) -> None:
    def says(data: bytes | None, name: str = "x.tif") -> str:
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(ImageError) as caught:
            probe(ImageRef(path))
        return str(caught.value)

    assert "no such file" in says(None, "nowhere.tif")
    assert "is empty" in says(b"")
    assert "is not an image" in says(b"sample,light\n1,2\n")
    assert "is GIF," in says(b"GIF89a" + bytes(40))
    assert "is WebP," in says(b"RIFF\0\0\0\0WEBPVP8 ")
    assert "is OpenEXR," in says(b"\x76\x2f\x31\x01" + bytes(40))
    assert "state its packing" in says(bytes(100), "frame.raw")
    (tmp_path / "folder.tif").mkdir()
    assert "is a folder" in says(None, "folder.tif")


def damaged(sample: Sample, data: st.DataObject) -> bytes:
    changed = bytearray(sample.data)
    # Headers decide most, so half of the damage goes there.
    early = st.integers(0, min(200, len(changed) - 1))
    places = st.lists(early | st.integers(0, len(changed) - 1), max_size=6)
    for place in data.draw(places, "places"):
        changed[place] = data.draw(st.sampled_from([0, 1, 2, 127, 128, 254, 255]), "value")
    if data.draw(st.booleans(), "cut"):
        return bytes(changed[: data.draw(st.integers(0, len(changed)), "kept")])
    return bytes(changed)


@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(NAMES), st.data())
def test_damage_gives_the_promised_shape_or_one_line(name: str, data: st.DataObject) -> None:
    sample = corpus()[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.img"
        path.write_bytes(damaged(sample, data))
        ref = ImageRef(path, sample.page)
        try:
            info = probe(ref, max_pixels=1 << 20)
            reader = open_rows(ref, max_pixels=1 << 20)
            out = np.empty(info.shape, info.dtype)
            reader.read_rows(0, info.height, out)
            reader.close()
        except InputError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


@pytest.mark.parametrize("kept", [0, 1, RAW_BYTES - 1, RAW_BYTES + 1])
def test_a_raw_frame_must_fit_its_layout_to_the_byte(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "frame.raw"
    path.write_bytes(bytes(kept))
    with pytest.raises(ImageError, match=r"frame\.raw: (is empty|holds)"):
        probe(ImageRef(path, raw=RAW))
