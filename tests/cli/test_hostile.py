"""Names, signals and files that do not behave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from running import mvps, only_error
from scenes import bumps, write_diligent, write_directions, write_many

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")


@pytest.mark.parametrize("name", ["[/red]", "[red]x", ":bug:", "a b", "ünïcode", "new\nline"])
def test_odd_folder_names_are_only_names(tmp_path: Path, name: str) -> None:
    scene = bumps(20, 20)
    write_diligent(tmp_path / "raw" / name, scene)
    truth = tmp_path / "truth" / f"{name}.npy"
    truth.parent.mkdir(parents=True)
    np.save(truth, scene.normals.astype(np.float32))

    solved = mvps("normals", tmp_path / "raw", tmp_path / "out")
    judged = mvps("evaluate", "normals", tmp_path / "out", "--truth", tmp_path / "truth")
    planned = mvps("normals", tmp_path / "raw", tmp_path / "none", "--dry-run")

    assert (solved.returncode, judged.returncode, planned.returncode) == (0, 0, 0)
    assert name.partition("\n")[0] in judged.stdout
    assert name in planned.stdout


@posix
def test_a_name_that_is_not_utf8_stops_nothing(tmp_path: Path) -> None:
    for name in (b"bad\xff", b"good"):
        write_diligent(tmp_path / "raw" / os.fsdecode(name), bumps(20, 20))

    result = mvps("normals", tmp_path / "raw", tmp_path / "out", "--json")

    assert result.returncode == 0
    assert [entry["status"] for entry in json.loads(result.stdout)["results"]] == ["done", "done"]
    again = mvps("normals", tmp_path / "raw", tmp_path / "out", "--json")
    assert {entry["status"] for entry in json.loads(again.stdout)["results"]} == {"skipped"}


@posix
def test_a_pipe_named_as_an_image_does_not_hang(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(20, 20))
    (tmp_path / "raw" / "002.tif").unlink()
    os.mkfifo(tmp_path / "raw" / "002.tif")

    result = mvps("normals", tmp_path / "raw", tmp_path / "out")

    assert result.returncode == 2
    assert "002.tif" in only_error(result)


@posix
def test_an_end_from_outside_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_many(tmp_path / "raw", 40)
    out = tmp_path / "out"
    words = ["normals", str(tmp_path / "raw"), str(out), "--format", "png16"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mvps", *words], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("*/stack.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "interrupted" in messages
    assert not list(out.rglob("*.part"))


def test_maps_may_not_be_written_among_the_photographs(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw" / "s1", bumps(20, 20))

    result = mvps("normals", tmp_path / "raw", tmp_path / "raw")
    below = mvps("normals", tmp_path / "raw" / "s1", tmp_path / "raw" / "s1" / ".." / "s1")
    among = mvps("normals", tmp_path / "raw", tmp_path / "raw" / "s1")

    assert (result.returncode, below.returncode, among.returncode) == (2, 2, 2)
    assert not list((tmp_path / "raw").rglob("manifest.jsonl"))


def test_a_capture_that_was_written_into_is_named_not_passed_over(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_diligent(tmp_path / "raw" / name, bumps(20, 20))
    (tmp_path / "raw" / "a" / "manifest.jsonl").write_text("")

    result = mvps("normals", tmp_path / "raw", tmp_path / "out")

    assert result.returncode == 1
    assert "remove its manifest.jsonl" in only_error(result)


def test_a_folder_with_two_light_files_is_not_solved_with_a_third(tmp_path: Path) -> None:
    scene = bumps(20, 20)
    write_diligent(tmp_path / "a" / "raw", scene)
    for name in ("x.lp", "y.lp"):
        (tmp_path / "a" / "raw" / name).write_text("1\n001.tif 0 0 1\n")
    write_directions(tmp_path, scene.directions)

    result = mvps("normals", tmp_path / "a" / "raw", tmp_path / "out")

    assert result.returncode == 2
    assert "light descriptions" in only_error(result)


def test_lights_from_above_the_capture_are_announced(tmp_path: Path) -> None:
    scene = bumps(20, 20)
    write_diligent(tmp_path / "a" / "raw", scene)
    lights = "light_directions.txt"
    (tmp_path / "a" / "raw" / lights).rename(tmp_path / "a" / lights)

    result = mvps("normals", tmp_path / "a" / "raw", tmp_path / "out")

    assert result.returncode == 0
    assert "lights taken from above" in result.stderr


@pytest.mark.parametrize("words", [["", "out"], ["raw", ""]])
def test_an_empty_name_is_not_the_current_folder(tmp_path: Path, words: list[str]) -> None:
    write_diligent(tmp_path / "raw", bumps(20, 20))

    result = subprocess.run(
        [sys.executable, "-m", "mvps", "normals", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert "the name is empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_numpy_map_is_judged_in_the_convention_it_was_written_in(tmp_path: Path) -> None:
    scene = bumps(20, 20)
    write_diligent(tmp_path / "raw", scene)
    np.save(tmp_path / "truth.npy", scene.normals.astype(np.float32))
    mvps(
        *("normals", tmp_path / "raw", tmp_path / "out"),
        *("--format", "npy", "--convention", "opencv"),
    )

    result = mvps(
        "evaluate", "normals", tmp_path / "out", "--truth", tmp_path / "truth.npy", "--json"
    )

    assert json.loads(result.stdout)[0]["max"] < 0.01


def test_a_truth_that_is_missing_does_not_hide_the_others(tmp_path: Path) -> None:
    scene = bumps(20, 20)
    (tmp_path / "truth").mkdir()
    for name in ("a", "b"):
        write_diligent(tmp_path / "raw" / name, scene)
    np.save(tmp_path / "truth" / "a.npy", scene.normals.astype(np.float32))
    mvps("normals", tmp_path / "raw", tmp_path / "out")

    result = mvps("evaluate", "normals", tmp_path / "out", "--truth", tmp_path / "truth", "--json")

    assert result.returncode == 1
    assert [entry["stack"] for entry in json.loads(result.stdout)] == ["a"]
    assert "b" in only_error(result)
