"""Calibrating as people get it wrong: one line for each fault, and no file lost to another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from rendered_boards import Lens, board_poses, lens, photographs
from running import mvps, only_error

from mvps.calib.board import make_board
from mvps.calib.board_poses import compose, turned

BOARD = make_board("charuco", 9, 7, 10.0)
CAMERA: Lens = lens(40, size=(640, 480))
POSES = board_poses(BOARD, CAMERA, count=6, fill=0.8)
WORDS = ("--squares", "9x7", "--square-mm", "10", "--coefficients", "2")


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("board") / "top", BOARD, CAMERA, POSES)


def fault(*words: object) -> str:
    done = mvps("calib", "board", *words)
    assert done.returncode == 2 and "Warning" not in done.stderr, done.stderr
    return only_error(done)


def test_a_picture_replaces_neither_a_photograph_nor_the_camera(
    views: Path, tmp_path: Path
) -> None:
    photograph = views / "v0.png"
    before = photograph.read_bytes()
    assert "exists; name another file" in fault(views, *WORDS, "--report", photograph)
    assert photograph.read_bytes() == before
    both = tmp_path / "cam.png"
    assert "is also the file of --out" in fault(views, *WORDS, "--out", both, "--report", both)
    assert not both.exists()


@pytest.mark.parametrize("option", ["--out", "--report", "--print"])
def test_an_unset_variable_is_no_file(views: Path, option: str) -> None:
    done = mvps("calib", "board", views, *WORDS, option, "")
    assert done.returncode == 2 and "the name is empty" in done.stderr
    assert not Path("cameras.yml").exists()


def test_samples_that_are_not_finite_do_not_hide_the_board(views: Path, tmp_path: Path) -> None:
    for path in views.iterdir():
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32)
        image[:20, :20] = np.nan
        tifffile.imwrite(tmp_path / f"{path.stem}.tif", image)
    done = mvps("calib", "board", tmp_path, *WORDS, "--json")
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    focal = json.loads(done.stdout)["cameras"][0]["parameters"]["fx"]
    assert abs(focal["value"] - CAMERA.matrix[0, 0]) < 4 * focal["deviation"]


def test_views_in_one_file_are_not_taken_for_one_view(views: Path, tmp_path: Path) -> None:
    images = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(views.iterdir())]
    tifffile.imwrite(tmp_path / "all.tif", np.array(images), photometric="minisblack")
    assert "all.tif: holds 6 images; save each view as a file" in fault(tmp_path, *WORDS)


@pytest.mark.parametrize("side", ["1e-300", "1e300", "1e-4", "inf", "nan"])
def test_a_square_that_cannot_be_is_named(views: Path, side: str) -> None:
    assert "--square-mm" in fault(views, "--squares", "9x7", "--square-mm", side)


def test_too_few_views_and_mirrored_ones_say_so(views: Path, tmp_path: Path) -> None:
    few, mirrored = tmp_path / "few", tmp_path / "mirrored"
    few.mkdir()
    mirrored.mkdir()
    shutil.copy(views / "v0.png", few)
    assert "found in 1 view, 3 are needed" in fault(few, *WORDS)
    image = cv2.imread(str(views / "v0.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(mirrored / "v0.png"), image[:, ::-1])
    assert "Is it sharp, and not mirrored?" in fault(mirrored, *WORDS)


def test_a_rig_whose_names_were_mixed_up_is_refused(views: Path, tmp_path: Path) -> None:
    """Each camera is right alone; together they cannot have seen one board at one time."""
    middle = np.mean([R @ BOARD.middle() + t for R, t in POSES], axis=0)
    mount = turned(np.eye(3, 4)[None], np.array([[0, 0.25, 0.05, 0, 0, 0]]))[0]
    mount[:, 3] = middle - mount[:, :3] @ middle
    poses = [compose(mount, np.column_stack(pose)) for pose in POSES]
    mixed = [poses[k] for k in (3, 5, 1, 4, 0, 2)]
    side = photographs(tmp_path / "side", BOARD, CAMERA, [(p[:, :3], p[:, 3]) for p in mixed])
    text = fault(views, side, *WORDS, "--out", tmp_path / "rig.yml")
    assert "views of one name do not fit one place of the board" in text
    assert not (tmp_path / "rig.yml").exists()
