"""Bad input has a stated result (docs/method.md, "Bad input"): by the library and by a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from running import mvps, only_error
from scenes import degrees_between, write_directions, write_image

from mvps import solve
from mvps.errors import InputError
from mvps.images.maps import read_normals
from mvps.lights import from_directions

HEIGHT, WIDTH = 12, 20
THREE = np.array([[0.6, 0.0, 0.8], [-0.3, 0.52, 0.8], [-0.3, -0.52, 0.8]])
THREE /= np.linalg.norm(THREE, axis=1)[:, None]
MORE = np.concatenate([THREE, THREE * [-1, -1, 1]])
SOLVERS = ("ls", "gated", "trimmed", "irls", "auto")
PLAIN = ("ls", "auto")  # what "auto" chooses for a matt plate, and for three lights


def photographs(lights: np.ndarray, dtype: type = np.uint16) -> np.ndarray:
    """A flat plate that faces the camera, with noise of 0.2%."""
    rng = np.random.default_rng(0)
    images = np.full((len(lights), HEIGHT, WIDTH), 0.5) * lights[:, 2, None, None]
    images += rng.normal(0, 0.002, images.shape)
    return (images * 65535).astype(dtype) if dtype is np.uint16 else images.astype(dtype)


@dataclass
class Run:
    """What a run of the command line left."""

    valid: np.ndarray
    normals: np.ndarray
    quality: np.ndarray
    figures: dict
    warnings: str


def run(folder: Path, images: np.ndarray, lights: np.ndarray, *words: str, mask=None) -> Run:
    write_stack(folder / "raw", images, lights, mask)
    flags = ("--no-light-check", "--quality", *words)
    done = mvps("normals", folder / "raw", folder / "out", *flags)
    assert done.returncode == 0, done.stderr
    normals, valid = read_normals(folder / "out" / "normals.tif")
    record = json.loads((folder / "out" / "stack.json").read_text())
    planes = tifffile.imread(folder / "out" / "quality.tif")
    return Run(valid, normals, planes, record["figures"], " ".join(record["warnings"]))


def write_stack(folder: Path, images: np.ndarray, lights: np.ndarray, mask=None) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(images, start=1):
        write_image(folder / f"{number:03d}.tif", image)
    write_directions(folder, lights)
    if mask is not None:
        write_image(folder / "mask.png", mask)


def test_three_lights_of_which_one_is_in_shadow_are_solved_and_marked(tmp_path: Path) -> None:
    images = photographs(THREE)
    images[2, :6] = 300  # the upper half: 0.5% of full scale
    rig = from_directions(THREE)
    for solver in SOLVERS:
        found = solve(images, rig, solver=solver, quality=True)
        assert found.valid.all()
        assert (found.used == 3).all()
        assert (found.shadowed[:6] == 1).all() and not found.shadowed[6:].any()
        if found.fallback is not None:
            assert found.fallback[:6].all() and not found.fallback[6:].any()
    assert not solve(images, rig, low=1000).valid[:6].any()

    result = run(tmp_path, images, THREE, "--solver", "gated")

    assert (result.quality[1, :6] == -3).all() and (result.quality[1, 6:] == 3).all()
    assert (result.quality[5, :6] == 1).all()
    assert result.figures["fallback"] == 6 * WIDTH
    assert result.figures["quality"]["shares"]["shadowed"] == 0.5
    # What the planes mark is wrong by tens of degrees, and no deviation can say so.
    assert degrees_between(result.normals[:6], np.array([0, 0, 1])).min() > 20
    assert result.quality[3, :6].max() < 1


@pytest.mark.parametrize("solver", SOLVERS)
def test_black_pixels_have_no_normal_and_saturated_ones_only_with_plain_least_squares(
    tmp_path: Path, solver: str
) -> None:
    images = photographs(MORE)
    images[:, 0, 0], images[:, 0, 1] = 0, 65535

    found = solve(images, from_directions(MORE), solver=solver, quality=True)
    result = run(tmp_path, images, MORE, "--solver", solver)

    for valid in (found.valid, result.valid):
        assert not valid[0, 0]
        assert valid[0, 1] == (solver in PLAIN)
        assert valid.sum() == HEIGHT * WIDTH - (1 if solver in PLAIN else 2)
    assert found.saturated[0, 1] == result.quality[4, 0, 1] == (6 if solver in PLAIN else 0)
    assert not result.quality[:, 0, 0].any()
    assert result.figures["degenerate"] == (1 if solver in PLAIN else 2)
    assert "saturated" in result.warnings


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_sample_that_is_no_number_costs_its_pixel_and_no_other(
    tmp_path: Path, solver: str
) -> None:
    images = photographs(MORE, np.float32)
    clean = images.copy()
    images[1, 3, 4], images[2, 5, 6], images[0, 7, 8] = np.nan, np.inf, -np.inf
    lost = np.zeros((HEIGHT, WIDTH), bool)
    lost[[3, 5, 7], [4, 6, 8]] = True
    rig = from_directions(MORE)

    found = solve(images, rig, solver=solver, quality=True)
    right = solve(clean, rig, solver=solver, quality=True)
    result = run(tmp_path, images, MORE, "--solver", solver)

    for valid in (found.valid, result.valid):
        np.testing.assert_array_equal(valid, ~lost)
    np.testing.assert_array_equal(found.normals[~lost], right.normals[~lost])
    assert np.isfinite(result.quality).all() and not result.quality[:, lost].any()
    assert (result.quality[3][~lost] > 0).all()
    assert result.figures["degenerate"] == 3


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_empty_mask_leaves_empty_maps_and_a_warning(tmp_path: Path, solver: str) -> None:
    images, mask = photographs(MORE), np.zeros((HEIGHT, WIDTH), np.uint8)

    found = solve(images, from_directions(MORE), mask=mask, solver=solver, quality=True)
    result = run(tmp_path, images, MORE, "--solver", solver, mask=mask)

    assert not found.valid.any() and not found.deviation.any()
    assert not result.valid.any() and not result.quality.any()
    assert (result.figures["masked"], result.figures["degenerate"]) == (HEIGHT * WIDTH, 0)
    assert "the mask is empty, so that no pixel has a normal" in result.warnings


def test_a_mask_of_another_size_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    images, mask = photographs(MORE), np.full((WIDTH, HEIGHT), 255, np.uint8)
    with pytest.raises(InputError, match=r"mask: shape \(20, 12\), but the images are \(12, 20\)"):
        solve(images, from_directions(MORE), mask=mask, quality=True)

    write_stack(tmp_path / "raw", images, MORE, mask)
    refused = mvps("normals", tmp_path / "raw", tmp_path / "out", "--quality")

    assert refused.returncode == 2
    assert only_error(refused).endswith("mask.png: the mask has 12x20 px, the images have 20x12 px")
    assert not (tmp_path / "out" / "normals.tif").exists()
