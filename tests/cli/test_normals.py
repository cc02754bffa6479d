"""``mvps normals`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running import mvps, only_error
from scenes import bumps, write_diligent, write_image

ROOT = Path(__file__).resolve().parents[2]


def test_no_flags_do_the_right_thing_and_say_where_to_look(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(64, 48))

    result = mvps("normals", tmp_path / "raw", tmp_path / "out")

    assert result.returncode == 0
    assert result.stdout == ""
    assert "1 stack of 6 lights" in result.stderr
    assert "1 stack done" in result.stderr
    assert str(tmp_path / "out" / "preview.png") in result.stderr.replace("\n", "")
    assert "\x1b" not in result.stderr


def test_json_stands_alone_on_stdout(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw" / "a", bumps(64, 48))

    result = mvps("normals", tmp_path / "raw", tmp_path / "out", "--json")
    document = json.loads(result.stdout)

    assert [entry["status"] for entry in document["results"]] == ["done"]
    assert document["failures"] == []


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw" / "a", bumps(64, 48))

    result = mvps("normals", tmp_path / "raw", tmp_path / "out", "--dry-run")
    plan = json.loads(
        mvps("normals", tmp_path / "raw", tmp_path / "out", "--dry-run", "--json").stdout
    )

    assert result.returncode == 0
    assert "6 lights" in result.stdout
    assert not (tmp_path / "out").exists()
    assert (plan["stacks"][0]["width"], plan["stacks"][0]["height"]) == (48, 64)


def test_a_bad_stack_gives_one_line_and_exit_code_1(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw" / "a", bumps(64, 48))
    write_diligent(tmp_path / "raw" / "b", bumps(64, 48))
    broken = tmp_path / "raw" / "b" / "003.tif"
    broken.write_bytes(broken.read_bytes()[:3000])

    result = mvps("normals", tmp_path / "raw", tmp_path / "out")

    assert result.returncode == 1
    assert str(broken) in only_error(result)
    assert (tmp_path / "out" / "a" / "normals.tif").is_file()
    assert "1 failed" in result.stderr


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda raw: (raw / "light_directions.txt").write_text("0 0 1\n0.6 0 0.8\n"), "2 lights"),
        (lambda raw: (raw / "002.tif").unlink(), "5 images"),
        (lambda raw: (raw / "002.tif").write_text("hello"), "002.tif"),
        (lambda raw: write_image(raw / "002.tif", np.ones((9, 9), np.uint16)), "9x9"),
        (lambda raw: (raw / "light_directions.txt").write_text("0,6 0 0,8\n" * 6), "comma"),
    ],
)
def test_when_nothing_can_be_solved_the_exit_code_is_2(
    tmp_path: Path, break_it: object, words: str
) -> None:
    raw = tmp_path / "raw"
    write_diligent(raw, bumps(64, 48))
    break_it(raw)  # type: ignore[operator]

    result = mvps("normals", raw, tmp_path / "out")

    assert result.returncode == 2
    assert words in only_error(result)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--roi", "1,2,3"], "--roi"),
        (["--roi", "0,0,900,900"], "--roi"),
        (["--bin", "0"], "--bin"),
        (["--grey", "luminence"], "did you mean 'luminance'?"),
        (["--format", "tif"], "did you mean 'tiff'?"),
        (["--saturation", "250"], "fraction of full scale"),
        (["--bits", "12"], "align"),
        (["--bits", "12", "--align", "middle"], "neither right nor left"),
        (["--raw-packing", "mono12p"], "--raw-size"),
        (["--device", "cuda"], "CuPy"),
        (["--device", "tpu"], "tpu"),
        (["--response", "nowhere.txt"], "nowhere.txt"),
        (["--mask", "nowhere.png"], "nowhere.png"),
        (["--lights", "nowhere.lp"], "nowhere.lp"),
        (["--flat", "flat{lihgt}.tif"], "lihgt"),
        (["--max-pixels", "100"], "max"),
    ],
)
def test_a_bad_option_names_itself(tmp_path: Path, words: list[str], fault: str) -> None:
    write_diligent(tmp_path / "raw", bumps(64, 48))

    result = mvps("normals", tmp_path / "raw", tmp_path / "out", *words)

    assert result.returncode == 2
    assert fault in only_error(result)


def test_images_without_lights_are_passed_over_aloud(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw" / "a", bumps(64, 48))
    write_diligent(tmp_path / "raw" / "b", bumps(64, 48))
    (tmp_path / "raw" / "b" / "light_directions.txt").unlink()

    result = mvps("normals", tmp_path / "raw", tmp_path / "out")

    assert result.returncode == 0
    assert "1 folder with images but without lights passed over: b" in result.stderr


def test_the_output_may_not_be_the_capture(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(64, 48))

    result = mvps("normals", tmp_path / "raw", tmp_path / "raw" / ".." / "raw")

    assert result.returncode == 2
    assert "is the capture itself" in only_error(result)


def test_maps_inside_the_capture_are_not_taken_for_photographs(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(64, 48))

    for _ in range(2):
        result = mvps("normals", tmp_path / "raw", tmp_path / "raw" / "out", "--overwrite")
        assert result.returncode == 0
        assert "1 stack done" in result.stderr


def test_without_the_compiled_core_the_maps_are_the_same(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(64, 48))

    mvps("normals", tmp_path / "raw", tmp_path / "a", "--format", "npy")
    mvps("normals", tmp_path / "raw", tmp_path / "b", "--format", "npy", MVPS_NATIVE="off")

    a, b = (np.load(tmp_path / name / "normals.npy") for name in "ab")
    assert np.abs(a - b).max() < 2e-6


def test_help_and_import_stay_light() -> None:
    probe = (
        "import sys, mvps, mvps.cli; mvps.cli._command();"
        "print([m for m in ('torch', 'cupy', 'cv2', 'tifffile', 'imagecodecs', 'scipy')"
        " if m in sys.modules])"
    )
    seen = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    help_text = mvps("--help")

    assert seen.stdout.strip() == "[]"
    assert help_text.returncode == 0
    assert "normals" in help_text.stdout


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    result = mvps("normal", "a", "b")

    assert result.returncode == 2
    assert "normals" in result.stderr


def test_the_sample_capture_is_as_right_as_its_readme_says(tmp_path: Path) -> None:
    sample = ROOT / "examples" / "sample_capture"
    assert mvps("normals", sample, tmp_path).returncode == 0

    result = mvps("evaluate", "normals", tmp_path, "--truth", sample / "truth", "--json")
    found = {entry["stack"]: entry for entry in json.loads(result.stdout)}

    assert set(found) == {f"part_01/{v}" for v in ("top", "left", "right", "front", "back")}
    assert found["part_01/top"]["median"] == pytest.approx(0.72, abs=0.01)
    assert found["part_01/top"]["mean"] == pytest.approx(5.24, abs=0.01)
    assert all(entry["missing"] == 0 for entry in found.values())
    assert (tmp_path / "part_01" / "top" / "error.png").is_file()
