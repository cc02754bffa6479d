"""Undistorting as people get it wrong: one line a fault, no image lost, counts that are true."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from planar import tilted_camera
from running import mvps, only_error
from scenes import bumps, degrees_between, write_diligent, write_image

from mvps.calib import read_camera, write_cameras
from mvps.images.maps import read_normals, read_statement

HEIGHT, WIDTH = 180, 240
QUIET = ("--no-light-check", "--no-preview")


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Path:
    """raw/part, a hilly scene; cam.yml; photo.png."""
    root = tmp_path_factory.mktemp("bench")
    images = write_diligent(root / "raw" / "part", bumps(HEIGHT, WIDTH))
    write_cameras([tilted_camera()], root / "cam.yml", "mvps")
    write_image(root / "photo.png", images[0])
    return root


def solve(bench: Path, out: Path, *words: object) -> dict:
    """The record of the one stack."""
    done = mvps(
        "normals", bench / "raw", out, *QUIET, "--camera", bench / "cam.yml", "--undistort", *words
    )
    assert done.returncode == 0, done.stderr
    return json.loads((out / "part" / "stack.json").read_text())


def undistort(bench: Path, *words: object) -> str:
    """The one error line of a command that must refuse."""
    done = mvps("calib", "undistort", bench / "cam.yml", *words)
    assert done.returncode == 2, done.stderr
    return only_error(done)


def test_the_share_that_a_run_states_is_that_of_the_written_map(bench, tmp_path):
    """Every second pixel is solved, and no undistorted pixel has four solved neighbours."""
    chess = (np.indices((HEIGHT, WIDTH)).sum(0) % 2 * 255).astype(np.uint8)
    write_image(tmp_path / "chess.png", chess)
    words = ("--mask", tmp_path / "chess.png", "--report")

    figures = solve(bench, tmp_path / "out", *words)["figures"]

    assert (figures["valid"], figures["written_valid"]) == (HEIGHT * WIDTH // 2, 0)
    line = json.loads((tmp_path / "out" / "manifest.jsonl").read_text())
    assert line["valid"] == 0 and "left no pixel with a normal" in line["warnings"][0]
    again = mvps(
        "normals", bench / "raw", tmp_path / "out", *QUIET, "--camera", bench / "cam.yml",
        "--undistort", *words, "--json",
    )  # fmt: skip
    (result,) = json.loads(again.stdout)["results"]
    assert (result["status"], result["valid"]) == ("skipped", 0)
    assert "<b>0.0 %</b> valid" in (tmp_path / "out" / "report.html").read_text()


def test_a_fault_that_stacks_share_is_told_once(tmp_path):
    for name in ("a", "b"):
        write_diligent(tmp_path / "raw" / name / "top", bumps(12, 16, lights=3))
    text = "version: 1\nviews:\n  top:\n    images: '{sample}/top/{light:03d}.tif'\n"
    text += "    lights: a/top/light_directions.txt\n    camera: gone.yml\n"
    (tmp_path / "raw" / "rig.yml").write_text(text)
    done = mvps("normals", tmp_path / "raw", tmp_path / "out", "--json")
    assert done.returncode == 2
    assert "gone.yml: no such file" in only_error(done)
    assert [entry["stack"] for entry in json.loads(done.stdout)["failures"]] == ["a/top", "b/top"]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--camera-name", "top"], "--camera-name: no stack has a camera; add --camera FILE"),
        (["--camera", "{0}/cam.yml", "--camera-bin", "0"], "--camera-bin: 0 is below 1"),
        (["--camera", "{0}/cam.yml", "--camera-bin", "2"], "check --camera-crop and --camera-bin"),
    ],
)
def test_camera_options_that_do_not_fit_say_which(bench, tmp_path, words, fault):
    done = mvps("normals", bench / "raw", tmp_path, *[word.format(bench) for word in words])
    assert done.returncode == 2
    assert fault in only_error(done)


def test_a_smaller_image_may_be_a_part_or_scaled_and_both_are_named(bench, tmp_path):
    """160x120 of 240x180 has the same shape, so only its owner knows."""
    write_image(tmp_path / "part.png", np.zeros((120, 160), np.uint8))
    fault = undistort(bench, tmp_path / "part.png", tmp_path / "out")
    assert "--camera-scale where the images were scaled, --camera-crop X,Y,W,H where" in fault


def test_an_unset_variable_is_no_camera(bench, tmp_path):
    done = mvps("normals", bench / "raw", tmp_path / "out", "--camera", "", "--undistort")
    assert done.returncode == 2 and "the name is empty" in done.stderr


@pytest.mark.parametrize("format", ["exr", "jxl8", "npy"])
def test_a_map_of_any_format_is_not_undistorted_twice(bench, tmp_path, format):
    """NumPy maps cannot say what they are; the record beside them does."""
    solve(bench, tmp_path / "maps", "--format", format)
    (path,) = (tmp_path / "maps" / "part").glob("normals.*")
    assert "is undistorted already" in undistort(bench, path, tmp_path / "out")


@pytest.mark.parametrize("format", ["exr", "jxl8", "npy"])
def test_a_map_of_any_format_keeps_frame_and_convention(bench, tmp_path, format):
    words = ("--camera", bench / "cam.yml", "--convention", "directx", "--format", format)
    done = mvps("normals", bench / "raw", tmp_path / "maps", *QUIET, *words)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "maps" / "part").glob("normals.*")
    done = mvps("calib", "undistort", bench / "cam.yml", path, tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    said = read_statement(Path(result["target"]))
    assert result["kind"] == "normals" and said["convention"] == "directx"
    assert said["frame"] == "camera" and said["undistorted"] is True

    solve(bench, tmp_path / "direct", "--format", "f32")
    found, valid = read_normals(Path(result["target"]))
    expected, same = read_normals(tmp_path / "direct" / "part" / "normals.tif")
    # Eight bits a component: steps of 0.45 degrees, before and after resampling.
    assert degrees_between(found, expected)[valid & same].max() < 1.0


def test_pages_beyond_the_first_are_not_lost_in_silence(bench, tmp_path):
    path = tmp_path / "two.tif"
    pages = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    tifffile.imwrite(path, pages, photometric="minisblack")
    assert "holds 2 images; save each" in undistort(bench, path, tmp_path / "out")


def test_a_photograph_without_an_ending_is_one_by_its_content(bench, tmp_path):
    shutil.copy(bench / "photo.png", tmp_path / "photo")
    done = mvps("calib", "undistort", bench / "cam.yml", tmp_path / "photo", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "photo.tif").exists()


def test_a_folder_keeps_the_camera_that_fits_its_images(bench, tmp_path):
    out, photo = tmp_path / "out", bench / "photo.png"
    first = mvps("calib", "undistort", bench / "cam.yml", photo, out)
    again = mvps("calib", "undistort", bench / "cam.yml", photo, out)
    assert (first.returncode, again.returncode) == (0, 0), again.stderr
    matrix = tilted_camera().matrix + np.diag([1.0, 1.0, 0.0])
    write_cameras([replace(tilted_camera(), matrix=matrix)], tmp_path / "other.yml", "mvps")

    other = mvps("calib", "undistort", tmp_path / "other.yml", photo, out)

    assert other.returncode == 2
    assert "camera.yml: is the camera of other images" in only_error(other)
    np.testing.assert_array_equal(read_camera(out / "camera.yml").matrix, tilted_camera().matrix)
    itself = mvps("calib", "undistort", out / "camera.yml", photo, out)
    assert itself.returncode == 2
    assert "is the calibration itself" in only_error(itself)
    assert "name a folder" in undistort(bench, photo, bench / "cam.yml")
