"""Every rule finds the fault that it is for, and nothing else; the published cameras get theirs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvps.calib import Camera, published_cameras, read_camera
from mvps.calib.checks import RULES, check_camera, check_file, check_rig
from mvps.errors import InputError
from mvps.findings import Finding

BROKEN = Path(__file__).parent / "broken"
DOCS = Path(__file__).resolve().parents[2] / "docs/calibration.md"
IMAGES = (640, 480)
SOUND = read_camera(BROKEN / "sound.yml")


def everything(path: Path) -> list[Finding]:
    file = check_file(path, image_size=IMAGES)
    return [*file.findings, *(check_rig(file.cameras) if len(file.cameras) > 1 else ())]


def codes(camera: Camera, **options) -> list[str]:
    return [finding.code for finding in check_camera(camera, **options)]


def posed(camera: Camera, matrix: np.ndarray) -> Camera:
    """The camera with another matrix and the homography that goes with it."""
    return replace(camera, matrix=matrix, homography=None)


@pytest.mark.parametrize("code", RULES)
def test_a_file_that_breaks_one_rule_gets_that_finding_alone(code):
    path = BROKEN / f"{code}.yml"

    (finding,) = everything(path)

    assert (finding.level, finding.code) == (RULES[code].level, code)
    assert "\n" not in finding.message
    assert code == "common-frame" or finding.message.startswith(str(path))


def test_a_sound_camera_gets_no_finding():
    assert everything(BROKEN / "sound.yml") == []


def test_no_file_of_the_corpus_is_left_without_a_rule():
    assert {path.stem for path in BROKEN.glob("*.yml")} == {"sound", *RULES}


@pytest.mark.parametrize("code", RULES)
def test_every_rule_stands_in_the_docs_with_its_level(code):
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning) \|", DOCS.read_text("utf-8"), re.M)

    assert Counter(rows)[code, RULES[code].level] == 1
    assert len(rows) == len(RULES)


ALL_FOUR = {"few-frames", "direction"}
CAM1_AND_2 = {"principal-point-outside", "pixel-aspect", "displacement"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cam1", ALL_FOUR | CAM1_AND_2),
        ("cam2", ALL_FOUR | CAM1_AND_2),
        ("cam3", ALL_FOUR | {"principal-point-off"}),
        ("cam4", ALL_FOUR | {"principal-point-off"}),
    ],
)
def test_a_published_camera_gets_the_warnings_that_measurement_justifies(name, expected):
    findings = check_file(published_cameras()[name]).findings

    assert {finding.code for finding in findings} == expected
    assert len(findings) == len(expected)
    assert {finding.level for finding in findings} == {"warning"}


def test_the_published_cameras_share_no_frame():
    cameras = [read_camera(path) for path in published_cameras().values()]

    (finding,) = check_rig(cameras)

    assert (finding.level, finding.code) == ("warning", "common-frame")
    assert "cam1 in board-2070ff0f23a3" in finding.message


def test_images_of_the_paper_are_refused_with_what_to_pass():
    findings = check_file(published_cameras()["cam1"], image_size=(3648, 5472)).findings

    (error,) = [finding for finding in findings if finding.level == "error"]
    assert error.code == "aspect-ratio"
    assert findings[0] is error
    # 5472/3648 over 4096/3000 is 1.0986
    assert "9.9% apart" in error.message
    for option in ("--camera-crop X,Y,W,H", "--camera-bin N", "--camera-scale"):
        assert option in error.message


@pytest.mark.parametrize(
    ("size", "expected", "remedy"),
    [
        ((640, 480), [], ""),
        ((320, 240), ["image-size"], "--camera-bin 2"),
        ((427, 320), ["image-size"], "--camera-scale"),
        ((1280, 960), ["image-size"], "--camera-scale"),
        ((480, 640), ["aspect-ratio"], "turned by 90 degrees"),
        ((640, 482), ["aspect-ratio"], "--camera-crop"),
    ],
)
def test_another_size_is_told_from_another_aspect_ratio(size, expected, remedy):
    found = check_camera(SOUND, image_size=size)

    assert [finding.code for finding in found] == expected
    assert not found or remedy in found[0].message


@pytest.mark.parametrize(
    ("cx", "expected"),
    [
        (319.5 + 63.9, []),
        (319.5 + 64.1, ["principal-point-off"]),  # 10% of 640
        (639.4, ["principal-point-off"]),
        (639.6, ["principal-point-outside"]),  # the border of the last pixel is at 639.5
        (-0.6, ["principal-point-outside"]),
    ],
)
def test_a_principal_point_may_be_a_tenth_of_the_width_off(cx, expected):
    matrix = SOUND.matrix.copy()
    matrix[0, 2] = cx

    assert codes(posed(SOUND, matrix)) == expected


@pytest.mark.parametrize(
    ("aspect", "expected"), [(1.0049, []), (0.9951, []), (1.0051, ["pixel-aspect"])]
)
def test_pixels_may_be_half_a_percent_off_square(aspect, expected):
    matrix = SOUND.matrix.copy()
    matrix[0, 0] *= aspect

    assert codes(posed(SOUND, matrix)) == expected


@pytest.mark.parametrize(("k1", "expected"), [(0.063, []), (0.065, ["displacement"])])
def test_distortion_may_move_a_pixel_by_a_hundredth_of_the_width(k1, expected):
    """At a corner r is 0.499, so 800 px x 0.0640 r^3 are 6.4 px."""
    camera = replace(SOUND, distortion=np.array([k1, *[0.0] * 11]))

    assert codes(camera) == expected


@pytest.mark.parametrize(("shift", "expected"), [(0.09, []), (0.11, ["homography"])])
def test_a_homography_may_be_a_tenth_of_a_pixel_off(shift, expected):
    H = np.array([[1, 0, shift], [0, 1, 0], [0, 0, 1]]) @ SOUND.homography

    assert codes(replace(SOUND, homography=H)) == expected


def test_a_fold_that_the_image_does_not_reach_is_none():
    """k2 < 0 turns the polynomial round at r = 0.63, beyond what any raw pixel needs."""
    camera = replace(SOUND, distortion=np.array([0.3, -2.0, *[0.0] * 10]))

    assert "fold-over" not in codes(camera)
    assert "unconverged" not in codes(camera)


def test_a_fold_between_the_points_of_the_grid_is_found():
    """k1 = -1e9 turns the image inside out at 0.01 px, so every determinant is positive again."""
    camera = replace(SOUND, distortion=np.array([-1e9, *[0.0] * 11]))

    assert "fold-over" in codes(camera)


def test_a_direction_matters_only_where_there_is_distortion():
    assert codes(SOUND, direction_known=False) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("[1, 0, 0, 0, 0, 1,", "[-1, 0, 0, 0, 0, 1,", "rotation"),  # a reflection
        ("[1.6, 0, 319.5,", "[1e999, 0, 319.5,", "not-finite"),
        ("[1.6, 0, 319.5,", "[-.INF, 0, 319.5,", "not-finite"),
        ("[1.6, 0, 319.5, 0, 1.6,", "[0, 0, 319.5, 0, 0,", "homography"),  # singular
        ("rows: 12", "rows: 5", "counts"),
        ("  cols: 4", "  cols: 4\n  cols: 4", "duplicate-key"),
    ],
)
def test_a_fault_at_which_reading_stops_is_that_rule(tmp_path, old, new, code):
    text = (BROKEN / "sound.yml").read_text("utf-8")
    assert old in text
    path = tmp_path / "camera.yml"
    path.write_text(text.replace(old, new))

    file = check_file(path)

    assert file.cameras == ()
    (finding,) = file.findings
    assert (finding.level, finding.code) == ("error", code)
    assert re.match(re.escape(str(path)) + r", line \d+: ", finding.message)


@pytest.mark.parametrize("text", ["", "hello\n", "image_width: 5\n", "a: [\n"])
def test_what_is_no_camera_file_is_no_finding_but_a_fault(tmp_path, text):
    path = tmp_path / "camera.yml"
    path.write_text(text)

    with pytest.raises(InputError, match=re.escape(str(path))):
        check_file(path)


def test_one_camera_cannot_be_combined_with_itself():
    (finding,) = check_rig([SOUND])

    assert finding.code == "common-frame"
    assert "two or more cameras" in finding.message


def test_cameras_of_one_frame_may_be_combined():
    assert check_rig([replace(SOUND, frame_id="rig"), replace(SOUND, frame_id="rig")]) == ()
