"""The picture of cameras: which panels it has, and what each of them says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvps.calib import Camera, published_cameras, read_camera
from mvps.calib.formats.detect import read_cameras
from mvps.calib.plot import plot_cameras
from mvps.errors import InputError

pytest.importorskip("matplotlib")
BROKEN = Path(__file__).parent / "broken"


def drawn(cameras: list[Camera], tmp_path: Path, **options: bool) -> str:
    """The picture as SVG, in which Matplotlib notes every text in a comment."""
    path = tmp_path / "cameras.svg"
    plot_cameras(cameras, path, **options)
    return path.read_text("utf-8")


def test_cameras_are_drawn_together_only_where_they_share_a_frame(tmp_path):
    cameras = [read_camera(published_cameras()[name]) for name in ("cam1", "cam2")]

    apart = drawn(cameras, tmp_path)
    together = drawn(cameras, tmp_path, common_frame=True)

    assert apart.count("<!-- frame: board-") == 2
    assert "<!-- frame: stated to be common -->" in together
    assert "<!-- frame: board-" not in together


def test_a_principal_point_outside_is_named_and_one_inside_marked(tmp_path):
    outside = drawn([read_camera(published_cameras()["cam1"])], tmp_path)
    inside = drawn([read_camera(published_cameras()["cam3"])], tmp_path)

    assert "principal point at 1943, -1410" in outside
    assert "<!-- principal point -->" in inside


def test_pixels_that_cannot_be_undistorted_are_marked(tmp_path):
    whole = drawn([read_camera(BROKEN / "displacement.yml")], tmp_path)
    torn = read_camera(BROKEN / "unconverged.yml")
    torn = replace(torn, distortion=torn.distortion * 1.2)

    assert "cannot be undistorted" not in whole
    assert "cannot be undistorted" in drawn([torn], tmp_path)


def test_a_camera_without_distortion_and_pose_is_drawn(tmp_path):
    camera = Camera(np.diag([800.0, 800, 1]), np.zeros(12), (640, 480))

    picture = drawn([camera], tmp_path)

    assert "no distortion" in picture
    assert "frame:" not in picture


def test_of_many_cameras_the_first_twelve_are_drawn(tmp_path):
    camera = read_cameras(BROKEN / "sound.yml")[0]

    picture = drawn([replace(camera, name=f"c{i}") for i in range(14)], tmp_path)

    assert picture.count(": no distortion -->") == 12


def test_a_name_that_is_no_picture_is_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(InputError, match="not a picture's name"):
        plot_cameras([read_camera(BROKEN / "sound.yml")], tmp_path / "cameras.txt")
