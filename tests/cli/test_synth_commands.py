"""``mvps synth`` as a user meets it: captures that other commands read, plans, the catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from running import mvps

from mvps.lights import LightRig
from mvps.lights.yaml_format import write_light_yaml

pytest.importorskip("mitsuba", reason="rendering needs the extra 'synth'")


def rendered(out: Path, *words: object) -> dict:
    result = mvps("synth", "capture", *words, out, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def medians(capture: Path, out: Path, *words: object) -> dict[str, float]:
    """Median angular error by stack, in degrees, of the maps that mvps normals makes."""
    solved = mvps("normals", capture, out, *words)
    assert solved.returncode == 0, solved.stderr
    judged = mvps("evaluate", "normals", out, "--truth", capture / "truth", "--json")
    assert judged.returncode == 0, judged.stderr
    return {entry["stack"]: entry["median"] for entry in json.loads(judged.stdout)}


def test_a_matt_part_without_noise_gives_its_true_normals_back(tmp_path: Path) -> None:
    words = ("cap", "--material", "lambertian", "--no-noise", "--bits", 16, "--size", 160)
    done = rendered(tmp_path / "shot", *words, "--views", "top,left")
    assert done["views"] == ["top", "left"]
    for name, median in medians(tmp_path / "shot", tmp_path / "out").items():
        assert median < 0.05, name  # what the requirement states


def test_a_black_level_is_taken_off_by_the_dark_frame_beside(tmp_path: Path) -> None:
    words = ("cap", "--material", "lambertian", "--size", 96, "--views", "top")
    rendered(tmp_path / "shot", *words, "--black-level", 200, "--no-noise")
    raw = tifffile.imread(tmp_path / "shot" / "top" / "L01.tif")
    assert raw.min() >= 200
    # 12 bits, whose steps are worth about 0.1 degrees at a tenth of full scale.
    assert medians(tmp_path / "shot", tmp_path / "out")["top"] < 0.15


def test_a_capture_of_a_published_camera_carries_its_calibration(tmp_path: Path) -> None:
    from mvps.calib import published_cameras, read_camera

    words = ("block", "--views", "cam2", "--size", "256x188", "--samples", 2, "--seed", 1)
    mvps("synth", "capture", *words[:1], tmp_path / "shot", *words[1:])
    written = read_camera(tmp_path / "shot" / "calib" / "cam2.yml")
    published = read_camera(published_cameras()["cam2"])
    assert written.image_size == (256, 188)
    assert np.allclose(written.distortion, published.distortion)
    mask = cv2.imread(str(tmp_path / "shot" / "truth" / "cam2" / "mask.png"), -1) > 0
    rows, columns = np.nonzero(mask)
    assert abs(columns.mean() - 128) < 30  # the part stands where the camera looks
    assert abs(rows.mean() - 94) < 40
    assert medians(tmp_path / "shot", tmp_path / "out")["cam2"] < 10


def test_truth_and_record_say_what_was_rendered(tmp_path: Path) -> None:
    words = ("block", "--views", "top", "--size", 128, "--samples", 2, "--defect", "dent")
    done = rendered(tmp_path / "shot", *words, "--seed", 3)
    truth = tmp_path / "shot" / "truth" / "top"
    names = {path.name for path in truth.iterdir()}
    maps = {"normals", "depth", "height", "albedo", "shadow", "highlight"}
    assert names == {f"{name}.tif" for name in maps} | {"mask.png", "defect.png"}
    height, part = tifffile.imread(truth / "height.tif"), cv2.imread(str(truth / "mask.png"), -1)
    assert np.nanmax(height[part > 0]) == pytest.approx(5.0, abs=0.05)  # the block's height
    assert tifffile.imread(truth / "shadow.tif").shape == (4, 128, 128)
    record = json.loads((tmp_path / "shot" / "capture.json").read_text())
    assert record["defects"] == done["defects"]
    assert record["defects"][0]["kind"] == "dent"
    assert record["options"]["seed"] == 3


def test_rgb_stacks_and_other_lights_are_rendered_as_asked(tmp_path: Path) -> None:
    lights = tmp_path / "ring.lp"
    lights.write_text("5\na 0.5 0 0.866\nb 0 0.5 0.866\nc -0.5 0 0.866\nd 0 -0.5 0.866\ne 0 0 1\n")
    words = ("washer", "--views", "top", "--size", "96x64", "--samples", 2, "--lights", lights)
    assert rendered(tmp_path / "shot", *words, "--colour")["lights"] == 5
    assert tifffile.imread(tmp_path / "shot" / "top" / "L05.tif").shape == (64, 96, 3)
    assert medians(tmp_path / "shot", tmp_path / "out")["top"] < 5


def test_the_catalogue_lists_parts_and_shapes() -> None:
    result = mvps("synth", "parts", "--json")
    assert result.returncode == 0, result.stderr
    found = {entry["name"]: entry for entry in json.loads(result.stdout)}
    assert found["block"]["size_mm"] == [16.0, 12.0, 5.0]
    assert found["jst_header"]["kind"] == "part"
    assert found["jst_header"]["pins"] == 4


def test_a_plan_is_a_table_a_file_and_one_document(tmp_path: Path) -> None:
    words = ("block", "--lights", "4", "--elevation", "45", "--light-error", "0,1", "--size", 64)
    result = mvps("synth", "plan", *words, "--json", "--csv", tmp_path / "plan.csv")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert [row["light_error"] for row in rows] == [0.0, 1.0]
    assert len((tmp_path / "plan.csv").read_text().splitlines()) == 3


def test_help_of_the_program_stays_free_of_the_renderer() -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.argv = ['mvps', '--help']\n"
        "from mvps.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not {'mitsuba', 'drjit', 'trimesh', 'cv2'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_lamps_near_the_part_come_back_through_the_rig_file_alone(tmp_path: Path) -> None:
    """rig.yml says how far the part is: taken as distant, the same lamps err by degrees."""
    turn = np.radians(np.arange(0, 360, 60))
    places = np.stack([120 * np.cos(turn), 120 * np.sin(turn), np.full(6, -20.0)], axis=1)
    towards = places - [0, 0, -300]
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    names = tuple(f"lamp_{k}" for k in range(6))
    rig = LightRig(towards, np.ones(6), positions=places, names=names)
    write_light_yaml(rig, tmp_path / "near.yml")
    words = ("--views", "top", "--size", 128, "--no-noise", "--material", "lambertian")
    made = mvps(
        "synth", "capture", "cap", tmp_path / "shot", "--lights", tmp_path / "near.yml", *words
    )
    assert made.returncode == 0, made.stderr
    solved = mvps("normals", tmp_path / "shot", tmp_path / "out")
    assert solved.returncode == 0, solved.stderr
    truth = tmp_path / "shot" / "truth"
    judged = mvps("evaluate", "normals", tmp_path / "out", "--truth", truth, "--json")
    (comparison,) = json.loads(judged.stdout)
    assert comparison["median"] < 0.5
