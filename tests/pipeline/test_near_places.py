"""Where a part under near lights is: what states it, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from near_captures import PLACE, RIG, SIZE, STATED, failure, run
from near_scenes import DISTANCE, MM_PER_PX, errors
from running import mvps, only_error

from mvps.errors import InputError
from mvps.pipeline.near_options import NearOptions


def test_neither_camera_nor_scale_fails_the_stack_by_name(raw, tmp_path):
    message = failure(raw, tmp_path, NearOptions(distance_mm=DISTANCE))

    assert "--camera FILE or --mm-per-px" in message


def test_lamps_behind_the_stated_plane_fail_the_stack(raw, tmp_path):
    message = failure(raw, tmp_path, replace(STATED, distance_mm=60.0))

    assert "light 1 stands" in message and "behind the assumed plane" in message


def test_a_depth_map_of_another_size_fails_the_stack(raw, tmp_path):
    path = tmp_path / "depth.npy"
    np.save(path, np.full((10, 12), DISTANCE, np.float32))

    message = failure(raw, tmp_path, NearOptions(depth=str(path), mm_per_px=MM_PER_PX))

    assert "12x10 pixels, but the images have 192x144" in message


def test_a_depth_map_of_integers_fails_the_stack(raw, tmp_path):
    path = tmp_path / "depth.tif"
    tifffile.imwrite(path, np.full(SIZE[::-1], 300, np.uint16))

    message = failure(raw, tmp_path, NearOptions(depth=str(path), mm_per_px=MM_PER_PX))

    assert "no map of depths in mm" in message


def test_the_board_of_no_camera_fails_the_stack(raw, tmp_path):
    message = failure(raw, tmp_path, NearOptions("plane", plane="board"))

    assert "--plane board" in message and "no camera" in message


@pytest.mark.parametrize(
    ("mode", "what"), [("plane", "needs the place of the part"), ("depth", "needs the map")]
)
def test_a_mode_without_what_it_needs_fails_the_stack(raw, tmp_path, mode, what):
    assert what in failure(raw, tmp_path, NearOptions(mode))


def test_the_rig_file_states_the_place_of_a_view(raw, ball, tmp_path):
    _, stated, _ = run(raw, tmp_path / "stated", STATED)
    (raw / "rig.yml").write_text(RIG + PLACE)

    result, normals, record = run(raw, tmp_path / "out", NearOptions())

    assert result.warnings == ()
    np.testing.assert_array_equal(normals, stated)
    assert record["solver"]["near"]["mode"] == "surface"
    # A changed place is another run.
    (raw / "rig.yml").write_text(RIG + PLACE.replace("300.0", "301.0"))
    assert run(raw, tmp_path / "out", NearOptions())[0].status == "done"
    assert run(raw, tmp_path / "out", NearOptions())[0].status == "skipped"
    (raw / "rig.yml").write_text(RIG + PLACE + "      intensities: reference\n")
    assert run(raw, tmp_path / "out", NearOptions())[0].status == "done"


def test_the_command_line_overrides_the_rig_file(raw, ball, tmp_path):
    np.save(raw / "depth.npy", ball.depth.astype(np.float32))
    wrong = "    near:\n      depth: depth.npy\n      mm_per_px: 9\n      intensities: reference\n"
    (raw / "rig.yml").write_text(RIG + wrong)

    _, normals, record = run(raw, tmp_path / "out", replace(STATED, intensities="lamp"))
    mapped = NearOptions(mm_per_px=MM_PER_PX, intensities="lamp")
    _, given, other = run(raw, tmp_path / "given", mapped)

    assert record["solver"]["near"]["mode"] == "surface"
    assert errors(normals, ball, ball.mask).max() < 0.3
    assert other["solver"]["near"]["mode"] == "depth"
    assert errors(given, ball, ball.mask).max() < 0.03
    assert "near" not in run(raw, tmp_path / "off", NearOptions("off"))[2]["solver"]


def test_a_depth_map_that_the_rig_file_names_and_is_not_there_is_one_line(raw, tmp_path):
    (raw / "rig.yml").write_text(
        RIG + "    near:\n      depth: '{sample}/d.tif'\n      mm_per_px: 1\n"
    )

    assert "d.tif: no such file" in failure(raw, tmp_path, NearOptions())


def test_a_plane_of_the_rig_file_that_cannot_be_is_named_by_its_line(raw, tmp_path):
    lean = "    near:\n      distance_mm: 300\n      plane: [89, 0]\n      mm_per_px: 1\n"
    (raw / "rig.yml").write_text(RIG + lean)

    message = failure(raw, tmp_path, NearOptions())

    assert "rig.yml, line 8: views.top.near: is seen edge-on" in message


def test_a_solver_that_near_lights_do_not_know_fails_the_stack(raw, tmp_path):
    assert "use ls or gated" in failure(raw, tmp_path, STATED, solver="irls")


@pytest.mark.parametrize(
    ("near", "what"),
    [
        ({"mode": "far"}, "--near: 'far' is none of"),
        ({"mode": "plane", "depth": "d.tif"}, "goes with --near depth"),
        ({"distance_mm": -3.0}, "--distance-mm"),
        ({"distance_mm": float("nan")}, "--distance-mm"),
        ({"mm_per_px": 0.0}, "--mm-per-px"),
        ({"plane": "10,20"}, "tilt but no distance"),
        ({"plane": "10", "distance_mm": 9.0}, "neither board nor TILT,AZIMUTH"),
        ({"plane": "89,0", "distance_mm": 9.0}, "edge-on"),
        ({"plane": "board", "distance_mm": 9.0}, "has its own distance"),
        ({"mode": "plane", "distance_mm": 9.0, "refine": True}, "is for --near surface"),
        ({"intensities": "watts"}, "--near-intensities"),
    ],
)
def test_words_that_contradict_each_other_are_refused(near, what):
    with pytest.raises(InputError, match=what):
        NearOptions(**near)


def test_the_command_line_knows_the_words(raw, tmp_path):
    words = ["--distance-mm", DISTANCE, "--mm-per-px", MM_PER_PX, "--near", "plane"]
    done = mvps("normals", raw, tmp_path / "out", *words, "--plane", "0,0")
    wrong = mvps("normals", raw, tmp_path / "out", "--near", "plane")

    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "part" / "top" / "stack.json").read_text())
    assert record["options"]["near"]["distance_mm"] == DISTANCE
    assert wrong.returncode == 2
    assert "--distance-mm D or --plane board" in only_error(wrong)
