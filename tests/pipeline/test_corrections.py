"""Corrections undo what a camera and its lights do to a Lambertian scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scenes import Scene, bumps, degrees_between, write_directions, write_image

from mvps.capture import Overrides
from mvps.errors import InputError
from mvps.images import Window
from mvps.images.maps import read_normals
from mvps.pipeline.options import RunOptions
from mvps.pipeline.plan import make_plan
from mvps.pipeline.record import StackResult
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend

SHAPE = (70, 90)


def capture(raw: Path, scene: Scene, images: np.ndarray) -> None:
    raw.mkdir()
    for k, image in enumerate(images, start=1):
        write_image(raw / f"{k}.tif", image)
    write_directions(raw, scene.directions)


def solve(raw: Path, out: Path, overrides: Overrides, **options: object) -> StackResult:
    plan = make_plan(raw, out, overrides, RunOptions(**options))  # type: ignore[arg-type]
    (result,) = run_plan(plan, get_backend("auto"), lambda pixels: None, debug=True)
    return result


def to16(fraction: np.ndarray) -> np.ndarray:
    return np.rint(fraction * 65535).astype(np.uint16)


def vignettes(lights: int) -> np.ndarray:
    """A smooth fall-off for each light, (K, H, W), mean 1."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    field = np.stack([1 - 0.004 * x * ((-1) ** k) - 0.002 * y for k in range(lights)])
    return field / field.mean(axis=(1, 2), keepdims=True)


def error(out: Path, scene: Scene) -> float:
    normals, valid = read_normals(out / "normals.tif")
    assert valid.all()
    return float(degrees_between(normals, scene.normals).max())


