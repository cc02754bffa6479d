"""What samples mean is stated, declared by the file, or full range; never guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.images import ImageInfo, ImageRef, RawLayout, SampleFormat, Window

U16 = ImageInfo(Path("a.tif"), 0, 1, 40, 30, 1, np.dtype("u2"), 16, "tiff", "none", True)
U8 = replace(U16, dtype=np.dtype("u1"), bits=8)
F32 = replace(U16, dtype=np.dtype("f4"), bits=32)
DECLARED_12 = replace(U16, bits=12)


@pytest.mark.parametrize(
    ("stated", "info", "white"),
    [
        (SampleFormat(), U8, 255),
        (SampleFormat(), U16, 65535),
        (SampleFormat(), DECLARED_12, 4095),
        (SampleFormat(), F32, 1.0),
        (SampleFormat(12, "right"), U16, 4095),
        (SampleFormat(12, "left"), U16, 65520),
        (SampleFormat(10, "left"), U16, 65472),
        (SampleFormat(16, "right"), U16, 65535),
        (SampleFormat(12, "right"), DECLARED_12, 4095),
        (SampleFormat(7, "left"), U8, 254),
    ],
)
def test_white_is_the_largest_sample_of_the_stated_depth(
    stated: SampleFormat, info: ImageInfo, white: float
) -> None:
    assert stated.white(info) == white


def test_a_record_says_where_the_depth_comes_from() -> None:
    assert SampleFormat(12, "left").describe(U16) == "12 of 16 bits, left-aligned, stated"
    assert SampleFormat().describe(DECLARED_12).endswith("right-aligned, declared by the file")
    assert SampleFormat().describe(U16) == "16 of 16 bits, full range, nothing stated"
    assert SampleFormat().describe(F32) == "floating point, full scale 1.0"


@pytest.mark.parametrize(("bits", "align"), [(12, None), (None, "left"), (0, "left"), (17, "left")])
def test_half_a_statement_is_refused(bits: int | None, align: str | None) -> None:
    with pytest.raises(InputError, match="sample format"):
        SampleFormat(bits, align)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("info", "why"), [(U8, "samples have 8"), (F32, "floating"), (replace(U16, bits=14), "14 bits")]
)
def test_a_statement_that_contradicts_the_file_is_refused(info: ImageInfo, why: str) -> None:
    with pytest.raises(InputError, match=f"a.tif: 12 bits.*{why}"):
        SampleFormat(12, "right").white(info)


@pytest.mark.parametrize(
    ("or_of_samples", "suspicion"),
    [
        (0x0FFF, "12 bits, right-aligned"),
        (0x03FF, "10 bits, right-aligned"),
        (0x3FFF, "14 bits, right-aligned"),
        (0xFFF0, "12 bits, left-aligned"),
        (0xFFC0, "10 bits, left-aligned"),
        (0xFFFC, "14 bits, left-aligned"),
        (0xFFFF, None),
        (0x7FFE, None),
        (0, None),
    ],
)
def test_unused_bits_of_undeclared_samples_raise_a_suspicion(
    or_of_samples: int, suspicion: str | None
) -> None:
    text = SampleFormat().looks_like(or_of_samples)
    assert (text is None) if suspicion is None else (text is not None and suspicion in text)
    assert SampleFormat(12, "right").looks_like(or_of_samples) is None


def test_impossible_references_are_refused() -> None:
    with pytest.raises(InputError, match="unknown packing 'mono10p'"):
        RawLayout("mono10p", 4, 4)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="0x4"):
        RawLayout("u8", 0, 4)
    with pytest.raises(InputError, match="page -1"):
        ImageRef(Path("a.tif"), -1)
    with pytest.raises(ValueError, match="2 channels"):
        replace(U8, channels=2)


def test_a_window_must_lie_inside_its_image() -> None:
    window = Window(10, 5, 30, 25)
    window.check(U16)
    assert window.columns == slice(10, 40)
    with pytest.raises(InputError, match=r"a\.tif: window 31x25 at 10,5 leaves the 40x30 image"):
        Window(10, 5, 31, 25).check(U16)
    with pytest.raises(InputError, match="window"):
        Window(0, 0, 0, 4)
