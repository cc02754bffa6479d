"""``mvps calib`` with files, names, terminals and places that do not behave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from running import mvps, only_error

from mvps.calib import published_cameras, read_camera

BROKEN = Path(__file__).resolve().parents[1] / "calib" / "broken"
SOUND = BROKEN / "sound.yml"
CAM1 = published_cameras()["cam1"]

ABSURD = """\
mvps_cameras: 1
cameras:
  - image_size: [640, 480]
    matrix: [[800, 0, {centre}], [0, 800, 239.5], [0, 0, 1]]
    distortion: {{{term}}}
    distortion_direction: {direction}
    rotation: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    translation: [10, 10, {depth}]
"""
NERFSTUDIO = """\
{{"w": 640, "h": 480, "fl_x": 800, "cx": {cx}, "cy": 240, "camera_model": "OPENCV", "frames": []}}
"""
IMAGES = """\
1 1 0 0 0 0 0 500 1 a.png
2 1 0 0 0 10 0 500 1 b.png
"""


def absurd(path: Path, **changes: str) -> Path:
    plain = {
        "centre": "319.5",
        "term": "k1: 0.1",
        "direction": "undistorted_to_distorted",
        "depth": "500",
    }
    path.write_text(ABSURD.format(**(plain | changes)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"term": "k1: 1e300"},
        {"term": "p1: 1e300", "direction": "distorted_to_undistorted"},
        {"term": "k6: -1e300, s2: 1e300"},
        {"centre": "1e300"},
        {"depth": "1e300"},
        {"depth": "1e-310"},  # H overflows, of which LAPACK complained on stdout
    ],
)
def test_absurd_cameras_are_shown_and_checked_without_a_word_from_numpy(tmp_path, changes):
    path = absurd(tmp_path / "camera.yml", **changes)

    shown = mvps("calib", "show", path, "--json", "--plot", tmp_path / "camera.png")
    checked = mvps("calib", "check", path, "--json")

    assert shown.returncode == 0
    assert checked.returncode in (0, 1)
    assert len(json.loads(shown.stdout)["cameras"]) == 1
    assert json.loads(checked.stdout)["failures"] == []
    for line in (shown.stderr + checked.stderr).splitlines():
        assert line.startswith(("error: ", "warning: ", "picture: "))


def test_a_homography_that_overflows_is_no_internal_error(tmp_path):
    path = absurd(tmp_path / "camera.yml", depth="1e-310")

    result = mvps("calib", "convert", path, tmp_path / "rig.yml", "--to", "rig", "--json")

    assert result.returncode == 2
    assert "not in front of it" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize(
    ("cx", "code"), [("NaN", 1), ("-Infinity", 1), ("1e999", 1), ("nought", 2)]
)
def test_what_is_not_finite_in_json_is_a_finding(tmp_path, cx, code):
    path = tmp_path / "transforms.json"
    path.write_text(NERFSTUDIO.format(cx=cx), encoding="utf-8")

    result = mvps("calib", "check", path, "--json")

    assert result.returncode == code
    found = [f["code"] for file in json.loads(result.stdout)["files"] for f in file["findings"]]
    assert found == (["not-finite"] if code == 1 else [])
    assert f"{path}, line 1" in only_error(result)


@pytest.mark.parametrize("columns", ["0", "20", "60"])
def test_a_narrow_terminal_loses_no_figure(columns):
    shown = mvps("calib", "show", CAM1, COLUMNS=columns)
    checked = mvps("calib", "check", CAM1, COLUMNS=columns)

    assert "267.6" in shown.stdout
    assert "the principal point is outside the image" in shown.stderr
    assert "warnings" in checked.stdout


def test_an_image_without_its_line_of_points_does_not_hide_the_next(tmp_path):
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 640 480 800 800 320 240\n", "utf-8")
    (tmp_path / "images.txt").write_text(IMAGES, "utf-8")

    result = mvps("calib", "check", tmp_path)

    assert result.returncode == 1
    line = only_error(result)
    assert "images.txt, line 2" in line
    assert "each image has a second line" in line


def test_a_missing_key_is_not_taken_for_one_that_has_its_place(tmp_path):
    path = tmp_path / "camera.yml"
    path.write_text(SOUND.read_text("utf-8").partition("intrinsic_matrix")[0], "utf-8")

    line = only_error(mvps("calib", "check", path))

    assert "'intrinsic_matrix' is missing" in line
    assert "did you mean" not in line


@pytest.mark.parametrize(
    ("target", "said"),
    [("file.yml/new.yml", "is no folder"), ("file.yml/new", "is no folder"), ("-", "standard out")],
)
def test_a_target_that_cannot_be_is_refused_before_anything_is_written(tmp_path, target, said):
    (tmp_path / "file.yml").write_text("mine", "utf-8")
    name = target if target == "-" else tmp_path / target

    result = mvps("calib", "convert", CAM1, name, "--to", "mvps", "--json")

    assert result.returncode == 2
    assert said in json.loads(result.stdout)["error"]
    assert [path.name for path in tmp_path.iterdir()] == ["file.yml"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that nobody writes to")
def test_a_fault_of_the_system_names_the_file_and_keeps_stdout_json(tmp_path):
    result = mvps("calib", "convert", CAM1, "/proc/new.yml", "--to", "mvps", "--json")

    assert result.returncode == 1
    assert json.loads(result.stdout)["error"].startswith("/proc/new.yml: ")
    assert ".part" not in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_full_disk_behind_stdout_is_one_line(words):
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "mvps", "calib", "show", str(SOUND), *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert result.returncode != 0
    assert "error: standard output: " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_direction_that_is_none_gets_a_suggestion(tmp_path):
    words = ("--to", "mvps", "--distortion-direction", "undistorted_to_distored")

    line = only_error(mvps("calib", "convert", CAM1, tmp_path / "a.yml", *words))

    assert "--distortion-direction" in line
    assert "did you mean 'undistorted_to_distorted'?" in line


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes")
@pytest.mark.parametrize("format", ["colmap", "nerfstudio", "opencv", "mvps"])
def test_a_name_that_is_no_text_is_converted(tmp_path, format):
    path = tmp_path / os.fsdecode(b"cam\xff.yml")
    path.write_bytes(CAM1.read_bytes())
    out = tmp_path / {"colmap": "sparse", "nerfstudio": "t.json"}.get(format, "out.yml")

    result = mvps("calib", "convert", path, out, "--to", format)

    assert result.returncode == 0
    assert (read_camera(out).matrix == read_camera(CAM1).matrix).all()


def test_many_cameras_make_a_picture_without_complaint(tmp_path):
    """The names of 300 cameras once grew over the picture, and Matplotlib complained."""
    pose = [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 500], [0, 0, 0, 1]]
    frames = [{"file_path": f"{i}.png", "transform_matrix": pose} for i in range(100)]
    shared = {"w": 640, "h": 480, "fl_x": 800, "cx": 320, "cy": 240}
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps(shared | {"frames": frames}), encoding="utf-8")

    result = mvps("calib", "show", path, "--json", "--plot", tmp_path / "many.png")

    assert result.returncode == 0
    assert result.stderr == f"picture: {tmp_path / 'many.png'}\n"


def test_the_commands_are_registered_once_in_a_process():
    from mvps.cli import _command, app

    first = _command()
    groups = len(app.registered_groups)

    assert _command() is first
    assert len(app.registered_groups) == groups
