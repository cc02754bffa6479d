"""``--quality``: planes, picture and figures of a run, and whether its deviations hold."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import tifffile
from glossy import Look, render
from running import mvps
from scenes import degrees_between, write_directions, write_image

from mvps import LightRig, solve
from mvps.images.maps import read_normals, read_statement
from mvps.pipeline.quality_maps import HIGHEST, LOWEST, TICKS, deviation_picture

LOOK = Look(shape="bumps", lights=8, gloss=0.0, slant=40, bits=16, size=96, noise=3.0)


def write(folder: Path, capture) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(capture.images, start=1):
        write_image(folder / f"{number:03d}.tif", image)
    write_directions(folder, capture.directions)


def test_a_run_writes_what_solve_gives_and_sums_it_up(tmp_path: Path) -> None:
    capture = render(LOOK)
    write(tmp_path / "raw", capture)
    words = ("--solver", "gated", "--no-light-check")
    mvps("normals", tmp_path / "raw", tmp_path / "plain", *words)
    done = mvps("normals", tmp_path / "raw", tmp_path / "out", *words, "--quality")

    assert done.returncode == 0, done.stderr
    rig = LightRig(capture.directions, np.ones(8))
    found = solve(capture.images, rig, solver="gated", quality=True)
    planes = tifffile.imread(tmp_path / "out" / "quality.tif")
    assert planes.shape == (6, 96, 96)
    np.testing.assert_allclose(planes[2], found.condition, rtol=1e-3)
    # The run measures noise in two strips, which here is the whole image in another order.
    np.testing.assert_allclose(planes[3], found.deviation, rtol=0.1)
    np.testing.assert_array_equal(planes[4], found.saturated)
    np.testing.assert_array_equal(planes[5], found.shadowed)
    normals = [read_normals(tmp_path / name / "normals.tif")[0] for name in ("plain", "out")]
    assert degrees_between(*normals).max() < 0.005

    figures = json.loads((tmp_path / "out" / "stack.json").read_text())["figures"]["quality"]
    valid = planes[1] != 0
    for name, plane in (("residual", 0), ("condition", 2), ("deviation", 3)):
        values = planes[plane][valid]
        np.testing.assert_allclose(figures[name]["median"], np.median(values), rtol=0.05)
        np.testing.assert_allclose(figures[name]["p95"], np.percentile(values, 95), rtol=0.1)
    np.testing.assert_allclose(figures["shares"]["shadowed"], (planes[5] > 0).mean(), atol=1e-6)
    assert figures["noise"]["source"] == "residuals"
    # Read noise 0.001 and shot noise 0.004 at full scale, each times 3; gain is 1.
    value = 0.4
    right = 9 * (0.001**2 + 0.004**2 * value)
    assert 0.8 < (figures["noise"]["read"] + figures["noise"]["shot"] * value) / right < 1.25


def test_the_picture_says_its_scale_and_goes_with_the_planes(tmp_path: Path) -> None:
    write(tmp_path / "raw", render(LOOK))
    out = tmp_path / "out"
    mvps("normals", tmp_path / "raw", out, "--quality", "--no-light-check")
    said = read_statement(out / "quality.png")
    assert (said["low"], said["high"]) == (LOWEST, HIGHEST)
    assert "degrees" in said["content"]
    assert "plane 3: predicted standard deviation" in read_statement(out / "quality.tif")["content"]
    assert cv2.imread(str(out / "quality.png")) is not None
    mvps("normals", tmp_path / "raw", out, "--no-light-check")
    assert not (out / "quality.png").exists() and not (out / "quality.tif").exists()


def test_small_deviations_are_dark_large_ones_bright_and_missing_ones_grey() -> None:
    degrees = np.full((40, 60), np.nan, np.float32)
    for index, tick in enumerate(TICKS):
        degrees[:20, index * 10 : index * 10 + 10] = tick
    picture = deviation_picture(degrees)
    body = picture[16 : 16 + 200, 16 : 16 + 300].astype(int)  # five times as large, with a margin
    bright = [body[50, 25 + 50 * index].sum() for index in range(len(TICKS))]
    assert bright == sorted(bright) and bright[-1] > 3 * bright[0] // 2
    assert (body[150, ::50] == 225).all()


def test_predicted_deviations_are_the_true_errors_of_a_render() -> None:
    """Within 15% overall and 25% in every quarter, as benchmarks/quality.py found for more."""
    for lights, solver in ((6, "gated"), (12, "ls"), (12, "trimmed"), (12, "irls")):
        capture = render(Look(gloss=0.0, slant=35, lights=lights, noise=3.0, seed=5))
        rig = LightRig(capture.directions, np.ones(lights))
        found = solve(
            capture.images, rig, white=capture.white, mask=capture.mask, solver=solver, quality=True
        )
        clean = found.valid & (found.shadowed == 0) & (found.saturated == 0)
        said = found.deviation[clean].astype(float)
        seen = degrees_between(found.normals[clean], capture.normals[clean])
        assert 0.85 < np.sqrt((seen**2).mean() / (said**2).mean()) < 1.15, (lights, solver)
        for part in np.array_split(np.argsort(said), 4):
            ratio = np.sqrt((seen[part] ** 2).mean() / (said[part] ** 2).mean())
            assert 0.75 < ratio < 1.25, (lights, solver)
