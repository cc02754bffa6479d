"""The run from a folder of photographs to a folder of maps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scenes import (
    bumps,
    degrees_between,
    write_diligent,
    write_directions,
    write_image,
    write_many,
)

from mvps.capture import Overrides
from mvps.images.maps import read_normals
from mvps.pipeline.options import RunOptions, Schedule, parse_roi
from mvps.pipeline.plan import make_plan
from mvps.pipeline.record import StackResult
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend

ROUNDING = 0.0015  # degrees: uint16 samples of the images plus the uint16 encoding of the map


def run(
    raw: Path,
    out: Path,
    overrides: Overrides | None = None,
    schedule: Schedule | None = None,
    **options: Any,
) -> list[StackResult]:
    wanted = schedule or Schedule()
    plan = make_plan(raw, out, overrides or Overrides(), RunOptions(**options), wanted)
    backend = get_backend(plan.options.device)
    return list(run_plan(plan, backend, lambda pixels: None, debug=True))


def test_a_folder_of_photographs_becomes_maps_that_match_the_truth(tmp_path: Path) -> None:
    scene = bumps(97, 131)
    write_diligent(tmp_path / "raw", scene)

    (result,) = run(tmp_path / "raw", tmp_path / "out", quality=True)

    assert (result.status, result.valid) == ("done", 97 * 131)
    normals, valid = read_normals(tmp_path / "out" / "normals.tif")
    assert valid.all()
    assert degrees_between(normals, scene.normals).max() < 0.004
    albedo = tifffile.imread(tmp_path / "out" / "albedo.tif")
    assert np.abs(albedo - scene.albedo).max() < 5e-5
    residual, used, *_ = tifffile.imread(tmp_path / "out" / "quality.tif")
    assert residual.max() < 2e-5
    assert (used == 6).all()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "albedo.tif",
        "manifest.jsonl",
        "normals.tif",
        "preview.png",
        "quality.png",
        "quality.tif",
        "stack.json",
    ]


def test_the_record_names_inputs_lights_options_and_figures(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(40, 50))
    run(tmp_path / "raw", tmp_path / "out")

    record = json.loads((tmp_path / "out" / "stack.json").read_text())

    assert len(record["inputs"]) == 6
    assert all(len(entry["digest"]) == 41 and entry["bytes"] > 0 for entry in record["inputs"])
    assert np.allclose(np.linalg.norm(record["lights"]["directions"], axis=1), 1)
    assert record["convention"] == "opengl"
    assert record["figures"]["valid"] == record["figures"]["pixels"] == 2000
    assert record["samples"]["white"] == 65535
    assert record["options"]["encoding"] == "tiff"
    assert {"mvps", "numpy", "tifffile"} <= set(record["versions"])
    assert record["timings"]["total"] > 0
    (line,) = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert json.loads(line)["status"] == "done"


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_every_tiff_gives_the_same_normals(
    tmp_path: Path, compression: str | None, tile: tuple[int, int] | None
) -> None:
    scene = bumps(70, 90)
    raw = tmp_path / "raw"
    raw.mkdir()
    shape = {"tile": tile, "rowsperstrip": None} if tile else {}
    for k, image in enumerate(scene.images(), start=1):
        write_image(raw / f"{k}.tif", image, compression=compression, **shape)
    write_directions(raw, scene.directions)

    run(raw, tmp_path / "out")

    normals, _ = read_normals(tmp_path / "out" / "normals.tif")
    assert degrees_between(normals, scene.normals).max() < 0.004


@pytest.mark.parametrize(
    ("suffix", "dtype", "bound"),
    [(".png", np.uint16, 0.004), (".png", np.uint8, 0.5), (".bmp", np.uint8, 0.5)],
)
def test_other_formats_agree_to_their_rounding(
    tmp_path: Path, suffix: str, dtype: type, bound: float
) -> None:
    scene = bumps(70, 90)
    write_diligent(tmp_path / "raw", scene, dtype=dtype, suffix=suffix)

    run(tmp_path / "raw", tmp_path / "out")

    normals, _ = read_normals(tmp_path / "out" / "normals.tif")
    assert degrees_between(normals, scene.normals).max() < bound


@pytest.mark.parametrize("kind", ["pages.tif", "stack.npy"])
def test_one_file_may_hold_the_whole_stack(tmp_path: Path, kind: str) -> None:
    scene = bumps(33, 45)
    raw = tmp_path / "raw"
    raw.mkdir()
    if kind.endswith("npy"):
        np.save(raw / kind, scene.images())
    else:
        tifffile.imwrite(raw / kind, scene.images(), photometric="minisblack")
    write_directions(raw, scene.directions)

    run(raw, tmp_path / "out")

    normals, _ = read_normals(tmp_path / "out" / "normals.tif")
    assert degrees_between(normals, scene.normals).max() < 0.004


def test_a_region_of_interest_is_the_same_part_of_the_whole_map(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(150, 131))
    run(tmp_path / "raw", tmp_path / "whole")
    run(tmp_path / "raw", tmp_path / "part", roi=parse_roi("17,9,60,101"))

    whole = tifffile.imread(tmp_path / "whole" / "normals.tif")
    part = tifffile.imread(tmp_path / "part" / "normals.tif")

    assert np.array_equal(part, whole[9:110, 17:77])


def test_binning_solves_the_mean_of_each_square(tmp_path: Path) -> None:
    scene = bumps(131, 90)
    images = write_diligent(tmp_path / "raw", scene)
    run(tmp_path / "raw", tmp_path / "out", bin=3)

    square = images[:, :129].reshape(6, 43, 3, 30, 3).mean(axis=(2, 4)) / 65535
    g = np.einsum("ck,khw->hwc", np.linalg.pinv(scene.directions), square)
    normals, _ = read_normals(tmp_path / "out" / "normals.tif")

    assert normals.shape == (43, 30, 3)
    assert degrees_between(normals, g).max() < ROUNDING


def test_a_mask_leaves_zeros_outside_and_is_counted(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(80, 60))
    mask = np.zeros((80, 60), np.uint8)
    mask[10:50, 5:40] = 255
    write_image(tmp_path / "raw" / "mask.png", mask)

    (result,) = run(tmp_path / "raw", tmp_path / "out")

    stored = tifffile.imread(tmp_path / "out" / "normals.tif")
    assert result.valid == 40 * 35
    assert np.array_equal(stored.any(axis=2), mask > 0)
    figures = json.loads((tmp_path / "out" / "stack.json").read_text())["figures"]
    assert (figures["masked"], figures["degenerate"]) == (80 * 60 - 40 * 35, 0)


def test_a_stack_that_breaks_does_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_diligent(tmp_path / "raw" / name, bumps(64, 64, seed=ord(name)))
    broken = tmp_path / "raw" / "b" / "004.tif"
    tifffile.imwrite(broken, bumps(64, 64).images()[3], compression="deflate", rowsperstrip=16)
    data = bytearray(broken.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    broken.write_bytes(data)

    results = {r.stack: r for r in run(tmp_path / "raw", tmp_path / "out")}

    assert [results[name].status for name in "abc"] == ["done", "failed", "done"]
    assert str(broken) in results["b"].error
    assert "\n" not in results["b"].error
    assert not list((tmp_path / "out" / "b").iterdir())


def test_running_again_with_another_format_leaves_no_stale_map(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(40, 40))
    run(tmp_path / "raw", tmp_path / "out", quality=True)
    run(tmp_path / "raw", tmp_path / "out", encoding="png16", albedo="none")

    names = {path.name for path in (tmp_path / "out").iterdir()}

    assert names == {"normals.png", "preview.png", "stack.json", "manifest.jsonl"}


def test_the_colour_picture_lies_beside_maps_of_its_pixels(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    write_diligent(raw, bumps(40, 40))
    write_image(raw / "rgb.png", np.full((40, 40, 3), 7, np.uint8))
    run(raw, out)
    assert (out / "rgb.png").read_bytes() == (raw / "rgb.png").read_bytes()
    assert "rgb.png" in json.loads((out / "stack.json").read_text())["outputs"]["files"]
    run(raw, out, bin=2)
    assert not (out / "rgb.png").exists()

    write_image(raw / "rgb.png", np.full((20, 40, 3), 7, np.uint8))
    (result,) = run(raw, out)
    assert result.status == "done" and "goes on without" in " ".join(result.warnings)
    (raw / "rgb.png").write_bytes(b"none")
    (result,) = run(raw, out)
    assert result.status == "done" and not (out / "rgb.png").exists()


def test_a_uint16_albedo_keeps_its_scale(tmp_path: Path) -> None:
    scene = bumps(40, 40)
    write_diligent(tmp_path / "raw", scene)
    run(tmp_path / "raw", tmp_path / "out", albedo="u16")

    scale = json.loads((tmp_path / "out" / "stack.json").read_text())["outputs"]["albedo_scale"]
    albedo = tifffile.imread(tmp_path / "out" / "albedo.tif")

    assert albedo.dtype == np.uint16
    assert np.abs(albedo * scale - scene.albedo).max() < scale / 2 + 2e-5


@pytest.mark.parametrize("convention", ["directx", "opencv"])
def test_conventions_flip_the_stored_signs_and_reading_undoes_it(
    tmp_path: Path, convention: str
) -> None:
    scene = bumps(40, 40)
    write_diligent(tmp_path / "raw", scene)
    run(tmp_path / "raw", tmp_path / "out", convention=convention)

    path = tmp_path / "out" / "normals.tif"
    stored = tifffile.imread(path) / 32767.5 - 1
    signs = {"directx": (1, -1, 1), "opencv": (1, -1, -1)}[convention]

    assert np.abs(stored - scene.normals * signs).max() < 1e-4
    assert degrees_between(read_normals(path)[0], scene.normals).max() < 0.004


def test_an_undeclared_12_bit_camera_is_named_in_a_warning(tmp_path: Path) -> None:
    scene = bumps(64, 64)
    raw = tmp_path / "raw"
    raw.mkdir()
    for k, image in enumerate(scene.images(white=4095), start=1):
        write_image(raw / f"{k}.tif", image)
    write_directions(raw, scene.directions)

    (silent,) = run(raw, tmp_path / "stated", Overrides(bits=12, align="right"))
    (warned,) = run(raw, tmp_path / "unstated")

    assert silent.warnings == ()
    assert any("12 bits" in warning for warning in warned.warnings)
    albedo = tifffile.imread(tmp_path / "stated" / "albedo.tif")
    assert np.abs(albedo - scene.albedo).max() < 1e-3


@pytest.mark.parametrize(("light_check", "bound"), [(False, 8e6), (True, 20e6)])
def test_memory_is_bounded_by_strips_not_by_images(
    tmp_path: Path, light_check: bool, bound: float
) -> None:
    """8 images of 8 MB each; what stays is a few strips, or the patches of the light check."""
    scene = bumps(1, 1, lights=8)
    raw = tmp_path / "raw"
    raw.mkdir()
    image = np.full((8192, 512), 20000, np.uint16)
    for k in range(8):
        image[0, k] += 1
        write_image(raw / f"{k}.tif", image)
    write_directions(raw, scene.directions)
    schedule = Schedule(workers=1, light_check=light_check)
    run(raw, tmp_path / "warm", schedule=schedule)

    tracemalloc.start()
    run(raw, tmp_path / "out", schedule=schedule)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < bound


def test_an_interrupt_leaves_130_and_no_half_written_map(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write_many(raw, 40)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "mvps", "normals", str(raw), str(out), "--format", "png16"],
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background hands down an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("*/stack.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in messages
    assert "interrupted" in messages
    assert not list(out.rglob("*.part"))
    done = len(list(out.glob("*/stack.json")))
    assert 0 < done < 40
    assert done == len(list(out.glob("*/normals.png"))) == len(list(out.glob("*/albedo.tif")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of file size are POSIX")
def test_a_disk_that_takes_no_more_fails_the_stack_in_one_line(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(256, 256))
    limit = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from mvps.cli import main; sys.argv = ['mvps', *sys.argv[1:]]; main()"
    )
    out = tmp_path / "out"
    process = subprocess.run(
        [sys.executable, "-c", limit, "normals", str(tmp_path / "raw"), str(out)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("error:")]
    assert "normals.tif" in line
    assert [path.name for path in out.iterdir()] == ["manifest.jsonl"]