def test_dark_and_flat_restore_the_truth(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    dark = np.random.default_rng(1).uniform(0.01, 0.05, SHAPE)
    shade = vignettes(6)
    capture(tmp_path / "raw", scene, to16(scene.shading() * 0.5 * shade + dark))
    write_image(tmp_path / "dark.tif", to16(dark))
    for k in range(6):
        write_image(tmp_path / f"flat{k + 1}.tif", to16(0.6 * shade[k] + dark))

    solve(tmp_path / "raw", tmp_path / "bare", Overrides())
    overrides = Overrides(dark=tmp_path / "dark.tif", flat=str(tmp_path / "flat{light}.tif"))
    solve(tmp_path / "raw", tmp_path / "out", overrides)

    assert error(tmp_path / "bare", scene) > 4
    assert error(tmp_path / "out", scene) < 0.02
    albedo = tifffile.imread(tmp_path / "out" / "albedo.tif")
    assert np.abs(albedo - 0.5 * scene.albedo).max() < 1e-3


def test_the_ambient_frame_replaces_the_dark_frame(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    ambient = np.random.default_rng(2).uniform(0.05, 0.2, SHAPE)
    capture(tmp_path / "raw", scene, to16(scene.shading() * 0.5 + ambient))
    write_image(tmp_path / "ambient.tif", to16(ambient))
    write_image(tmp_path / "dark.tif", to16(np.full(SHAPE, 0.01)))

    overrides = Overrides(ambient=tmp_path / "ambient.tif", dark=tmp_path / "dark.tif")
    solve(tmp_path / "raw", tmp_path / "out", overrides)

    assert error(tmp_path / "out", scene) < 0.01


def test_a_response_is_undone_before_anything_else(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    capture(tmp_path / "raw", scene, to16(scene.shading() ** (1 / 2.2)))

    solve(tmp_path / "raw", tmp_path / "bent", Overrides())
    solve(tmp_path / "raw", tmp_path / "out", Overrides(response="gamma=2.2"))

    assert error(tmp_path / "bent", scene) > 3
    assert error(tmp_path / "out", scene) < 0.01


def test_flat_pixels_without_light_become_invalid(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    capture(tmp_path / "raw", scene, to16(scene.shading()))
    flat = np.full(SHAPE, 0.5)
    flat[3, 4] = 0
    write_image(tmp_path / "flat.tif", to16(flat))

    result = solve(tmp_path / "raw", tmp_path / "out", Overrides(flat=str(tmp_path / "flat.tif")))

    _, valid = read_normals(tmp_path / "out" / "normals.tif")
    assert result.valid == 70 * 90 - 1
    assert not valid[3, 4]


def test_a_flat_field_that_is_black_names_itself(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    capture(tmp_path / "raw", scene, to16(scene.shading()))
    write_image(tmp_path / "flat.tif", np.zeros(SHAPE, np.uint16))

    with pytest.raises(InputError, match=r"flat\.tif: this flat field holds no light"):
        plan = make_plan(
            tmp_path / "raw",
            tmp_path / "out",
            Overrides(flat=str(tmp_path / "flat.tif")),
            RunOptions(),
        )
        import threading

        from mvps.pipeline.stream import Job, run_stack

        run_stack(
            plan.stacks[0], Job(plan, get_backend("auto"), lambda pixels: None, threading.Event())
        )


@pytest.mark.parametrize("corrected", [False, True])
def test_saturated_lights_are_left_out_of_the_pixel(tmp_path: Path, corrected: bool) -> None:
    """A highlight that saturates one light in six bends the normal unless it is left out."""
    scene = bumps(*SHAPE)
    images = to16(scene.shading() * 0.9)
    images[2, 20:40, 30:60] = 65535
    images[[0, 1, 3, 4], 50, 50] = 65535
    capture(tmp_path / "raw", scene, images)
    overrides = Overrides()
    if corrected:
        write_image(tmp_path / "dark.tif", np.zeros(SHAPE, np.uint16))
        overrides = Overrides(dark=tmp_path / "dark.tif")

    solve(tmp_path / "raw", tmp_path / "all", overrides)
    result = solve(tmp_path / "raw", tmp_path / "out", overrides, saturation=0.999, quality=True)

    assert error(tmp_path / "all", scene) > 5
    normals, valid = read_normals(tmp_path / "out" / "normals.tif")
    assert degrees_between(normals, scene.normals)[valid].max() < 0.01
    assert result.valid == 70 * 90 - 1
    assert not valid[50, 50]
    residual, used, *_ = tifffile.imread(tmp_path / "out" / "quality.tif")
    assert (used[20:40, 30:60] == 5).all()
    assert used[0, 0] == 6
    assert residual.max() < 1e-4
    figures = json.loads((tmp_path / "out" / "stack.json").read_text())["figures"]
    assert figures["degenerate"] == 1


def test_intensities_per_channel_and_rgb_images(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    strength = np.random.default_rng(3).uniform(0.5, 1.0, (6, 3))
    colour = np.array([0.9, 0.6, 0.3])
    rgb = scene.shading()[..., None] * colour * strength[:, None, None, :]
    capture(tmp_path / "raw", scene, to16(rgb))
    np.savetxt(tmp_path / "raw" / "light_intensities.txt", strength, fmt="%.8f")

    solve(tmp_path / "raw", tmp_path / "grey", Overrides())
    solve(tmp_path / "raw", tmp_path / "colour", Overrides(), grey="channels")

    assert error(tmp_path / "grey", scene) < 0.01
    assert error(tmp_path / "colour", scene) < 0.01
    albedo = tifffile.imread(tmp_path / "colour" / "albedo.tif")
    assert np.abs(albedo - scene.albedo[..., None] * colour).max() < 2e-4


def test_a_pixel_does_not_depend_on_the_region_around_it(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    shade = vignettes(6)
    capture(tmp_path / "raw", scene, to16(scene.shading() * 0.5 * shade))
    for k in range(6):
        write_image(tmp_path / f"flat{k + 1}.tif", to16(0.6 * shade[k]))
    overrides = Overrides(flat=str(tmp_path / "flat{light}.tif"))

    solve(tmp_path / "raw", tmp_path / "whole", overrides)
    solve(tmp_path / "raw", tmp_path / "part", overrides, roi=Window(20, 10, 50, 40))

    whole, part = (tifffile.imread(tmp_path / kind / "normals.tif") for kind in ("whole", "part"))
    assert np.array_equal(part, whole[10:50, 20:70])


@pytest.mark.parametrize(
    ("stated", "white", "warns"),
    [((12, "right"), 4095, False), ((12, "right"), 65535, True), ((12, "left"), 65535, True)],
)
def test_samples_that_contradict_the_stated_bits_are_named(
    tmp_path: Path, stated: tuple[int, Any], white: float, warns: bool
) -> None:
    scene = bumps(*SHAPE)
    capture(tmp_path / "raw", scene, scene.images(white=white))

    result = solve(tmp_path / "raw", tmp_path / "out", Overrides(bits=stated[0], align=stated[1]))

    assert any("--bits" in warning for warning in result.warnings) == warns


def test_maps_without_a_normal_are_warned_about(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    capture(tmp_path / "raw", scene, to16(scene.shading()))
    write_image(tmp_path / "mask.png", np.zeros(SHAPE, np.uint8))

    empty = solve(tmp_path / "raw", tmp_path / "out", Overrides(mask=tmp_path / "mask.png"))

    assert empty.valid == 0
    assert any("mask is empty" in warning for warning in empty.warnings)


def test_an_image_that_changes_after_the_checks_is_named(tmp_path: Path) -> None:
    scene = bumps(*SHAPE)
    capture(tmp_path / "raw", scene, to16(scene.shading()))
    plan = make_plan(tmp_path / "raw", tmp_path / "out", Overrides(), RunOptions())
    write_image(tmp_path / "raw" / "4.tif", np.ones((9, 9), np.uint16))

    (result,) = run_plan(plan, get_backend("auto"), lambda pixels: None)

    assert result.status == "failed"
    assert "4.tif: changed after it was checked" in result.error
