"""Given one good capture, each check speaks when exactly its condition is broken, and only then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from captures import (
    DIRECTIONS,
    SHAPE,
    findings,
    image,
    images,
    many,
    numbered,
    only_finding,
    only_stack,
)

from mvps.calib import Camera, CameraSource
from mvps.capture import inspect
from mvps.capture.identical import SAMPLE_BYTES, SAMPLES, identical_files
from mvps.images import SampleFormat

HEIGHT, WIDTH = SHAPE


def test_a_good_capture_has_no_finding_and_knows_its_headers(ball):
    stack, found = inspect(only_stack(ball))

    assert found == ()
    assert len(stack.infos) == 8
    assert {(info.width, info.height, info.channels) for info in stack.infos} == {(16, 12, 1)}
    assert stack.infos[3].path == ball / "img4.png"


def test_two_identical_files_are_an_error_that_names_both(ball):
    (ball / "img7.png").write_bytes((ball / "img3.png").read_bytes())

    finding = only_finding(only_stack(ball))

    assert (finding.level, finding.code) == ("error", "IDENTICAL")
    assert finding.message == f"{ball}/img7.png: the same bytes as img3.png"


def test_one_page_for_two_lights_is_an_error(ball):
    stack = only_stack(ball)
    twice = replace(stack, images=(*stack.images[:7], stack.images[0]))

    assert only_finding(twice).message == f"{ball}/img1.png: page 1 stands for 2 lights"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"shape": (12, 17)}, "SIZE", "17x12 px, but 7 of 8 images have 16x12 px"),
        (
            {"dtype": np.uint8},
            "DEPTH",
            "8-bit samples (uint8), but 7 of 8 images have 16-bit samples (uint16)",
        ),
        ({"shape": (12, 16, 3)}, "CHANNELS", "three channels, but 7 of 8 images have grey"),
    ],
)
@pytest.mark.parametrize("odd", [1, 5])
def test_an_image_unlike_the_others_is_an_error_that_names_it(ball, options, code, message, odd):
    image(ball / f"img{odd}.png", 50, **options)

    found = [finding for finding in findings(only_stack(ball)) if finding.code == code]

    assert [finding.level for finding in found] == ["error"]
    assert found[0].message == f"{ball}/img{odd}.png: {message}"


def test_several_images_unlike_the_others_are_counted(ball):
    for i in (2, 3, 4):
        image(ball / f"img{i}.png", 50 + i, shape=(11, 16))

    found = [finding for finding in findings(only_stack(ball)) if finding.code == "SIZE"]

    assert found[0].message == (
        f"{ball}/img2.png: 16x11 px, but 5 of 8 images have 16x12 px (and 2 more)"
    )


@pytest.mark.parametrize(
    ("size", "tail"),
    [
        (
            (32, 24),
            "; pass --camera-bin 2 where they were binned, --camera-scale where scaled",
        ),
        (
            (400, 200),
            "; the aspect ratios differ: 1.333, 2 (33.3% apart); pass --camera-crop X,Y,W,H, "
            "the part of the 400x200 calibrated px that the images show, then --camera-bin N or "
            "--camera-scale where they were reduced; or another --camera",
        ),
    ],
)
def test_a_size_other_than_that_of_the_camera_is_an_error_with_both_sizes(ball, size, tail):
    camera = Camera(np.eye(3), np.zeros(12), size, source=CameraSource("cam.yml"))

    finding = only_finding(replace(only_stack(ball), camera=camera))

    assert (finding.level, finding.code) == ("error", "CAMERA")
    assert finding.message == (
        f"{ball}/img1.png: 16x12 px, but the camera of cam.yml has {size[0]}x{size[1]} px{tail}"
    )


def test_the_size_of_the_camera_is_no_finding(ball):
    camera = Camera(np.eye(3), np.zeros(12), (WIDTH, HEIGHT))

    assert findings(replace(only_stack(ball), camera=camera)) == ()


@pytest.mark.parametrize("frame", ["mask", "dark", "ambient", "flat"])
@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"shape": (13, 16)}, "has 16x13 px, the images have 16x12 px"),
        ({"shape": (12, 16, 3)}, "has 3 channels, the images have 1"),
        ({"dtype": np.uint8}, "has 8-bit samples, the images have 16-bit samples"),
    ],
)
def test_a_frame_that_does_not_fit_the_images_is_an_error(ball, tmp_path, frame, options, what):
    path = image(tmp_path / "frame.tif", 99, **options)

    found = findings(only_stack(ball, **{frame: str(path) if frame == "flat" else path}))

    if frame == "mask" and "px" not in what:
        assert found == ()
    else:
        (finding,) = found
        assert (finding.level, finding.code) == ("error", frame.upper())
        assert finding.message == f"{path}: the {frame} {what}"


@pytest.mark.parametrize("frame", ["mask", "dark", "ambient", "flat"])
def test_a_frame_that_is_no_image_is_an_error_that_names_it(ball, tmp_path, frame):
    path = tmp_path / "frame.tif"
    path.write_text("no image")

    finding = only_finding(only_stack(ball, **{frame: str(path) if frame == "flat" else path}))

    assert (finding.level, finding.code) == ("error", frame.upper())
    assert finding.message.startswith(f"{path}: ")


def test_frames_that_fit_are_no_finding(ball, tmp_path):
    path = image(tmp_path / "frame.tif", 99)

    assert findings(only_stack(ball, mask=path, dark=path, ambient=path, flat=str(path))) == ()


@pytest.mark.parametrize("broken", [b"", b"no image at all", None])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(ball, broken):
    stack = only_stack(ball)
    if broken is None:
        (ball / "img2.png").unlink()
    else:
        (ball / "img2.png").write_bytes(broken)

    inspected, found = inspect(stack)

    assert inspected.infos == ()
    (finding,) = found
    assert (finding.level, finding.code) == ("error", "IMAGE")
    assert finding.message.startswith(f"{ball}/img2.png: ")


def test_an_image_above_the_limit_is_an_error(ball):
    _, found = inspect(only_stack(ball), WIDTH * HEIGHT - 1)

    assert {finding.code for finding in found} == {"IMAGE"}
    assert len(found) == 8


def test_an_exif_orientation_is_a_warning_that_names_the_file(tmp_path):
    many(tmp_path, 4)
    for i in range(1, 5):
        (tmp_path / f"img{i}.png").unlink()
        pixels = np.random.default_rng(i).integers(0, 999, SHAPE, dtype=np.uint16)
        extra = [(274, "H", 1, 6, True)] if i > 2 else []
        tifffile.imwrite(
            tmp_path / f"img{i}.tif", pixels, photometric="minisblack", extratags=extra
        )

    finding = only_finding(only_stack(tmp_path))

    assert (finding.level, finding.code) == ("warning", "ORIENTATION")
    assert finding.message == (
        f"{tmp_path}/img3.tif: EXIF orientation 6 is not applied (and 1 more)"
    )


def jpegs(folder: Path) -> None:
    many(folder, 4)
    for i in range(1, 5):
        (folder / f"img{i}.png").unlink()
        pixels = np.random.default_rng(i).integers(0, 255, SHAPE, dtype=np.uint8)
        assert cv2.imwrite(str(folder / f"img{i}.jpg"), pixels)


def test_a_jpeg_with_a_linear_response_is_a_warning(tmp_path):
    jpegs(tmp_path)

    finding = only_finding(only_stack(tmp_path))

    assert (finding.level, finding.code) == ("warning", "RESPONSE")
    assert finding.message == (
        f"{tmp_path}/img1.jpg: a JPEG, hence hardly linear, but the response is linear; "
        "--response srgb undoes the curve (and 3 more)"
    )


@pytest.mark.parametrize("response", ["srgb", "gamma=2.2"])
def test_a_jpeg_whose_curve_is_undone_is_no_finding(tmp_path, response):
    jpegs(tmp_path)

    assert findings(only_stack(tmp_path, response=response)) == ()


def test_a_file_tagged_srgb_with_a_linear_response_is_a_warning(ball):
    stack, _ = inspect(only_stack(ball))
    path = ball / "img5.png"
    data = path.read_bytes()
    # IHDR ends at byte 33; an sRGB chunk with its checksum follows it.
    chunk = bytes.fromhex("00000001735247420" + "0aece1ce9")
    path.write_bytes(data[:33] + chunk + data[33:])

    finding = only_finding(stack)

    assert finding.message.startswith(f"{path}: tagged sRGB, hence hardly linear, but ")


def test_a_response_that_is_none_is_an_error(ball):
    finding = only_finding(only_stack(ball, response="kodak"))

    assert (finding.level, finding.code) == ("error", "RESPONSE")
    assert "'kodak' is neither a curve nor a file" in finding.message


def test_more_bits_than_the_samples_hold_are_an_error(tmp_path):
    many(tmp_path, 4)
    for i in range(1, 5):
        image(tmp_path / f"img{i}.png", i, dtype=np.uint8)

    finding = only_finding(replace(only_stack(tmp_path), sample_format=SampleFormat(12, "right")))

    assert (finding.level, finding.code) == ("error", "SAMPLES")
    assert finding.message.startswith(f"{tmp_path}/img1.png: 12 bits, right-aligned stated")


def test_a_mosaic_pattern_for_colour_images_is_an_error(tmp_path):
    many(tmp_path, 4)
    images(tmp_path, numbered(4), shape=(12, 16, 3))

    finding = only_finding(only_stack(tmp_path, bayer="rggb"))

    assert (finding.level, finding.code) == ("error", "BAYER")
    assert finding.message == (
        f"{tmp_path}/img1.png: Bayer rggb is stated, but the image has colour"
    )


def test_several_pages_in_single_images_are_a_warning(tmp_path):
    many(tmp_path, 4)
    for i in range(1, 5):
        (tmp_path / f"img{i}.png").unlink()
        image(tmp_path / f"img{i}.tif", i, shape=(2, 12, 16))

    finding = only_finding(only_stack(tmp_path))

    assert (finding.level, finding.code) == ("warning", "PAGES")
    assert finding.message == f"{tmp_path}/img1.tif: page 1 of 2 is used (and 3 more)"


def test_what_the_search_and_the_light_file_noted_is_among_the_findings(tmp_path):
    images(tmp_path, numbered(9))
    rows = [f"img{i + 1}.png {25 * x} {25 * y} {25 * z}" for i, (x, y, z) in enumerate(DIRECTIONS)]
    (tmp_path / "a.lp").write_text("\n".join(["8", *rows]))

    assert [(f.level, f.code) for f in findings(only_stack(tmp_path))] == [
        ("warning", "UNNAMED"),
        ("warning", "LIGHTS"),
    ]


def test_errors_come_before_warnings(ball):
    image(ball / "img8.png", 50, shape=(13, 16))

    found = findings(only_stack(ball, convention="opencv"))

    assert [finding.level for finding in found] == ["error", "warning"]


def test_no_pixel_is_decoded(ball, monkeypatch):
    import mvps.images.rows as rows

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a pixel was asked for")

    monkeypatch.setattr(rows, "open_rows", refuse)
    monkeypatch.setattr(cv2, "imread", refuse)
    monkeypatch.setattr(cv2, "imdecode", refuse)

    assert findings(only_stack(ball)) == ()


def test_large_files_that_differ_in_one_byte_are_not_identical(tmp_path):
    size = 4 * SAMPLES * SAMPLE_BYTES
    data = bytearray(size)
    first, second, third, short = (tmp_path / name for name in "abcd")
    first.write_bytes(data)
    third.write_bytes(data)
    short.write_bytes(data[:-1])
    data[2 * SAMPLE_BYTES] = 1  # between two sampled pieces, so that only whole digests differ
    second.write_bytes(data)

    assert identical_files([first, second, third, short]) == [(first, third)]
