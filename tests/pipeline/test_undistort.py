"""Maps in undistorted pixels and in the board's frame, and what a run says of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from planar import tilted_camera
from running import mvps, only_error
from scenes import bumps, degrees_between, write_diligent, write_image

from mvps.calib import Camera, published_cameras, write_cameras
from mvps.calib.transforms import NORMAL_FLIP, bin_camera, crop_camera
from mvps.images.maps import read_normals, read_statement

HEIGHT, WIDTH = 180, 240
FLAGS = ("--no-light-check", "--format", "f32", "--quality")


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    """A folder with raw/part, a hilly scene in raw pixels, and cam.yml."""
    root = tmp_path_factory.mktemp("capture")
    write_diligent(root / "raw" / "part", bumps(HEIGHT, WIDTH))
    write_cameras([tilted_camera()], root / "cam.yml", "mvps")
    return root


def run(capture: Path, out: Path, *words: object) -> Path:
    """Folder of the maps of the one stack."""
    done = mvps("normals", capture / "raw", out, *FLAGS, *words)
    assert done.returncode == 0, done.stderr
    return out / "part"


def record(folder: Path) -> dict:
    return json.loads((folder / "stack.json").read_text())


@pytest.fixture(scope="module")
def raw(capture) -> Path:
    return run(capture, capture / "raw_maps")


@pytest.fixture(scope="module")
def flat(capture) -> Path:
    return run(capture, capture / "flat_maps", "--camera", capture / "cam.yml", "--undistort")


def test_undistorted_maps_are_the_maps_of_undistorted_photographs(capture, flat, raw, tmp_path):
    camera = tilted_camera()
    folder = tmp_path / "raw" / "part"
    folder.mkdir(parents=True)
    for path in (capture / "raw" / "part").iterdir():
        if path.suffix == ".txt":
            (folder / path.name).write_text(path.read_text())
        else:
            image = tifffile.imread(path)
            write_image(folder / path.name, cv2.undistort(image, camera.matrix, camera.distortion))

    first = run(tmp_path, tmp_path / "out")

    found, valid = read_normals(flat / "normals.tif")
    expected, _ = read_normals(first / "normals.tif")
    distorted, _ = read_normals(raw / "normals.tif")
    assert valid.all()  # barrel distortion: the undistorted pixels lie inside the raw image
    # Hills of 16 px; OpenCV places samples to 1/32 px.
    assert degrees_between(found, expected)[valid].max() < 0.2
    assert np.percentile(degrees_between(distorted, expected)[valid], 90) > 3
    for name in ("albedo.tif", "quality.tif"):
        ours, theirs = (tifffile.imread(place / name, key=0) for place in (flat, first))
        np.testing.assert_allclose(ours[valid], theirs[valid], atol=5e-3)
        assert not ours[~valid].any()
    residual, used, condition, deviation, *counts = tifffile.imread(flat / "quality.tif")
    assert set(np.unique(used)) == {6}
    right = tifffile.imread(first / "quality.tif")
    np.testing.assert_allclose(condition, right[2], rtol=1e-3)
    assert abs(np.median(deviation) / np.median(right[3]) - 1) < 0.2
    assert not np.any(counts) and residual.shape == deviation.shape


def test_the_record_and_every_map_say_what_was_done(capture, flat, raw):
    said = record(flat)
    camera = tilted_camera()
    assert said["camera"]["applied"] == "undistorted" and said["undistorted"] is True
    assert said["camera"]["path"] == str(capture / "cam.yml")
    assert len(said["camera"]["sha256"]) == 64
    assert said["camera"]["size"] == [WIDTH, HEIGHT]
    assert said["camera"]["matrix"] == camera.matrix.tolist()
    assert said["camera"]["distortion"] == [0.0] * 12
    assert (said["frame"], said["camera"]["frame_id"]) == ("camera", "bench")
    for name in ("normals.tif", "albedo.tif", "quality.tif"):
        assert read_statement(flat / name)["undistorted"] is True
        assert "undistorted" not in read_statement(raw / name)
    assert record(raw)["camera"] is None
    seen = read_normals(flat / "normals.tif")[1]
    assert said["figures"]["written_valid"] == seen.sum()


def test_normals_of_the_board_are_those_of_the_camera_turned(capture, raw, tmp_path):
    camera = tilted_camera()
    words = ("--camera", capture / "cam.yml", "--frame", "board")
    normals, valid = read_normals(raw / "normals.tif")

    for up in (False, True):
        place = run(capture, tmp_path / f"up{up}", *words, *["--board-up"] * up)
        found, seen = read_normals(place / "normals.tif")
        turn = camera.rotation.T @ NORMAL_FLIP
        turn = NORMAL_FLIP @ turn if up else turn
        np.testing.assert_array_equal(seen, valid)
        np.testing.assert_allclose(found, normals @ turn.T, atol=1e-6)
        assert np.sign(found[..., 2].mean()) == (1 if up else -1)
        said = record(place)
        assert (said["frame"], said["board_up"], said["frame_id"]) == ("board", up, "bench")
        assert "board" in said["frame_axes"] and said["camera"]["applied"] == "no"
        assert read_statement(place / "normals.tif")["frame"] == "board"


def test_both_at_once_turn_and_resample(capture, flat, tmp_path):
    place = run(
        capture, tmp_path, "--camera", capture / "cam.yml", "--undistort", "--frame", "board"
    )
    found, valid = read_normals(place / "normals.tif")
    normals, same = read_normals(flat / "normals.tif")
    np.testing.assert_array_equal(valid, same)
    turn = tilted_camera().rotation.T @ NORMAL_FLIP
    np.testing.assert_allclose(found, normals @ turn.T, atol=2e-6)


def test_region_and_binning_change_the_camera_with_the_map(capture, tmp_path):
    words = ("--camera", capture / "cam.yml", "--undistort", "--roi", "20,10,201,150", "--bin", "2")
    place = run(capture, tmp_path, *words)
    camera = bin_camera(crop_camera(tilted_camera(), 20, 10, 201, 150), 2)
    said = record(place)["camera"]
    assert said["size"] == [100, 75] and said["matrix"] == camera.matrix.tolist()
    assert tifffile.imread(place / "normals.tif").shape == (75, 100, 3)


def test_a_cropped_and_scaled_camera_is_applied_as_stated(capture, tmp_path):
    big = tilted_camera()
    scale = np.diag([2.0, 2.0, 1.0])
    scale[:2, 2] = 0.5, 0.5
    matrix = scale @ big.matrix + np.array([[0, 0, 30.0], [0, 0, 40.0], [0, 0, 0]])
    camera = Camera(matrix, big.distortion, (600, 500), source=big.source)
    write_cameras([camera], tmp_path / "big.yml", "mvps")
    words = ("--camera", tmp_path / "big.yml", "--camera-crop", "30,40,480,360", "--camera-bin", 2)

    said = record(run(capture, tmp_path / "out", *words, "--undistort"))["camera"]

    np.testing.assert_allclose(said["matrix"], big.matrix, atol=1e-9)
    assert (said["crop"], said["bin"], said["scaled"]) == ([30, 40, 480, 360], 2, False)


def test_a_run_is_done_again_when_the_camera_changes_and_only_then(capture, tmp_path):
    path = tmp_path / "cam.yml"
    words = ("normals", capture / "raw", tmp_path / "out", *FLAGS, "--camera", path, "--undistort")

    def status(*more: object) -> str:
        done = mvps(*words, "--json", *more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["results"][0]["status"]

    write_cameras([tilted_camera()], path, "mvps")
    assert status() == "done"
    assert status() == "skipped"
    distortion = tilted_camera().distortion * 1.01
    write_cameras([replace(tilted_camera(), distortion=distortion)], path, "mvps", overwrite=True)
    assert status() == "done"
    assert status("--frame", "board") == "done"
    assert status("--frame", "board") == "skipped"


def test_a_rig_names_the_camera_of_each_view_in_any_format(capture, tmp_path):
    views = {"left": tilted_camera(side=-1), "right": tilted_camera(side=1)}
    named = [replace(camera, name=name) for name, camera in views.items()]
    write_cameras(named, tmp_path / "rig_cameras.yml", "mvps")
    for name in views:
        write_diligent(tmp_path / "s1" / name, bumps(HEIGHT, WIDTH))
    text = "version: 1\nviews:\n"
    for name in views:
        text += f'  {name}:\n    images: "{{sample}}/{name}/{{light:03d}}.tif"\n'
        text += f"    lights: s1/{name}/light_directions.txt\n    camera: rig_cameras.yml\n"
    (tmp_path / "rig.yml").write_text(text)

    done = mvps("normals", tmp_path, tmp_path / "out", *FLAGS, "--frame", "board")

    assert done.returncode == 0, done.stderr
    for name, camera in views.items():
        said = record(tmp_path / "out" / "s1" / name)["camera"]
        assert said["name"] == name
        np.testing.assert_allclose(said["rotation"], camera.rotation)


def test_the_papers_image_size_stops_with_the_aspect_and_what_to_pass(tmp_path):
    folder = tmp_path / "raw" / "part"
    folder.mkdir(parents=True)
    for k in range(3):  # sparse files: no pixel is read
        image = np.lib.format.open_memmap(
            folder / f"{k}.npy", "w+", dtype=np.uint8, shape=(5472, 3648)
        )
        image[0, 0] = k
    np.savetxt(folder / "light_directions.txt", [[0.6, 0, 0.8], [0, 0.6, 0.8], [-0.6, 0, 0.8]])
    camera = published_cameras()["cam1"]

    done = mvps("normals", tmp_path / "raw", tmp_path / "out", "--camera", camera, "--dry-run")

    assert done.returncode == 2
    assert re.search(
        r"3648x5472 px, but the camera of \S+cam1.yml has 4096x3000 px; the aspect ratios differ: "
        r"0.6667, 1.5 when turned and 1.365 \(9.9% apart\); pass --camera-crop X,Y,W,H",
        only_error(done),
    )


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--undistort"], "--undistort: part has no camera; state one in rig.yml"),
        (["--frame", "board"], "--frame board: part has no camera"),
        (["--camera-scale"], "--camera-scale: part has no camera"),
        (["--board-up"], "--board-up: turns the board's frame; add --frame board"),
        (["--frame", "world"], "--frame: 'world' is none of camera, board"),
        (["--frame", "board", "--convention", "opencv"], "--convention: holds for the camera's"),
        (["--camera", "gone.yml"], "gone.yml: no such file"),
        (["--camera-crop", "1,2"], "--camera-crop: '1,2' is not x,y,w,h"),
    ],
)
def test_what_cannot_be_done_is_one_line(capture, tmp_path, words, fault):
    done = mvps("normals", capture / "raw", tmp_path, *words)
    assert done.returncode == 2
    assert fault in only_error(done)


def test_a_camera_without_a_pose_knows_no_board(capture, tmp_path):
    bare = replace(tilted_camera(), rotation=None, translation=None)
    write_cameras([bare], tmp_path / "bare.yml", "mvps")
    words = ("--camera", tmp_path / "bare.yml", "--frame", "board")
    done = mvps("normals", capture / "raw", tmp_path / "out", *words)
    assert done.returncode == 2
    assert "bare.yml: holds no rotation and translation" in only_error(done)


def test_two_frames_are_not_compared_and_a_report_is_written(capture, raw, tmp_path):
    words = ("--camera", capture / "cam.yml", "--undistort", "--frame", "board", "--report")
    place = run(capture, tmp_path / "out", *words)
    assert (tmp_path / "out" / "report.html").stat().st_size > 1000

    refused = mvps("evaluate", "normals", place, "--truth", raw / "normals.tif")
    assert refused.returncode == 2
    assert "its normals are in the frame board" in only_error(refused)
    solved = run(capture, tmp_path / "flat", *words[:3])
    other = mvps("evaluate", "normals", solved, "--truth", raw / "normals.tif")
    assert other.returncode == 2
    assert "is undistorted, its truth" in only_error(other)
    same = mvps("evaluate", "normals", place, "--truth", place / "normals.tif")
    assert same.returncode == 0, same.stderr
