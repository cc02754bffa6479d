"""``mvps lights sphere`` as a user meets it: photographs in, lamps out, faults in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rendered_balls as rb
from running import mvps, only_error

from mvps.calib import write_cameras
from mvps.lights import read_lights

VIEW = rb.camera(size=(640, 480), focal=1200.0)
BALLS = [(np.array([-80.0, 30.0, 700.0]), 25.0), (np.array([90.0, -40.0, 720.0]), 25.0)]
LIGHTS = np.array([[-250.0, -300, 250], [300, -150, 100], [40, 310, 300], [-350, 60, 420]])
FLIP = np.array([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = rb.mirror_images(VIEW, BALLS, LIGHTS, sigma=2.0)
    return rb.write_images(tmp_path_factory.mktemp("probe"), images)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cameras([VIEW], tmp_path_factory.mktemp("camera") / "top.yml", "mvps")[0]


def test_two_balls_and_a_camera_give_positions(probe: Path, camera: Path, tmp_path: Path) -> None:
    """Measured: 2.1 mm at most, with balls of 42 px radius."""
    out, picture = tmp_path / "lights.yml", tmp_path / "probe.png"
    result = mvps(
        *("lights", "sphere", probe, "--camera", camera, "--radius-mm", 25, "--count", 2),
        *("--positions", "--out", out, "--picture", picture),
    )

    assert result.returncode == 0, result.stderr
    rig = read_lights(out)
    assert rig.names == ("1.png", "2.png", "3.png", "4.png")
    assert rig.positions is not None
    assert np.linalg.norm(rig.positions * FLIP - LIGHTS, axis=1).max() < 5
    assert "perspective" in result.stdout
    assert picture.stat().st_size > 10_000


def test_json_is_one_document_alone_on_stdout(probe: Path) -> None:
    result = mvps("lights", "sphere", probe, "--count", 2, "--json")
    document = json.loads(result.stdout)

    assert result.returncode == 0
    assert [light["name"] for light in document["lights"]] == [f"{k}.png" for k in range(1, 5)]
    directions = [light["direction"] for light in document["lights"]]
    assert document["condition_number"] == pytest.approx(np.linalg.cond(directions))
    assert [ball["model"] for ball in document["balls"]] == ["orthographic"] * 2
    bound = max(light["bound_degrees"] for light in document["balls"][0]["lights"])
    assert "off by up to" in document["findings"][0]["message"]
    assert 5 < bound < 20
    assert "no camera" in result.stderr


def test_folders_of_one_ball_each_are_measured_together(probe: Path, tmp_path: Path) -> None:
    for side in ("left", "right"):
        shutil.copytree(probe, tmp_path / side)
    outlines = [rb.pixels(VIEW, rb.tangent_rays(*ball, 360)) for ball in BALLS]
    words: list[str] = []
    for points in outlines:
        x, y = points.mean(axis=0)
        radius = np.linalg.norm(points - (x, y), axis=1).mean()
        words += ["--ball", f"{x:.2f},{y:.2f},{radius:.2f}"]

    result = mvps("lights", "sphere", tmp_path, *words, "--json")
    document = json.loads(result.stdout)

    assert result.returncode == 0, result.stderr
    assert [ball["name"] for ball in document["balls"]] == ["left", "right"]
    assert all(ball["outline"]["given"] for ball in document["balls"])


def test_a_matt_ball_gives_intensities(tmp_path: Path) -> None:
    lamps = rb.unit(np.array([[0.3, -0.4, -1.0], [-0.6, 0.1, -1], [0.5, 0.5, -1]]))
    strength = np.array([[0.9, 0.8, 0.7], [0.5, 0.6, 0.7], [0.7, 0.7, 0.7]])
    folder = rb.write_images(tmp_path / "p", rb.matt_images(VIEW, BALLS[:1], lamps, strength))

    result = mvps("lights", "sphere", folder, "--diffuse", "--out", tmp_path / "lights.json")

    assert result.returncode == 0, result.stderr
    rig = read_lights(tmp_path / "lights.json")
    assert rig.intensities == pytest.approx(strength / strength.mean(), rel=0.02)


def test_a_lamp_that_is_off_ends_with_1_and_writes_nothing(probe: Path, tmp_path: Path) -> None:
    shutil.copytree(probe, tmp_path / "p")
    shutil.copy(probe / "ref.png", tmp_path / "p" / "5.png")

    result = mvps("lights", "sphere", tmp_path / "p", "--count", 2, "--out", tmp_path / "l.yml")

    assert result.returncode == 1
    assert "5.png" in result.stderr
    assert "no highlight on the ball" in result.stderr
    assert not (tmp_path / "l.yml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ball", "5,5"], "give x,y,r or"),
        (["--highlight", "mode"], "use auto, centroid, median"),
        (["--out", "lights.txt"], "end it in .yml or .json"),
        (["--out", "nowhere/lights.yml"], "its folder does not exist"),
        (["--picture", "probe.jpg"], "not a picture's name"),
        (["--positions", "--count", "2"], "give --camera"),
    ],
)
def test_a_fault_is_one_line_with_a_remedy(probe: Path, words: list[str], said: str) -> None:
    result = mvps("lights", "sphere", probe, *words)

    assert result.returncode == 2
    assert said in only_error(result)


def test_positions_need_a_radius_a_second_ball_and_the_right_camera(
    probe: Path, camera: Path, tmp_path: Path
) -> None:
    other = write_cameras([rb.camera(size=(800, 600))], tmp_path / "other.yml", "mvps")[0]
    command = ("lights", "sphere", probe, "--positions", "--camera")

    radius = only_error(mvps(*command, camera, "--count", 2))
    second = only_error(mvps(*command, camera, "--radius-mm", 25))
    size = only_error(mvps(*command, other, "--radius-mm", 25, "--count", 2))

    assert "give --radius-mm" in radius
    assert "needs two balls" in second
    assert "640x480" in size
    assert "800x600" in size


def test_a_file_that_is_there_is_kept(probe: Path, tmp_path: Path) -> None:
    out = tmp_path / "lights.yml"
    out.write_text("mine\n")

    result = mvps("lights", "sphere", probe, "--count", 2, "--out", out)

    assert "pass --overwrite" in only_error(result)
    assert out.read_text() == "mine\n"
