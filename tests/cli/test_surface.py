"""``mvps surface`` in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from reliefs import closed_step, normals_of, rms_share, sphere
from running import mvps, only_error

from mvps.files import digest_file


@pytest.fixture
def normals(tmp_path: Path) -> Path:
    path = tmp_path / "normals.npy"
    np.save(path, normals_of(sphere(64)))
    return path


def test_a_map_becomes_a_height_in_mm_with_its_record(tmp_path: Path, normals: Path) -> None:
    out = tmp_path / "part"
    mesh = tmp_path / "part.glb"
    words = "--mm-per-px", 0.05, "--mesh", mesh, "--faces", 500
    done = mvps("surface", normals, out, *words, "--curvature", "--gradients", "--png", "--json")

    record = json.loads(done.stdout)
    assert done.returncode == 0
    assert record == json.loads((out / "surface.json").read_text())
    assert (record["method"], record["method_reason"]) == ("dct", "every pixel has a normal")
    assert (record["unit"], record["unit_per_px"]) == ("mm", 0.05)
    assert sorted(path.name for path in out.iterdir()) == sorted([*record["files"], "surface.json"])
    assert [entry["role"] for entry in record["inputs"]] == ["normals"]
    assert record["inputs"][0]["digest"] == digest_file(normals)
    assert 250 < record["scales"]["mesh"]["faces"] <= 500
    assert record["figures"]["slope_residual_rms"] < 1e-3
    assert any("leaves no trace" in note for note in record["notes"])
    height = tifffile.imread(out / "height.tif")
    assert rms_share(height, 0.05 * sphere(64)[0]) < 1e-3
    mean = tifffile.imread(out / "mean_curvature.tif")[32, 32]
    assert mean == pytest.approx(1 / (0.8 * 64 * 0.05), rel=1e-3)


def test_without_a_scale_lengths_are_in_pixels_and_that_is_said(
    tmp_path: Path, normals: Path
) -> None:
    done = mvps("surface", normals, tmp_path / "part", "--mesh", tmp_path / "part.ply")
    record = json.loads((tmp_path / "part" / "surface.json").read_text())
    assert done.returncode == 0
    assert "no scale: lengths are in pixels" in done.stdout
    assert (record["unit"], record["scales"]["mesh"]["unit"]) == ("px", "px")


def test_a_mask_takes_the_solver_for_masks(tmp_path: Path, normals: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[8:50, 10:60] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    done = mvps("surface", normals, tmp_path / "part", "--mask", tmp_path / "mask.png", "--json")
    record = json.loads(done.stdout)
    assert (record["method"], record["valid"]) == ("sparse", 42 * 50)
    assert "have no normal" in record["method_reason"]
    height = tifffile.imread(tmp_path / "part" / "height.tif")
    assert np.array_equal(np.isfinite(height), mask > 0)


def test_a_closed_step_is_told_of_and_drawn(tmp_path: Path) -> None:
    np.save(tmp_path / "normals.npy", normals_of(closed_step()[0]))
    words = tmp_path / "normals.npy", tmp_path / "part", "--method", "bilateral"
    done = mvps("surface", *words)
    record = json.loads((tmp_path / "part" / "surface.json").read_text())
    assert "relative to each other cannot be observed" in done.stderr
    assert record["regions"]["unobservable"] is True
    assert record["regions"]["regions"] == 2
    labels = cv2.imread(str(tmp_path / "part" / "regions.png"), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(labels)) == {1, 2}


def test_the_folder_of_a_stack_is_known_by_its_record(tmp_path: Path) -> None:
    """A NumPy file cannot say that its y points down; the record beside it does."""
    np.save(tmp_path / "normals.npy", normals_of(sphere(64)) * np.float32([1, -1, 1]))
    record = {"outputs": {"files": {"normals.npy": 1}}, "convention": "directx", "frame": "board"}
    (tmp_path / "stack.json").write_text(json.dumps(record))

    found = json.loads(mvps("surface", tmp_path, tmp_path / "part", "--json").stdout)

    assert "frame of the board" in found["notes"][1]
    assert rms_share(tifffile.imread(tmp_path / "part" / "height.tif"), sphere(64)[0]) < 1e-3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mask", "small.png"], "is of 5 x 4 pixels, the normal map of 64 x 64"),
        (["--mask", "empty.png"], "leaves no valid normal"),
        (["--method", "magic"], "unknown method 'magic'"),
        (["--mm-per-px", "-1"], "is not a positive length"),
        (["--mesh", "part.stl"], "not a mesh's name"),
        (["--distance", "100"], "need a camera"),
        (["--mesh", "part.ply", "--faces", "2"], "make no surface"),
    ],
)
def test_bad_input_ends_in_one_line(
    tmp_path: Path, normals: Path, words: list[str], message: str
) -> None:
    cv2.imwrite(str(tmp_path / "small.png"), np.full((4, 5), 255, np.uint8))
    cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((64, 64), np.uint8))
    placed = [str(tmp_path / word) if "." in word and word[0] != "-" else word for word in words]
    done = mvps("surface", normals, tmp_path / "part", *placed)
    assert done.returncode == 2
    assert message in only_error(done)
    assert not (tmp_path / "part").exists()


def test_a_map_without_a_normal_and_a_folder_without_a_record_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "none.npy", np.full((6, 7, 3), np.nan, np.float32))
    assert "holds no valid normal" in only_error(
        mvps("surface", tmp_path / "none.npy", tmp_path / "part")
    )
    assert "holds no stack.json" in only_error(mvps("surface", tmp_path, tmp_path / "part"))
