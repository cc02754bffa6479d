"""``mvps lights show``, ``convert`` and ``check`` on light files, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from captures import DIRECTIONS, lp, numbered
from running import mvps, only_error

from mvps.lights import read_lights

SAMPLE = Path(__file__).resolve().parents[2] / "examples/sample_capture"
TOP = SAMPLE / "lights/top.lp"


def written(folder: Path, rows=DIRECTIONS) -> Path:
    path = folder / "a.lp"
    path.write_text(lp(numbered(len(rows)), rows), "utf-8")
    return path


def test_show_gives_a_table_figures_and_a_picture(tmp_path):
    pytest.importorskip("matplotlib")

    result = mvps("lights", "show", TOP, "--plot", tmp_path / "lights.png")

    assert result.returncode == 0
    assert "L01.png" in result.stdout
    assert "condition number 1.56" in result.stdout
    assert "per 1% image noise" in result.stdout
    assert (tmp_path / "lights.png").is_file()


def test_show_gives_one_json_document(tmp_path):
    document = json.loads(mvps("lights", "show", written(tmp_path), "--json").stdout)

    assert document["format"] == "RTI .lp"
    # asin(.8) for all, and every eighth of a turn.
    assert document["lights"][2]["elevation_degrees"] == pytest.approx(53.1301, abs=1e-4)
    assert document["lights"][2]["azimuth_degrees"] == pytest.approx(90)
    assert document["findings"] == []


def test_show_warns_of_what_is_odd(tmp_path):
    result = mvps("lights", "show", written(tmp_path, DIRECTIONS[:5]))

    assert result.returncode == 0
    assert "no light between the azimuths 180 and 0 degrees" in result.stderr


def test_convert_says_what_is_lost_and_stops(tmp_path):
    out = tmp_path / "out"

    refused = mvps("lights", "convert", TOP, "--to", "diligent", out)
    allowed = mvps("lights", "convert", TOP, out, "--to", "diligent", "--allow-loss", "--json")

    assert refused.returncode == 2
    assert "cannot hold the names of the images; pass --allow-loss" in only_error(refused)
    assert allowed.returncode == 0
    document = json.loads(allowed.stdout)
    assert document["lost"] == ["the names of the images"]
    assert [Path(f).name for f in document["files"]] == [
        "light_directions.txt",
        "light_intensities.txt",
    ]
    assert (read_lights(out).directions == read_lights(TOP).directions).all()


def test_convert_keeps_what_is_there(tmp_path):
    out = tmp_path / "top.yml"
    words = ("lights", "convert", TOP, out, "--to", "yaml")

    assert mvps(*words).returncode == 0
    assert "top.yml: is there already; pass --overwrite" in only_error(mvps(*words))
    assert mvps(*words, "--overwrite").returncode == 0
    assert read_lights(out).names == read_lights(TOP).names


def test_check_of_a_file_exits_with_0_for_good_lights_and_for_warnings(tmp_path):
    good = mvps("lights", "check", TOP)
    poor = mvps("lights", "check", written(tmp_path, DIRECTIONS[:5]))

    assert (good.returncode, poor.returncode) == (0, 0)
    assert "nothing to remark" in good.stdout
    assert "no light between" in poor.stderr


def test_check_of_a_file_exits_with_1_for_an_error_and_2_for_no_file(tmp_path):
    result = mvps("lights", "check", written(tmp_path, DIRECTIONS[[0, 4]]), "--json")

    assert result.returncode == 1
    assert [f["code"] for f in json.loads(result.stdout)["geometry"]] == ["K-MIN"]
    assert mvps("lights", "check", tmp_path / "none.lp").returncode == 2


def test_check_of_a_file_may_ask_a_capture_as_well(tmp_path):
    result = mvps("lights", "check", TOP, "--images", SAMPLE, "--json")

    document = json.loads(result.stdout)
    assert document["geometry"] == []
    assert document["stacks"][0]["lights"] == str(TOP)


def test_check_of_a_capture_says_what_is_odd_about_its_geometry(tmp_path):
    from scenes import bumps, write_directions, write_image

    scene = bumps(64, 64, 8)
    for k in range(5):
        write_image(tmp_path / f"{k + 1}.png", scene.images()[k])
    write_directions(tmp_path, scene.directions[:5])

    result = mvps("lights", "check", tmp_path, "--json")

    codes = [finding["code"] for finding in json.loads(result.stdout)["geometry"]]
    assert codes == ["GAP"]
    assert "no light between the azimuths 180 and 0" in result.stderr


def test_images_go_with_a_file_only(tmp_path):
    error = only_error(mvps("lights", "check", SAMPLE, "--images", SAMPLE))

    assert "--images: goes with a light file" in error
