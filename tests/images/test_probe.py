"""Headers tell what a file is, what it is not, and what a reader will do to it."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from png_encoder import chunk
from reading_corpus import (
    H,
    W,
    bmp,
    corpus,
    npy,
    packed_tiff,
    png_head,
    png_with,
    scene,
    tiff,
    tiff_by_hand,
)

from mvps import native
from mvps.errors import ImageError
from mvps.images import ImageInfo, ImageRef, count_pages, is_image_name, probe, read_image

EXIF_ROTATED_SRGB = (
    struct.pack("<2sHI", b"II", 42, 8)
    + struct.pack("<HHHIHHHHII", 2, 274, 3, 1, 6, 0, 34665, 4, 1, 38)
    + bytes(4)
    + struct.pack("<HHHIHHI", 1, 40961, 3, 1, 1, 0, 0)
)


def info_of(tmp_path: Path, data: bytes, page: int = 0) -> ImageInfo:
    path = tmp_path / "image.img"
    path.write_bytes(data)
    return probe(ImageRef(path, page))


def refusal_of(tmp_path: Path, data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        info_of(tmp_path, data)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'image.img'}: ") and "; " in text and "\n" not in text
    return text


def grey_tiff(**changes: Any) -> bytes:
    tags = {256: (53,), 257: (37,), 258: (8,), 259: (1,), 262: (1,), 277: (1,), 278: (37,)}
    tags |= {int(tag[1:]): value for tag, value in changes.items()}
    samples = tags[277][0]
    return tiff_by_hand(tags, [bytes(W * H * samples)])


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    code = cv2.imencode(".jpg", scene("u1", 3))[1].tobytes()
    body = [struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data for kind, data in segments]
    return code[:2] + b"".join(body) + code[2:]


def test_importing_the_room_imports_no_codec() -> None:
    code = "import sys, mvps.images; print({'cv2','tifffile','imagecodecs'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_content_decides_and_not_the_ending(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.tif"
    path.write_bytes(corpus()["png-u2x3"].data)
    assert probe(ImageRef(path)).format == "png"
    assert is_image_name(path) and is_image_name(Path("A.JPEG"))
    assert not is_image_name(Path("lights.lp"))


@pytest.mark.parametrize(
    ("name", "compression", "by_rows"),
    [
        ("tiff-u2x3-strips", "none", True),
        ("tiff-u2x3-tiles-zstd", "zstd", True),
        ("tiff-u1x1-lzw", "lzw", True),
        ("png-u1x1", "deflate", native.library() is not None),
        ("jpeg-x3", "baseline JPEG", False),
        ("bmp-24", "none", True),
        ("npy-<u2x1", "none", True),
    ],
)
def test_headers_tell_the_codec_and_whether_rows_come_alone(
    tmp_path: Path, name: str, compression: str, by_rows: bool
) -> None:
    info = info_of(tmp_path, corpus()[name].data)
    assert (info.compression, info.by_rows) == (compression, by_rows)


def test_a_compressed_image_in_one_tall_strip_does_not_come_by_rows(tmp_path: Path) -> None:
    image = np.zeros((600, 8), np.uint8)
    assert not info_of(tmp_path, tiff(image, compression="zlib", rowsperstrip=600)).by_rows
    assert info_of(tmp_path, tiff(image, compression="zlib", rowsperstrip=64)).by_rows
    assert info_of(tmp_path, tiff(image, rowsperstrip=600)).by_rows


def test_declared_depths_are_reported(tmp_path: Path) -> None:
    for bits in (10, 12, 14):
        info = info_of(tmp_path, packed_tiff(scene("u2") >> (16 - bits), bits))
        assert (info.bits, info.dtype) == (bits, np.uint16)
    limited = info_of(tmp_path, tiff(scene("u2"), extratags=[(281, 3, 1, 4095, True)]))
    assert limited.bits == 16
    assert "MaxSampleValue is 4095; not used as white" in limited.notes
    twelve = png_with(corpus()["png-u2x1"].data, chunk(b"sBIT", b"\x0c"))
    assert "12 significant bits declared" in info_of(tmp_path, twelve).notes[0]


@pytest.mark.parametrize("name", ["tiff-rgba", "png-u1x2", "png-u2x4"])
def test_a_dropped_alpha_channel_is_said(tmp_path: Path, name: str) -> None:
    assert "alpha channel dropped" in info_of(tmp_path, corpus()[name].data).notes


def test_orientation_and_srgb_tags_are_reported_and_never_applied(tmp_path: Path) -> None:
    image = scene("u1")
    rotated = tiff(image, extratags=[(274, 3, 1, 6, True)])
    assert info_of(tmp_path, rotated).orientation == 6
    np.testing.assert_array_equal(read_image(ImageRef(tmp_path / "image.img")), image)

    plain = corpus()["jpeg-x3"]
    jpeg = info_of(tmp_path, jpeg_with((0xE1, b"Exif\0\0" + EXIF_ROTATED_SRGB)))
    assert (jpeg.orientation, jpeg.srgb) == (6, True)
    np.testing.assert_array_equal(read_image(ImageRef(tmp_path / "image.img")), plain.image)

    png = corpus()["png-u1x3"].data
    tagged = info_of(tmp_path, png_with(png, chunk(b"eXIf", EXIF_ROTATED_SRGB)))
    assert (tagged.orientation, tagged.srgb) == (6, True)
    assert (info_of(tmp_path, png).orientation, info_of(tmp_path, png).srgb) == (1, False)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"sRGB", b"\0"),
        chunk(b"iCCP", b"sRGB IEC61966-2.1\0\0" + bytes(9)),
        chunk(b"gAMA", struct.pack(">I", 45455)),
        chunk(b"cICP", bytes([1, 13, 0, 1])),
    ],
)
def test_every_way_to_tag_a_png_as_srgb_counts(tmp_path: Path, extra: bytes) -> None:
    assert info_of(tmp_path, png_with(corpus()["png-u1x3"].data, extra)).srgb


def test_profiles_named_srgb_count_in_tiff_and_jpeg(tmp_path: Path) -> None:
    profile = b"\0" * 80 + "sRGB built-in".encode("utf-16-be")
    assert info_of(tmp_path, tiff(scene("u1", 3), iccprofile=profile)).srgb
    assert info_of(tmp_path, jpeg_with((0xE2, b"ICC_PROFILE\0\1\1" + profile))).srgb


def test_a_damaged_exif_block_is_no_reason_to_refuse_a_photograph(tmp_path: Path) -> None:
    info = info_of(tmp_path, jpeg_with((0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")))
    assert (info.orientation, info.srgb) == (1, False)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"_262": (0,)}, "counts 0 as white"),
        ({"_262": (3,)}, "a colour palette"),
        ({"_262": (5,), "_277": (4,)}, "CMYK"),
        ({"_258": (1,)}, "1-bit"),
        ({"_258": (32,)}, "32-bit"),
        ({"_258": (16,), "_339": (2,)}, "signed integer"),
        ({"_258": (64,), "_339": (6,)}, "complex"),
        ({"_259": (7,)}, "compression JPEG"),
        ({"_259": (4,)}, "CCITT fax"),
        ({"_259": (50003,)}, "number 50003"),
        ({"_277": (2,)}, "2 samples"),
        ({"_277": (5,), "_262": (2,)}, "5 samples"),
        ({"_266": (2,)}, "FillOrder 2"),
        ({"_317": (2,)}, "predictor 2"),
        ({"_258": (8, 8, 16), "_277": (3,), "_262": (2,)}, "unequal depth"),
        ({"_322": (1 << 20,), "_323": (1 << 20,)}, "tiles of 1048576x1048576"),
        ({"_278": (5,)}, "lists 1 strips or tiles, 8 expected"),
        ({"_257": (38,), "_278": (38,)}, "shorter than their rows"),
    ],
)
def test_unsupported_tiff_is_refused_by_name(
    tmp_path: Path, changes: dict[str, tuple[int, ...]], why: str
) -> None:
    assert info_of(tmp_path, grey_tiff()).shape == (H, W)
    assert why in refusal_of(tmp_path, grey_tiff(**changes))


def test_a_mosaic_declared_in_a_tiff_is_read_as_grey_and_said(tmp_path: Path) -> None:
    info = info_of(tmp_path, grey_tiff(_262=(32803,)))
    assert info.channels == 1 and "colour filter array" in info.notes[0]


def test_three_samples_not_declared_as_rgb_are_read_as_rgb_and_said(tmp_path: Path) -> None:
    info = info_of(tmp_path, grey_tiff(_277=(3,)))
    assert info.channels == 3 and "not declared as RGB" in info.notes[0]


def test_pages_in_a_circle_end(tmp_path: Path) -> None:
    data = bytearray(grey_tiff())
    count = struct.unpack_from("<H", data, 8)[0]
    struct.pack_into("<I", data, 10 + 12 * count, 8)
    assert "circle" in refusal_of(tmp_path, bytes(data))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (png_head(W, H, 8, 3), "palette"),
        (png_head(W, H, 1, 0), "1-bit"),
        (png_with(corpus()["png-u1x1"].data, chunk(b"acTL", bytes(3) + b"\5")), "animated"),
        (corpus()["png-u1x1"].data.replace(b"IHDR\0", b"IHDR\1", 1), "header checksum"),
    ],
)
def test_unsupported_png_is_refused_by_name(tmp_path: Path, data: bytes, why: str) -> None:
    assert why in refusal_of(tmp_path, data)


def test_unsupported_jpeg_is_refused_by_name(tmp_path: Path) -> None:
    cmyk = imagecodecs.jpeg8_encode(scene("u1", 4), colorspace="CMYK", outcolorspace="CMYK")
    assert "CMYK" in refusal_of(tmp_path, cmyk)
    data = corpus()["jpeg-x1"].data
    arithmetic = data.replace(b"\xff\xc0", b"\xff\xc9", 1)
    assert "arithmetic-coded" in refusal_of(tmp_path, arithmetic)
    twelve = data.replace(b"\xff\xc0\x00\x0b\x08", b"\xff\xc1\x00\x0b\x0c", 1)
    assert "12-bit JPEG" in refusal_of(tmp_path, twelve)


def test_unsupported_bmp_is_refused_by_name(tmp_path: Path) -> None:
    data = bytearray(bmp(scene("u1", 3)))
    for place, value, why in ((28, 16, "16 bits"), (30, 1, "run-length"), (14, 12, "OS/2")):
        changed = bytearray(data)
        changed[place] = value
        assert why in refusal_of(tmp_path, bytes(changed))
    grey = bytearray(corpus()["bmp-grey"].data)
    grey[54 + 4 * 9] = 200
    assert "not the plain grey ramp" in refusal_of(tmp_path, bytes(grey))


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((H, W), np.int16), "int16"),
        (np.zeros((H, W), complex), "complex128"),
        (np.array([[None] * 5] * 5), "object"),
        (np.asfortranarray(np.zeros((H, W), np.uint8)), "Fortran"),
        (np.zeros(9, np.uint8), "shape"),
        (np.zeros((H, W, 4), np.uint8), "shape"),
        (np.zeros((0, H, W), np.uint8), "shape"),
    ],
)
def test_unsupported_arrays_are_refused_by_name(
    tmp_path: Path, array: np.ndarray, why: str
) -> None:
    assert why in refusal_of(tmp_path, npy(array))


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        (tiff(np.zeros((4, H, W), np.uint16)), 4),
        (npy(np.zeros((5, H, W), np.uint8)), 5),
        (npy(np.zeros((5, H, W, 3), np.uint8)), 5),
        (npy(np.zeros((H, W, 3), np.uint8)), 1),
        (npy(np.zeros((H, W), np.uint8)), 1),
        (corpus()["png-u1x1"].data, 1),
    ],
)
def test_pages_and_planes_are_counted(tmp_path: Path, data: bytes, pages: int) -> None:
    assert info_of(tmp_path, data).pages == count_pages(tmp_path / "image.img") == pages
    with pytest.raises(ImageError, match=f"has {pages} page.*page {pages} asked for"):
        info_of(tmp_path, data, page=pages)


@pytest.mark.parametrize(
    "data",
    [
        png_head(60_000, 60_000),
        grey_tiff(_256=(60_000,), _257=(60_000,)),
        grey_tiff(_257=(1 << 31,), _259=(8,)),
        corpus()["jpeg-x1"].data.replace(struct.pack(">HH", H, W), b"\xff\xff\xff\xff", 1),
        bmp(scene("u1", 3)).replace(struct.pack("<ii", W, H), struct.pack("<ii", 1 << 20, 1 << 20)),
    ],
)
def test_a_small_file_that_claims_a_huge_image_is_refused_by_its_header(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "bomb.img"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"bomb\.img: is \d+x\d+, above the limit of 500000000"):
        probe(ImageRef(path))


def test_the_limit_of_pixels_is_an_option(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(corpus()["png-u1x1"].data)
    assert probe(ImageRef(path), max_pixels=W * H).width == W
    with pytest.raises(ImageError, match="above the limit of 1960 pixels"):
        probe(ImageRef(path), max_pixels=W * H - 1)


def test_a_png_that_cannot_hold_its_pixels_is_refused_before_decoding(tmp_path: Path) -> None:
    assert "cannot hold the 20000x20000 pixels" in refusal_of(tmp_path, png_head(20_000, 20_000))


def test_a_strip_that_decodes_to_more_than_its_rows_stays_within_bounds(tmp_path: Path) -> None:
    bomb = imagecodecs.zstd_encode(bytes(1 << 26))
    tags = {256: (53,), 257: (37,), 258: (8,), 259: (50000,), 262: (1,), 277: (1,), 278: (37,)}
    path = tmp_path / "bomb.tif"
    path.write_bytes(tiff_by_hand(tags, [bomb]))
    with pytest.raises(ImageError, match=r"bomb\.tif: is damaged"):
        read_image(ImageRef(path))


@pytest.mark.data
def test_the_benchmark_photographs_are_16_bit_rgb(test_data: Any) -> None:
    folder = test_data("diligent_ball")
    info = probe(ImageRef(folder / "001.png"))
    assert (info.shape, info.dtype) == ((158, 158, 3), np.uint16)
    theirs = cv2.imread(str(folder / "001.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read_image(ImageRef(folder / "001.png")), theirs[..., ::-1])
