"""``mvps calib board`` as a user meets it: photographs in, cameras out, one line for each fault."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from rendered_boards import Lens, board_poses, lens, photographs
from running import mvps, only_error

from mvps.calib import read_camera, read_cameras
from mvps.calib.board import make_board
from mvps.calib.board_poses import compose, turned
from mvps.images.png_header import SIGNATURE

BOARD = make_board("charuco", 9, 7, 10.0)
CAMERA: Lens = lens(40, size=(640, 480))
POSES = board_poses(BOARD, CAMERA, count=9, fill=0.8)
WORDS = ("--squares", "9x7", "--square-mm", "10", "--coefficients", "2")


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("board") / "top", BOARD, CAMERA, POSES)


def test_photographs_become_a_camera_with_what_is_known_of_it(views: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "cam.yml", tmp_path / "report.png"
    result = mvps("calib", "board", views, *WORDS, "--out", out, "--report", report)
    assert result.returncode == 0, result.stderr
    assert "fx (px)" in result.stdout and "views left out" in result.stdout
    camera = read_camera(out)
    assert camera.name == "top" and camera.image_size == (640, 480)
    focal = CAMERA.matrix[0, 0]
    known = yaml.safe_load(out.read_text())["uncertainty"]["cameras"]["top"]
    assert abs(camera.matrix[0, 0] - focal) < 4 * known["deviations"]["fx"] < 0.003 * focal
    assert known["views"] == 9 and 0 < known["rms_px"] < known["held_out_px"] < 0.1
    # The board of the first view is the world.
    np.testing.assert_allclose(camera.rotation, POSES[0][0], atol=1e-3)
    assert report.read_bytes().startswith(SIGNATURE)


def test_json_is_one_document_with_every_view(views: Path) -> None:
    result = mvps("calib", "board", views, *WORDS, "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    (camera,) = found["cameras"]
    assert [view["name"] for view in camera["views"]] == [f"v{k}" for k in range(9)]
    assert set(camera["parameters"]) == {"fx", "fy", "cx", "cy", "k1", "k2"}
    assert all(entry["deviation"] > 0 for entry in camera["parameters"].values())
    assert found["rig"] is None and found["written"] == [] and found["board"]["corners"] == 48


def test_what_is_fixed_is_not_listed_and_other_formats_are_written(
    views: Path, tmp_path: Path
) -> None:
    fixed = ("--fix-aspect", "--fix-principal-point", "--world", "v3")
    target = tmp_path / "cam.xml"
    result = mvps(
        "calib", "board", views, *WORDS, *fixed, "--out", target, "--format", "opencv", "--json"
    )
    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout)["cameras"][0]["parameters"]) == {"f", "k1", "k2"}
    camera = read_camera(target)
    assert camera.matrix[0, 0] == camera.matrix[1, 1] and camera.matrix[0, 2] == 319.5
    again = mvps("calib", "board", views, *WORDS, "--out", target, "--format", "opencv")
    assert again.returncode == 2 and "exists" in only_error(again)


def test_folders_with_the_same_file_names_are_a_rig(views: Path, tmp_path: Path) -> None:
    middle = np.mean([R @ BOARD.middle() + t for R, t in POSES], axis=0)
    mount = turned(np.eye(3, 4)[None], np.array([[0, 0.25, 0.05, 0, 0, 0]]))[0]
    mount[:, 3] = middle - mount[:, :3] @ middle
    poses = [compose(mount, np.column_stack(pose)) for pose in POSES]
    side = photographs(tmp_path / "side", BOARD, CAMERA, [(p[:, :3], p[:, 3]) for p in poses])
    out = tmp_path / "rig.yml"
    result = mvps("calib", "board", views, side, *WORDS, "--out", out, "--json")
    assert result.returncode == 0, result.stderr
    (pair,) = json.loads(result.stdout)["rig"]["pairs"]
    assert (pair["first"], pair["second"], pair["views"]) == ("top", "side", 9)
    assert pair["baseline_mm"] == pytest.approx(np.linalg.norm(mount[:, 3]), rel=2e-3)
    one, two = read_cameras(out)
    assert one.frame_id == two.frame_id != ""


def test_a_chessboard_of_16_bit_photographs_is_calibrated(tmp_path: Path) -> None:
    board = make_board("chess", 8, 6, 10.0)
    poses = board_poses(board, CAMERA, count=6, fill=0.7)
    folder = photographs(tmp_path / "chess", board, CAMERA, poses, depth=np.uint16)
    words = ("--board", "chess", "--squares", "8x6", "--square-mm", "10", "--coefficients", "2")
    result = mvps("calib", "board", folder, *words, "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    focal = found["cameras"][0]["parameters"]["fx"]
    assert abs(focal["value"] - CAMERA.matrix[0, 0]) < 4 * focal["deviation"]
    codes = {finding["code"] for finding in found["findings"]}
    assert "few-views" in codes and "mirrored" not in codes


def fault(*words: object) -> str:
    result = mvps("calib", "board", *words)
    assert result.returncode == 2 and result.stdout == ""
    return only_error(result)


def test_folders_that_hold_no_calibration_are_one_line_each(views: Path, tmp_path: Path) -> None:
    assert "no such folder" in fault(tmp_path / "none", *WORDS)
    assert "is not a folder" in fault(views / "v0.png", *WORDS)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no image" in fault(empty, *WORDS)
    few = tmp_path / "few"
    few.mkdir()
    for name in ("v0.png", "v1.png"):
        shutil.copy(views / name, few)
    assert "corners were found in 2 views, 3 are needed" in fault(few, *WORDS)
    other = ("--squares", "9x7", "--square-mm", "10", "--dictionary", "DICT_6X6_100")
    text = fault(few, *other)
    assert "no corners were found in any of its 2 images; is it 9x7 squares of DICT_6X6_100" in text
    small = photographs(tmp_path / "small", BOARD, lens(40, size=(320, 240)), POSES[:1])
    shutil.copy(small / "v0.png", few / "w.png")
    assert "w.png: is 320x240, v0.png is 640x480" in fault(few, *WORDS)
    (few / "w.png").write_bytes((views / "v0.png").read_bytes()[:3000])
    assert "w.png" in fault(few, *WORDS)
    (few / "w.png").write_text("not a picture")
    assert "w.png: is not an image" in fault(few, *WORDS)


def test_options_that_mean_nothing_are_one_line_each(views: Path, tmp_path: Path) -> None:
    assert "columns x rows" in fault(views, "--squares", "9", "--square-mm", "10")
    assert "not a positive length" in fault(views, "--squares", "9x7", "--square-mm", "-1")
    assert "is not one of 0, 2, 4" in fault(views, *WORDS[:4], "--coefficients", "6")
    assert "unknown board" in fault(views, *WORDS, "--board", "asymmetric")
    assert "did you mean 'opencv'" in fault(
        views, *WORDS, "--out", tmp_path / "a.yml", "--format", "opencvv"
    )
    assert "not a picture's name" in fault(views, *WORDS, "--report", tmp_path / "a.txt")
    assert "folder does not exist" in fault(views, *WORDS, "--out", tmp_path / "a" / "b.yml")
    assert "no view 'v99'" in fault(views, *WORDS, "--world", "v99")
    assert "bears the same name" in fault(views, views, *WORDS)


def test_the_board_itself_is_printed_without_photographs(tmp_path: Path) -> None:
    path = tmp_path / "board.svg"
    result = mvps("calib", "board", "--squares", "5x4", "--square-mm", "20", "--print", path)
    assert result.returncode == 0 and "print it at 100%" in result.stderr
    assert "5x4 squares of 20 mm" in path.read_text()
    assert "no folder of photographs" in fault(*WORDS)
    assert "exists" in fault("--squares", "5x4", "--square-mm", "20", "--print", path)


def test_a_calibration_is_a_camera_file_that_draws_no_error(views: Path, tmp_path: Path) -> None:
    out = tmp_path / "cam.yml"
    assert mvps("calib", "board", views, *WORDS, "--out", out).returncode == 0
    checked = mvps("calib", "check", out)
    assert checked.returncode == 0, checked.stderr
