"""``mvps flatten`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bends import linear, normals_of
from running import mvps, only_error
from scenes import bumps, write_diligent

from mvps.images.maps import read_normals


@pytest.fixture
def bent(tmp_path: Path) -> Path:
    np.save(tmp_path / "bent.npy", normals_of(*linear(60, 80)))
    return tmp_path / "bent.npy"


def test_a_map_is_flattened_and_the_figures_come_as_json(tmp_path: Path, bent: Path) -> None:
    result = mvps("flatten", bent, "--out", tmp_path / "flat", "--degree", 1, "--json")

    assert result.returncode == 0
    (entry,) = json.loads(result.stdout)["results"]
    assert entry["p"] == pytest.approx([0.05, 0.1, -0.03], abs=1e-5)
    flat, _ = read_normals(Path(entry["target"]))
    assert np.abs(flat[..., :2]).max() < 1e-4


def test_the_lines_say_how_much_was_removed(tmp_path: Path, bent: Path) -> None:
    result = mvps("flatten", bent, "--out", tmp_path / "flat", "--degree", 1)

    assert "degrees removed on average" in result.stdout.replace("\n", " ")
    assert "1 flattened, 0 failed" in result.stderr


def test_what_a_run_wrote_is_flattened_as_it_stands(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw" / "part", bumps(64, 48))
    assert mvps("normals", tmp_path / "raw", tmp_path / "out").returncode == 0

    result = mvps("flatten", tmp_path / "out", "--out", tmp_path / "flat", "--degree", 0, "--json")

    assert result.returncode == 0
    assert (tmp_path / "flat" / "part" / "normals.tif").is_file()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "--degree"),
        (["--degree", "4"], "4 is none of 0, 1, 2"),
        (["--degree", "1", "--reference", "bent.npy"], "one of --degree and --reference"),
        (["--reference", "nowhere.npy"], "nowhere.npy: no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, bent: Path, words: list[str], fault: str
) -> None:
    result = mvps("flatten", bent, "--out", tmp_path / "flat", *words)

    assert result.returncode == 2
    assert fault in only_error(result)
    assert not (tmp_path / "flat").exists()


def test_a_broken_map_among_others_is_exit_code_1(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_diligent(tmp_path / "raw" / name, bumps(32, 32))
    assert mvps("normals", tmp_path / "raw", tmp_path / "out").returncode == 0
    (tmp_path / "out" / "a" / "normals.tif").write_bytes(b"II*\0")

    result = mvps("flatten", tmp_path / "out", "--out", tmp_path / "flat", "--degree", 0)

    assert result.returncode == 1
    assert "normals.tif" in only_error(result)
    assert (tmp_path / "flat" / "b" / "normals.tif").is_file()
