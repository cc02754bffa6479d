"""Headerless frames: 12 bits packed, 8 and 16 bits, odd sizes and an offset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reading_corpus import H, W, scene

from mvps.images import ImageRef, RawLayout, open_rows, probe, read_image
from mvps.images.packed import unpack12

TWELVE = scene("u2") >> 4


def pack(pixels: np.ndarray, packing: str) -> bytes:
    """Pixel by pixel, nibble by nibble, as the specifications draw it."""
    values = pixels.reshape(-1).tolist()
    nibbles: list[int] = []
    for first, second in zip(values[::2], [*values[1::2], 0][: len(values[::2])], strict=True):
        a, b = [(v & 15, v >> 4 & 15, v >> 8) for v in (first, second)]
        # Low nibble first in every byte.
        packed = [a[1], a[2], a[0], b[0], b[1], b[2]]
        nibbles += packed if packing == "mono12packed" else [*a, *b]
    data = bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return data[: (len(values) * 12 + 7) // 8]


def test_the_bytes_of_two_pixels_are_those_of_the_specifications() -> None:
    triple = np.array([0xAB, 0xDC, 0xEF], np.uint8)
    assert unpack12(triple, "mono12packed").tolist() == [0xABC, 0xEFD]
    assert unpack12(triple, "mono12p").tolist() == [0xCAB, 0xEFD]


@pytest.mark.parametrize("packing", ["mono12packed", "mono12p"])
@pytest.mark.parametrize("height", [H, H - 1])
def test_rows_of_odd_width_run_on_across_bytes(tmp_path: Path, packing: str, height: int) -> None:
    image = TWELVE[:height]
    path = tmp_path / "frame.raw"
    path.write_bytes(b"HEAD" + pack(image, packing))
    ref = ImageRef(path, raw=RawLayout(packing, W, height, 4))  # type: ignore[arg-type]
    info = probe(ref)
    assert (info.bits, info.dtype, info.by_rows) == (12, np.uint16, True)
    assert "12 bits, right-aligned" in info.notes[0]
    np.testing.assert_array_equal(read_image(ref), image)
    reader = open_rows(ref)
    for y0, y1 in [(30, height), (0, 1), (1, 2), (5, 12), (height - 1, height)]:
        out = np.zeros((y1 - y0, W), np.uint16)
        reader.read_rows(y0, y1, out)
        np.testing.assert_array_equal(out, image[y0:y1])
    reader.close()


@pytest.mark.parametrize(("packing", "stored"), [("u8", "u1"), ("u16le", "<u2"), ("u16be", ">u2")])
def test_frames_of_whole_bytes_are_read_in_their_byte_order(
    tmp_path: Path, packing: str, stored: str
) -> None:
    image = scene(stored[-2:])
    path = tmp_path / "frame.bin"
    path.write_bytes(bytes(7) + image.astype(stored).tobytes())
    ref = ImageRef(path, raw=RawLayout(packing, W, H, 7))  # type: ignore[arg-type]
    np.testing.assert_array_equal(read_image(ref), image)
