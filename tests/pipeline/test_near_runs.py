"""Runs under near lights: rendered captures on disk to normal maps."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from near_captures import SIZE, STATED, run, write_capture
from near_scenes import DISTANCE, MM_PER_PX, camera, errors, lamps, plane_scene, sight, sphere_scene

from mvps.capture import Overrides
from mvps.images import Window
from mvps.lights.yaml_format import write_light_yaml
from mvps.pipeline.near_options import NearOptions
from mvps.pipeline.options import RunOptions, Schedule
from mvps.pipeline.plan import make_plan
from mvps.pipeline.run import run_plan
from mvps.pipeline.stream import CancelledError, Job, run_stack
from mvps.stereo import get_backend
from mvps.stereo.near_view import Plane
from mvps.surface import near_surface
from mvps.surface.near import solve_near


def test_the_surface_is_found_once_the_distance_is_stated(raw, ball, tmp_path):
    result, normals, record = run(raw, tmp_path / "out", STATED)

    assert result.warnings == ()
    assert errors(normals, ball, ball.mask).max() < 0.3
    near = record["solver"]["near"]
    assert near["mode"] == "surface" and near["surface"]["converged"]
    assert near["positions_mm"] == ball.rig.positions.tolist()


def test_without_a_distance_the_lights_are_distant_and_a_warning_names_the_option(
    raw, ball, tmp_path
):
    result, normals, record = run(raw, tmp_path / "out", NearOptions())

    (warning,) = [w for w in result.warnings if "positions" in w]
    assert "--distance-mm" in warning and "--near off" in warning
    assert "near" not in record["solver"]
    assert errors(normals, ball, ball.mask).mean() > 3


def test_strips_and_cells_give_what_arrays_give(raw, ball, tmp_path, monkeypatch):
    monkeypatch.setattr(near_surface, "CELLS", 2000)  # of 4 px, in strips of 64, 64 and 16 rows
    images = np.stack([tifffile.imread(path) for path in sorted((raw / "part").iterdir())])

    _, normals, record = run(raw, tmp_path / "out", STATED)

    whole = solve_near(images, ball.rig, ball.view, mask=ball.mask)
    assert record["solver"]["near"]["surface"]["cell_px"] == whole.surface.cell == 4
    np.testing.assert_allclose(normals, whole.solution.normals, rtol=0, atol=1e-6)


def test_off_is_distant_without_a_word(raw, ball, tmp_path):
    result, normals, _ = run(raw, tmp_path / "out", replace(STATED, mode="off"))

    assert not [warning for warning in result.warnings if "positions" in warning]
    assert errors(normals, ball, ball.mask).mean() > 3


def test_the_plane_alone_takes_one_pass(raw, ball, tmp_path):
    _, normals, record = run(raw, tmp_path / "out", replace(STATED, mode="plane"))

    assert record["solver"]["near"]["surface"] is None
    # Measured: 0.26 in the mean; the ball rises by 4.5 mm from the plane that is assumed.
    assert 0.1 < errors(normals, ball, ball.mask).mean() < 0.3


@pytest.mark.parametrize("name", ["depth.tif", "depth.npy"])
def test_a_depth_map_gives_the_normals_to_the_rounding_of_samples(raw, ball, tmp_path, name):
    path = tmp_path / name
    depth = ball.depth.astype(np.float32)
    np.save(path, depth) if path.suffix == ".npy" else tifffile.imwrite(path, depth)

    _, normals, record = run(
        raw, tmp_path / "out", NearOptions(depth=str(path), mm_per_px=MM_PER_PX)
    )

    assert record["solver"]["near"]["mode"] == "depth"
    # 16 bit: half a step is 8e-6 of white, of samples from 0.04 on.
    assert errors(normals, ball, ball.mask).max() < 0.03


def test_a_camera_region_and_bins_see_the_same_part(tmp_path):
    seen_by = camera(SIZE)
    scene = plane_scene(sight(SIZE, perspective=True), lamps(mu=1.0))
    raw = write_capture(tmp_path / "raw", scene, seen_by=seen_by)
    _, normals, record = run(
        raw, tmp_path / "out", NearOptions(distance_mm=DISTANCE), roi=Window(31, 17, 120, 96), bin=3
    )

    assert normals.shape == (32, 40, 3)
    # Light bends by 1e-6 within three pixels of 0.25 mm; samples are rounded to 8e-6.
    z = np.degrees(np.arccos(np.clip(normals[..., 2], -1, 1)))
    assert z.max() < 0.1
    assert record["solver"]["near"]["lines of sight"] == "camera"


def test_the_board_of_the_camera_is_a_plane_to_assume(tmp_path):
    lean = Plane.tilted(DISTANCE, 12, 200)
    seen_by = posed(camera(SIZE), lean)
    scene = plane_scene(sight(SIZE, perspective=True), lamps(), lean)
    raw = write_capture(tmp_path / "raw", scene, seen_by=seen_by)

    _, normals, _ = run(raw, tmp_path / "out", NearOptions("plane", plane="board"))

    assert errors(normals, scene, scene.mask).max() < 0.05


@pytest.mark.parametrize("options", [{"undistort": True}, {"quality": True}])
def test_what_else_is_asked_for_changes_no_normal(tmp_path, options):
    scene = plane_scene(sight(SIZE, perspective=True), lamps(mu=1.0))
    raw = write_capture(tmp_path / "raw", scene, seen_by=camera(SIZE))

    _, plain, _ = run(raw, tmp_path / "plain", NearOptions(distance_mm=DISTANCE))
    _, other, record = run(raw, tmp_path / "other", NearOptions(distance_mm=DISTANCE), **options)

    inner = np.s_[2:-2, 2:-2]  # undistorting leaves out the border
    np.testing.assert_allclose(other[inner], plain[inner], rtol=0, atol=2e-6)
    assert ("quality.tif" in record["outputs"]["files"]) == ("quality" in options)


def posed(seen_by, plane: Plane):
    """The camera with a world whose z = 0 is the plane, z pointing away as published boards do."""
    flip = np.array([1.0, -1.0, -1.0])
    z = -np.asarray(plane.normal) * flip
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    rotation = np.stack([x, np.cross(z, x), z], axis=1)
    return replace(seen_by, rotation=rotation, translation=np.array([0, 0, plane.distance_mm]))


def test_auto_leaves_shadows_out(tmp_path):
    scene = sphere_scene(sight(SIZE, perspective=False), lamps(), cap=55.0)
    raw = write_capture(tmp_path / "raw", scene)

    _, normals, record = run(raw, tmp_path / "out", STATED, solver="auto")

    assert record["solver"]["name"] == "gated"
    assert np.median(errors(normals, scene, scene.mask)) < 0.3


def test_a_wrong_distance_is_told_and_can_be_mended(raw, ball, tmp_path):
    wrong = replace(STATED, distance_mm=DISTANCE - 9)

    told, _, _ = run(raw, tmp_path / "told", wrong)
    mended, normals, record = run(raw, tmp_path / "mended", replace(wrong, refine=True))

    (warning,) = told.warnings
    assert "mm farther" in warning and "--refine-distance" in warning
    assert mended.warnings == ()
    assert record["solver"]["near"]["plane"]["distance_mm"] == pytest.approx(DISTANCE, abs=0.2)
    assert errors(normals, ball, ball.mask).max() < 0.3


def test_a_stack_is_solved_again_when_a_lamp_has_moved(raw, ball, tmp_path):
    first, _, _ = run(raw, tmp_path / "out", STATED)
    again, _, _ = run(raw, tmp_path / "out", STATED)
    positions = ball.rig.positions.copy()
    positions[3] += [0.5, 0, 0]
    write_light_yaml(replace(ball.rig, positions=positions), raw / "lights.yml")

    moved, _, _ = run(raw, tmp_path / "out", STATED)

    assert [r.status for r in (first, again, moved)] == ["done", "skipped", "done"]


@pytest.mark.parametrize("options", [{}, {"undistort": True}, {"roi": Window(31, 17, 120, 96)}])
def test_the_depth_that_was_found_is_written(tmp_path, options):
    scene = sphere_scene(sight(SIZE, perspective=True), lamps(mu=1.0))
    raw = write_capture(tmp_path / "raw", scene, seen_by=camera(SIZE))

    _, normals, record = run(raw, tmp_path / "out", NearOptions(distance_mm=DISTANCE), **options)

    path = tmp_path / "out" / "part" / "top" / "depth.tif"
    depth, part = tifffile.imread(path), np.s_[17:113, 31:151] if "roi" in options else np.s_[:]
    valid = np.square(normals).sum(-1) > 0.5
    assert depth.dtype == np.float32 and record["outputs"]["files"]["depth.tif"]
    assert np.array_equal(np.isfinite(depth), valid)
    right = scene.depth[part]
    known = valid & np.isfinite(right)
    # Relative to its mean, which is that of the plane; over a region that cuts the ball another.
    off = depth[known] - right[known]
    assert off.std() < 0.02
    assert tifffile.TiffFile(path).pages[0].description.find("depth along the optical axis") > 0


def test_no_depth_is_written_where_none_is_found_or_wanted(raw, tmp_path):
    run(raw, tmp_path / "a", STATED)
    run(raw, tmp_path / "a", replace(STATED, mode="plane"))
    run(raw, tmp_path / "b", STATED, depth_map=False)

    assert not list(tmp_path.rglob("depth.tif"))


def test_the_quality_of_a_run_is_that_of_the_arrays(raw, ball, tmp_path):
    images = np.stack([tifffile.imread(path) for path in sorted((raw / "part").iterdir())])
    noisy = images + np.random.default_rng(3).normal(0, 200, images.shape)
    images = np.clip(np.rint(noisy), 0, 65535).astype(np.uint16)
    for k, image in enumerate(images, start=1):
        tifffile.imwrite(raw / "part" / f"L{k:02d}.tif", image, rowsperstrip=16)
    wanted = RunOptions(near=STATED, solver="gated", quality=True)
    plan = make_plan(raw, tmp_path / "out", Overrides(), wanted, Schedule())

    (result,) = run_plan(plan, get_backend("auto"), lambda pixels: None, debug=True)

    whole = solve_near(
        images, ball.rig, ball.view, mask=ball.mask, solver="gated", quality=True
    ).solution
    planes = tifffile.imread(result.folder / "quality.tif")
    used = np.where(whole.fallback > 0, -1.0, 1.0) * whole.used
    np.testing.assert_allclose(planes[0], whole.residual, atol=1e-5)
    np.testing.assert_array_equal(planes[1], used)
    np.testing.assert_allclose(planes[2], whole.condition, rtol=1e-3)
    ok = whole.valid
    np.testing.assert_allclose(planes[3][ok], whole.deviation[ok], rtol=0.1)
    np.testing.assert_array_equal(planes[4], whole.saturated)
    np.testing.assert_array_equal(planes[5], whole.shadowed)
    figures = json.loads((result.folder / "stack.json").read_text())["figures"]["quality"]
    assert figures["noise"]["source"] == "residuals"
    assert (result.folder / "quality.png").is_file()


def test_an_interrupt_while_the_surface_is_found_ends_the_stack(raw, tmp_path):
    plan = make_plan(raw, tmp_path / "out", Overrides(), RunOptions(near=STATED))
    stop = threading.Event()
    stop.set()
    job = Job(plan, get_backend("auto"), lambda pixels: None, stop)

    with pytest.raises(CancelledError):
        run_stack(plan.runnable[0], job)

    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
