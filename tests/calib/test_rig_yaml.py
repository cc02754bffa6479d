"""The published cameras read as what they are, and the traps of their YAML stay harmless."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.calib import Camera, read_camera, write_cameras
from mvps.errors import InputError

CALIB = Path(__file__).resolve().parents[2] / "calib"
CAM3 = (CALIB / "cam3.yml").read_text()

# Measured on the four files: centre -R't (mm), principal point (px), fx/fy.
MEASURED = {
    "cam1": ((20, -184, -185), (1943, -1410), 0.9693),
    "cam2": ((13, -179, -196), (-430, 2474), 0.9767),
    "cam3": ((3, -156, -170), (2981, 1213), 1.0032),
    "cam4": ((14, -178, -179), (3623, 1079), 0.9994),
}


def fault(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_camera(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


def changed(tmp_path: Path, old: str, new: str, count: int = 1) -> Path:
    assert old in CAM3
    path = tmp_path / "cam.yml"
    path.write_text(CAM3.replace(old, new, count))
    return path


@pytest.mark.parametrize("name", MEASURED)
def test_a_published_camera_is_where_it_was_measured(name):
    camera = read_camera(CALIB / f"{name}.yml")
    centre, principal, aspect = MEASURED[name]

    assert camera.image_size == (4096, 3000)
    assert camera.centre() == pytest.approx(centre, abs=0.51)
    assert camera.matrix[:2, 2] == pytest.approx(principal, abs=0.51)
    assert camera.matrix[0, 0] / camera.matrix[1, 1] == pytest.approx(aspect, abs=5.1e-5)
    assert np.count_nonzero(camera.distortion) == 5
    assert np.all(camera.distortion[5:] == 0)
    assert camera.distortion_direction == "undistorted_to_distorted"


@pytest.mark.parametrize("name", MEASURED)
def test_the_homography_is_that_of_matrix_and_pose_to_rounding(name):
    camera = read_camera(CALIB / f"{name}.yml")
    R, t = camera.rotation, camera.translation

    H = camera.matrix @ np.stack([R[:, 0], R[:, 1], t], axis=1) / t[2]

    assert np.abs(camera.homography / H - 1).max() < 5e-14


def test_the_published_cameras_share_no_world_frame():
    assert len({read_camera(CALIB / f"{name}.yml").frame_id for name in MEASURED}) == 4


def test_the_files_are_those_that_the_readme_lists():
    listed = dict(
        reversed(line.split("  "))
        for line in re.findall(
            r"^[0-9a-f]{64}  cam\d\.yml$", (CALIB / "README.md").read_text(), re.M
        )
    )

    assert sorted(listed) == ["cam1.yml", "cam2.yml", "cam3.yml", "cam4.yml"]
    for name, digest in listed.items():
        assert hashlib.sha256((CALIB / name).read_bytes()).hexdigest() == digest
        assert read_camera(CALIB / name).source.sha256 == digest


def test_published_cameras_are_found_by_name():
    pytest.importorskip("mvps.native")
    from mvps.calib import published_cameras

    assert {name: path.read_bytes() for name, path in published_cameras().items()} == {
        name: (CALIB / f"{name}.yml").read_bytes() for name in MEASURED
    }


def test_header_lines_stay_text_where_yaml_would_guess(tmp_path):
    path = changed(tmp_path, "calibration_file_ver: 3.1\n", "calibration_file_ver: 3.10\n")

    header = dict(read_camera(path).source.header)

    assert header["calibration_file_ver"] == "3.10"
    assert header["calibration_time"] == "2025-1-24 15:54:51"
    assert header["board_dx"] == "2.0000000000000000e+000"


@pytest.mark.parametrize("spelt", ["5e+001", "50", "5.0e1", "+50.", "500e-1"])
def test_a_number_means_the_same_however_it_is_spelt(tmp_path, spelt):
    path = changed(tmp_path, "3.9016750900379250e+001", spelt)

    assert read_camera(path).distortion[4] == 50.0


@pytest.mark.parametrize("name", MEASURED)
def test_a_file_that_is_read_and_written_is_the_same_to_the_byte(tmp_path, name):
    write_cameras([read_camera(CALIB / f"{name}.yml")], tmp_path / "out.yml", "rig")

    assert (tmp_path / "out.yml").read_bytes() == (CALIB / f"{name}.yml").read_bytes()


def test_windows_line_ends_and_a_bom_change_nothing(tmp_path):
    path = tmp_path / "cam.yml"
    path.write_bytes(b"\xef\xbb\xbf" + CAM3.replace("\n", "\r\n").encode())

    assert np.array_equal(read_camera(path).matrix, read_camera(CALIB / "cam3.yml").matrix)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "image_height: 3000",
            "image_width: 3000",
            "line 7: the key 'image_width' repeats that of",
        ),
        (
            "image_width: 4096",
            "image_width: 4096.5",
            "line 6: image_width: '4096.5' is not a whole",
        ),
        ("image_width: 4096", "image_width: 0", "line 6: image_width: 0 is outside 1.."),
        ("image_width:", "image_wide:", "the key 'image_width' is missing; did you mean it by"),
        ("H_matrix:", "h_matrix:", "the key 'H_matrix' is missing; did you mean it by 'h_matrix'?"),
        ("  rows : 12", "  rows : 5", "distortion_matrix: 5 x 1, expected 12 x 1"),
        ("    - 1.8004248377403349e-002\n", "", "distortion_matrix.data: 11 numbers, expected 12"),
        ("1.8004248377403349e-002", "1,8e-002", "'1,8e-002' has a decimal comma, write '1.8e-002'"),
        ("1.8004248377403349e-002", ".nan", "'.nan' is not a number"),
        ("9.9940303465816926e-001", "9.9e-001", "the rotation is not one (R R' differs from 1 by"),
        ("1.7313015180332859e+004", "-1.7e4", "the matrix is not that of a camera"),
        ("H_matrix:", "H_matrix: &h\n  x: 1\nb: *h\nc:", "aliases (*name) are not read"),
        ("intrinsic_matrix:", "intrinsics:", "the key 'intrinsic_matrix' is missing"),
    ],
)
def test_a_faulty_camera_file_names_what_is_wrong(tmp_path, old, new, message):
    assert message in fault(changed(tmp_path, old, new))


def test_a_camera_without_a_pose_has_no_centre():
    camera = Camera(np.diag([100.0, 100, 1]), np.zeros(12), (64, 48))

    with pytest.raises(InputError, match="camera: holds no rotation and translation"):
        camera.centre()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matrix": np.eye(4)}, "matrix has shape (4, 4), expected (3, 3)"),
        ({"distortion": np.zeros(5)}, "distortion has shape (5,), expected (12,)"),
        ({"distortion": np.full(12, np.inf)}, "distortion holds a value that is not finite"),
        ({"image_size": (0, 5)}, "the image size (0, 5) is not positive"),
        ({"rotation": np.eye(3)}, "rotation and translation go together"),
        (
            {"rotation": np.diag([1.0, 1, -1]), "translation": np.zeros(3)},
            "the rotation is a reflection",
        ),
        ({"homography": np.ones((3, 3))}, "the homography is singular"),
        ({"distortion_direction": "both"}, "unknown distortion direction 'both'"),
    ],
)
def test_a_camera_that_is_not_one_is_refused(change, message):
    good = {"matrix": np.eye(3), "distortion": np.zeros(12), "image_size": (4, 3)}

    with pytest.raises(InputError, match=re.escape(f"camera: {message}")):
        Camera(**{**good, **change})


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(CAM3) - 1), cut=st.integers(0, 40), junk=st.text(max_size=12))
def test_a_damaged_file_is_refused_in_one_line_or_read(at, cut, junk):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cam.yml"
        path.write_text(CAM3[:at] + junk + CAM3[at + cut :], encoding="utf-8")
        try:
            camera = read_camera(path)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert camera.matrix.shape == (3, 3)
