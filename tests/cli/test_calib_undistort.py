"""``mvps calib undistort``: files in, files and their camera out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from planar import CURVATURE_BOUND, on_board, pattern, photograph, pinhole_rays, tilted_camera
from running import mvps, only_error
from scenes import write_image

from mvps.calib import read_camera, write_cameras
from mvps.calib.remap import undistort_image, undistort_normals
from mvps.images.maps import open_normals_writer, read_normals, read_statement
from mvps.images.rows import read_image


@pytest.fixture
def bench(tmp_path):
    """cam.yml and one image of the board as a float TIFF."""
    write_cameras([tilted_camera()], tmp_path / "cam.yml", "mvps")
    tifffile.imwrite(tmp_path / "board.tif", photograph(tilted_camera()))
    return tmp_path


def undistort(bench, *words):
    return mvps("calib", "undistort", bench / "cam.yml", *words)


def test_the_camera_beside_a_photograph_fits_it(bench):
    done = undistort(bench, bench / "board.tif", bench / "out", "--json")

    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)["results"]
    camera = read_camera(bench / "out" / "camera.yml")
    image = tifffile.imread(bench / "out" / "board.tif")
    valid = image != 0
    assert result["kind"] == "image" and result["valid_share"] == pytest.approx(valid.mean())
    assert not camera.distortion.any() and camera.image_size == (240, 180)
    expected = pattern(*on_board(camera, pinhole_rays(camera)))
    assert np.abs(image - expected)[valid].max() < CURVATURE_BOUND


@pytest.mark.parametrize("format", ["tiff", "png"])
@pytest.mark.parametrize("shape", [(180, 240), (180, 240, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_keep_their_type_and_colour(bench, dtype, shape, format):
    image = np.random.default_rng(4).integers(0, np.iinfo(dtype).max, shape, dtype)
    write_image(bench / "a.png", image)

    done = undistort(bench, bench / "a.png", bench / "out", "--format", format)

    assert done.returncode == 0, done.stderr
    target = bench / "out" / f"a.{'tif' if format == 'tiff' else 'png'}"
    from mvps.images import ImageRef

    found = read_image(ImageRef(target))
    expected, _ = undistort_image(image, tilted_camera())
    assert found.dtype == dtype
    # Positions go through float32: 8e-6 px times neighbours that differ by the full range.
    assert np.abs(found.astype(int) - expected).max() <= (1 if dtype == np.uint8 else 4)
    assert read_statement(target)["undistorted"] is True


def test_a_normal_map_is_known_as_such_and_keeps_its_convention(bench):
    rng = np.random.default_rng(5)
    normals = rng.normal((0, 0, 2), 0.2, (180, 240, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    valid = rng.random((180, 240)) < 0.98
    writer = open_normals_writer(bench / "n.tif", "f32", 240, 180, convention="directx")
    writer.write_rows(normals, valid)
    writer.finish()

    done = undistort(bench, bench / "n.tif", bench / "board.tif", bench / "out", "--json")

    assert done.returncode == 0, done.stderr
    kinds = [result["kind"] for result in json.loads(done.stdout)["results"]]
    assert kinds == ["normals", "image"]
    found, seen = read_normals(bench / "out" / "n.tif")
    expected, ok = undistort_normals(normals, valid, tilted_camera())
    said = read_statement(bench / "out" / "n.tif")
    assert (said["convention"], said["encoding"]) == ("directx", "f32")
    assert (seen != ok).mean() < 2e-4
    assert np.abs(found - expected)[seen & ok].max() < 1e-4


def test_labels_are_not_averaged(bench):
    labels = np.random.default_rng(6).choice(np.uint8([3, 90, 255]), (180, 240))
    write_image(bench / "mask.png", labels)
    done = undistort(bench, bench / "mask.png", bench / "out", "--nearest")
    assert done.returncode == 0, done.stderr
    assert set(np.unique(tifffile.imread(bench / "out" / "mask.tif"))) == {3, 90, 255}


def test_one_file_that_fails_does_not_stop_the_others(bench):
    write_image(bench / "small.png", np.zeros((10, 12), np.uint8))
    done = undistort(bench, bench / "board.tif", bench / "small.png", bench / "out")
    assert done.returncode == 1
    assert "small.png: 12x10 px, but the camera of" in only_error(done)
    assert (bench / "out" / "board.tif").exists() and (bench / "out" / "camera.yml").exists()
    assert sorted(path.name for path in (bench / "out").iterdir()) == ["board.tif", "camera.yml"]


def test_nothing_is_written_when_the_first_image_is_of_another_size(bench):
    write_image(bench / "half.png", np.zeros((90, 120), np.uint8))
    done = undistort(bench, bench / "half.png", bench / "out")
    assert done.returncode == 2
    assert "pass --camera-bin 2 where they were binned" in only_error(done)
    assert not (bench / "out").exists()
    again = undistort(bench, bench / "half.png", bench / "out", "--camera-bin", "2")
    assert again.returncode == 0, again.stderr
    assert read_camera(bench / "out" / "camera.yml").image_size == (120, 90)


def test_what_is_undistorted_already_is_refused(bench):
    assert undistort(bench, bench / "board.tif", bench / "out").returncode == 0
    done = undistort(bench, bench / "out" / "board.tif", bench / "twice")
    assert done.returncode == 2
    assert "is undistorted already" in only_error(done)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["{0}/board.tif", "{0}"], "holds board.tif; write to another folder"),
        (["{0}/board.tif", "{0}/board.tif", "{0}/out"], "would be written over"),
        (["{0}/gone.tif", "{0}/out"], "gone.tif: no such file"),
        (["{0}/board.tif", "{0}/out", "--format", "bmp"], "--format: 'bmp' is none of tiff, png"),
        (["{0}/board.tif", "{0}/out", "--format", "png"], "float samples do not go into a PNG"),
    ],
)
def test_what_cannot_be_done_is_one_line(bench, words, fault):
    done = undistort(bench, *[word.format(bench) for word in words])
    assert done.returncode == 2
    assert fault in only_error(done)
    assert not (bench / "out" / "board.tif").exists()
