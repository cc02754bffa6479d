"""``mvps calib show`` and ``mvps calib check`` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import mvps, only_error

from mvps.calib import published_cameras

BROKEN = Path(__file__).resolve().parents[1] / "calib" / "broken"
CAMERAS = ("cam1", "cam2", "cam3", "cam4")

# What measurement showed about the four published files, to the digits that are published.
CELLS = {
    "centre": ("20,-184,-185", "13,-179,-196", "3,-156,-170", "14,-178,-179"),
    "principal point": ("1943,-1410", "-430,2474", "2981,1213", "3623,1079"),
    "aspect": (".9693", ".9767", "1.0032", ".9994"),
    "polynomial": ("298/132", "148/32", "37/8", "36/8"),
    "determinant": (".840", ".801", ".971", ".972"),
    "distance": ("267.6", "283.0", "244.8", "256.5"),
    "um per px": ("13.6/18.9", "14.1/19.9", "14.1/20.3", "14.3/20.5"),
}


def cells(camera: dict[str, Any]) -> dict[str, str]:
    """The figures of one camera in the digits of the table."""
    moved = camera["displacement_forward_max_px"], camera["displacement_forward_mean_px"]
    return {
        "centre": ",".join(f"{x:.0f}" for x in camera["standing"]["centre_mm"]),
        "principal point": ",".join(f"{x:.0f}" for x in camera["principal_point_px"]),
        "aspect": f"{camera['pixel_aspect']:.4f}".removeprefix("0"),
        "polynomial": "/".join(f"{px:.0f}" for px in moved),
        "determinant": f"{camera['smallest_determinant']:.3f}".removeprefix("0"),
        "distance": f"{camera['standing']['distance_mm']:.1f}",
        "um per px": "/".join(f"{um:.1f}" for um in camera["um_per_px"]),
    }


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    result = mvps("calib", "show", *published_cameras().values(), "--json")
    assert result.returncode == 0
    return json.loads(result.stdout)


@pytest.mark.parametrize("row", CELLS)
@pytest.mark.parametrize("number", range(4), ids=CAMERAS)
def test_a_cell_of_the_published_table_comes_out_to_its_digits(shown, row, number):
    assert cells(shown["cameras"][number])[row] == CELLS[row][number]


@pytest.mark.parametrize("number", range(4), ids=CAMERAS)
def test_the_homography_is_that_of_matrix_and_pose_to_rounding(shown, number):
    """7e-16 for cam1 and of that order for all: how products round depends on the processor."""
    camera = shown["cameras"][number]

    assert 0 <= camera["homography_residual"] < 3e-15
    assert camera["homography_residual_px"] < 1e-10


def test_undistorting_moves_pixels_further_than_the_polynomial(shown):
    figures = shown["cameras"][0]

    assert round(figures["displacement_undistort_max_px"]) == 344
    assert round(figures["displacement_undistort_mean_px"]) == 145
    assert [camera["unconverged"] for camera in shown["cameras"]] == [0] * 4


def test_the_cameras_stand_alike_before_boards_of_their_own(shown):
    """Azimuth 88 to 92 degrees each, so the frames cannot be one; no figure crosses them."""
    azimuths = [camera["standing"]["azimuth_deg"] for camera in shown["cameras"]]

    assert all(88 < azimuth < 92 for azimuth in azimuths)
    assert shown["rig"]["common_frame"] == "none"
    assert shown["rig"]["pairs"] == []
    assert [f["code"] for f in shown["findings"]].count("common-frame") == 1


def test_a_stated_frame_gives_the_rig_its_figures():
    result = mvps(
        "calib", "show", *published_cameras().values(), "--common-frame", "--json", "--pixel-um", 3
    )
    told = json.loads(result.stdout)
    distances = {(p["first"], p["second"]): p["baseline_mm"] for p in told["rig"]["pairs"]}
    centres = [camera["standing"]["centre_mm"] for camera in told["cameras"]]

    assert told["rig"]["common_frame"] == "stated"
    assert len(distances) == 6
    expected = np.linalg.norm(np.subtract(centres[0], centres[2]))
    assert distances["cam1", "cam3"] == pytest.approx(expected, rel=1e-12)
    assert told["cameras"][0]["focal_mm"][0] == pytest.approx(19426.147574516781 * 0.003)
    assert "common-frame" not in {finding["code"] for finding in told["findings"]}


def test_the_table_reads_with_units_matrices_and_warnings():
    cameras = published_cameras()
    result = mvps("calib", "show", cameras["cam1"], cameras["cam3"], COLUMNS="80")

    assert result.returncode == 0
    assert "│ distance to the board (mm)      │              267.6 │" in result.stdout
    assert (
        "\n    19426.15         0     1942.9\n           0  20040.64  -1410.393\n" in result.stdout
    )
    assert "calibration_time 2025-1-24 15:54:51" in result.stdout
    assert "Rig: no common frame" in result.stdout
    assert "the principal point is outside the image" in result.stderr
    assert "calibrate again from ten or more tilted views" in result.stderr
    assert max(map(len, result.stdout.split("cam1: ")[0].splitlines())) <= 80


def test_a_file_with_two_cameras_shows_both(tmp_path):
    picture = tmp_path / "both.png"

    result = mvps("calib", "show", BROKEN / "common-frame.yml", "--json", "--plot", picture)

    told = json.loads(result.stdout)
    assert [camera["name"] for camera in told["cameras"]] == ["left", "right"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"picture: {picture}" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pixel-um", "0"], "--pixel-um: 0.0 is no pixel pitch"),
        (["--pixel-um", "nan"], "--pixel-um: nan is no pixel pitch"),
        (["--plot", "camera.txt"], "camera.txt: not a picture's name"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(words, message):
    result = mvps("calib", "show", BROKEN / "sound.yml", *words)

    assert result.returncode == 2
    assert message in only_error(result)


def test_a_terminal_gets_no_commands_from_a_file(tmp_path):
    path = tmp_path / "camera.yml"
    path.write_text('maker: "\\e[31mred"\n' + (BROKEN / "sound.yml").read_text("utf-8"))

    result = mvps("calib", "show", path)

    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert "x1b[31mred" in result.stdout


def test_sound_files_exit_with_0_also_with_warnings():
    result = mvps("calib", "check", *published_cameras().values(), "--json")
    told = json.loads(result.stdout)

    assert result.returncode == 0
    assert {finding["level"] for file in told["files"] for finding in file["findings"]} == {
        "warning"
    }
    assert [finding["code"] for finding in told["rig"]] == ["common-frame"]
    assert told["failures"] == []


def test_errors_exit_with_1():
    result = mvps("calib", "check", BROKEN / "rotation.yml", BROKEN / "sound.yml")

    assert result.returncode == 1
    assert "the rotation is not one" in only_error(result)


def test_what_is_no_camera_exits_with_2_and_the_rest_is_checked(tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("nothing here\n")

    result = mvps("calib", "check", other, BROKEN / "few-frames.yml", "--json")
    told = json.loads(result.stdout)

    assert result.returncode == 2
    assert str(other) in told["failures"][0]
    assert [finding["code"] for finding in told["files"][0]["findings"]] == ["few-frames"]


def test_images_of_another_sensor_stop_with_the_aspect_ratio_and_the_remedy():
    camera = published_cameras()["cam1"]

    result = mvps("calib", "check", camera, "--image-size", "3648x5472")

    assert result.returncode == 1
    line = only_error(result)
    assert "aspect ratios differ" in line
    assert "9.9%" in line
    assert "--camera-crop X,Y,W,H" in line


def test_the_size_may_be_that_of_an_image(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    image = tmp_path / "L01.tif"
    tifffile.imwrite(image, np.zeros((480, 640), np.uint8))

    fits = mvps("calib", "check", BROKEN / "sound.yml", "--image", image)
    not_so = mvps("calib", "check", BROKEN / "aspect-ratio.yml", "--image", image)
    both = mvps("calib", "check", BROKEN / "sound.yml", "--image", image, "--image-size", "1x1")

    assert (fits.returncode, not_so.returncode, both.returncode) == (0, 1, 2)
    assert "give one of the two" in only_error(both)


def test_a_size_that_is_none_is_refused():
    result = mvps("calib", "check", BROKEN / "sound.yml", "--image-size", "640")

    assert result.returncode == 2
    assert "'640' is no size" in only_error(result)


def test_combining_views_asks_for_a_common_frame():
    alone = mvps("calib", "check", BROKEN / "sound.yml", "--cross-view", "--json")
    pair = mvps("calib", "check", BROKEN / "common-frame.yml", "--json")

    for result in (alone, pair):
        assert result.returncode == 0
        (finding,) = json.loads(result.stdout)["rig"]
        assert finding["code"] == "common-frame"
