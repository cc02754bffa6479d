"""``mvps lights`` with files, names, terminals and places that do not behave."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from running import mvps, only_error

LP = "3\na.png 0.6 0 0.8\nb.png -0.6 0 0.8\nc.png 0 0.6 0.8\n"
NEAR = """\
version: 1
lights:
  - {position: [200, 0, 300], axis: [-0.6, 0, -0.8], mu: 1}
  - {position: [-200, 0, 300], axis: [0.6, 0, -0.8], mu: 1}
  - {position: [0, 200, 300], axis: [0, -0.6, -0.8], mu: 2}
"""


@pytest.fixture
def lights(tmp_path: Path) -> Path:
    path = tmp_path / "top.lp"
    path.write_text(LP, encoding="utf-8")
    return path


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")
@pytest.mark.parametrize("command", ["show", "check"])
def test_a_pipe_named_as_a_light_file_does_not_hang(tmp_path, command):
    os.mkfifo(tmp_path / "top.lp")

    result = mvps("lights", command, tmp_path / "top.lp")

    assert result.returncode == 2
    assert "not a regular file" in only_error(result)


def test_positions_that_are_not_finite_are_said_to_be(tmp_path):
    savemat = pytest.importorskip("scipy.io").savemat
    savemat(tmp_path / "light.mat", {"S": np.full((4, 3), np.nan)})

    line = only_error(mvps("lights", "check", tmp_path / "light.mat"))

    assert "S holds a value that is not finite" in line


def test_a_table_of_commas_is_told_what_parts_numbers(tmp_path):
    (tmp_path / "lights.csv").write_text("x,y,z\n0,0,1\n", encoding="utf-8")

    line = only_error(mvps("lights", "show", tmp_path / "lights.csv"))

    assert "line 1: 'x,y,z' holds a comma, separate numbers by white space" in line


@pytest.mark.parametrize("through", ["itself", "a link"])
def test_the_lights_that_are_read_are_never_replaced(lights, through):
    target = lights
    if through == "a link":
        target = lights.with_name("link.yml")
        target.symlink_to(lights)

    result = mvps(
        "lights", "convert", lights, target, "--to", "yaml", "--overwrite", "--allow-loss"
    )

    assert result.returncode == 2
    assert "is a file that the lights are read from" in only_error(result)
    assert lights.read_text("utf-8") == LP


def test_the_intensities_of_a_pair_are_never_replaced(tmp_path):
    (tmp_path / "light_directions.txt").write_text("0.6 0 0.8\n-0.6 0 0.8\n0 0.6 0.8\n", "utf-8")
    table = tmp_path / "light_intensities.txt"
    table.write_text("1\n2\n3\n", "utf-8")

    result = mvps("lights", "convert", tmp_path, table, "--to", "yaml", "--overwrite")

    assert result.returncode == 2
    assert table.read_text("utf-8") == "1\n2\n3\n"


def test_a_folder_a_broken_link_and_a_dash_are_no_files_to_write(lights):
    folder, link = lights.with_name("folder"), lights.with_name("broken.yml")
    folder.mkdir()
    link.symlink_to("nowhere")
    words = ("--to", "yaml")

    results = [
        mvps("lights", "convert", lights, folder, *words, "--overwrite"),
        mvps("lights", "convert", lights, link, *words),
        mvps("lights", "convert", lights, "-", *words),
    ]

    assert [result.returncode for result in results] == [2, 2, 2]
    assert "is a folder" in only_error(results[0])
    assert "is there already" in only_error(results[1])
    assert "standard output" in only_error(results[2])


def test_a_narrow_terminal_loses_no_figure_of_a_near_light(tmp_path):
    (tmp_path / "near.yml").write_text(NEAR, encoding="utf-8")

    shown = mvps("lights", "show", tmp_path / "near.yml", COLUMNS="60").stdout

    line = next(line for line in shown.splitlines() if " 200 0 300 " in line)
    row = [cell.strip() for cell in line.strip("│").split("│")]
    assert row == ["1", "0.00", "56.31", "1", "200 0 300", "-0.6 0 -0.8", "1"]


def test_a_frame_that_cannot_be_read_was_not_subtracted(tmp_path, lights):
    tifffile = pytest.importorskip("tifffile")
    white = tmp_path / "white"
    white.mkdir()
    for name in "abc":
        tifffile.imwrite(white / f"{name}.tif", np.full((40, 60), 30000, np.uint16))

    result = mvps("lights", "flat", white, tmp_path / "out", "--dark", tmp_path / "none.tif")

    assert result.returncode == 2
    assert "none.tif: no such file" in only_error(result)
    assert "subtracted" not in result.stderr


def test_a_colour_photograph_among_grey_ones_is_named(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    y, x = np.mgrid[:120, :160]
    ball = (np.hypot(x - 80, y - 60) < 40) * np.uint8(60) + np.uint8(20)
    for row in range(4):
        tifffile.imwrite(tmp_path / f"L{row}.tif", ball)
    tifffile.imwrite(tmp_path / "rgb.tif", np.stack([ball] * 3, axis=-1))

    result = mvps("lights", "sphere", tmp_path, "--ball", "80,60,40", "--json")

    assert result.returncode == 2
    assert "rgb.tif: 3 channels, but L0.tif has 1" in json.loads(result.stdout)["error"]
