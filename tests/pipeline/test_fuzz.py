"""Whole runs over damaged captures: no traceback, no hang, no leftovers, and good stacks solved."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import mvps
from scenes import bumps, write_directions

from mvps.capture import Overrides
from mvps.errors import MvpsError
from mvps.pipeline.options import RunOptions
from mvps.pipeline.plan import make_plan
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend

LIMIT_S = 20  # for a run that takes some 30 ms
SCENE = bumps(40, 33, lights=4)
RIG = """version: 1
units: mm
views:
  top:
    images: "{sample}/L{light:02d}.png"
    lights: lights.lp
    mask: mask.png
"""


def tiff(**words: object) -> Callable[[Path, np.ndarray], None]:
    return lambda path, image: tifffile.imwrite(path, image, rowsperstrip=16, **words)


def by_opencv(path: Path, image: np.ndarray) -> None:
    assert cv2.imwrite(str(path), image)


WRITERS: dict[str, tuple[str, type, Callable[[Path, np.ndarray], None]]] = {
    "tiff": (".tif", np.uint16, tiff()),
    "tiff-deflate": (".tif", np.uint16, tiff(compression="deflate", predictor=2)),
    "tiff-zstd": (".tif", np.uint8, tiff(compression="zstd")),
    "tiff-lzw": (".tif", np.uint8, tiff(compression="lzw")),
    "tiff-float": (".tif", np.float32, tiff()),
    "png8": (".png", np.uint8, by_opencv),
    "png16": (".png", np.uint16, by_opencv),
    "bmp": (".bmp", np.uint8, by_opencv),
    "jpeg": (".jpg", np.uint8, by_opencv),
    "npy": (".npy", np.uint16, np.save),
}


@cache
def pristine(kind: str) -> dict[str, bytes]:
    """Files of a capture by name, made once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if kind == "rig":
            write_rig(folder)
        else:
            suffix, dtype, write = WRITERS[kind]
            for k, image in enumerate(SCENE.shading(), start=1):
                full = 1.0 if dtype is np.float32 else float(np.iinfo(dtype).max)
                write(folder / f"{k:02d}{suffix}", (image * full).astype(dtype))
            write_directions(folder, SCENE.directions)
            cv2.imwrite(str(folder / "mask.png"), np.full(SCENE.albedo.shape, 255, np.uint8))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def write_rig(folder: Path) -> None:
    (folder / "part").mkdir()
    for k, image in enumerate(SCENE.images(np.uint8), start=1):
        by_opencv(folder / f"part/L{k:02d}.png", image)
    rows = [f"L{k:02d}.png {x} {y} {z}" for k, (x, y, z) in enumerate(SCENE.directions, start=1)]
    (folder / "lights.lp").write_text("\n".join([str(len(rows)), *rows]))
    by_opencv(folder / "mask.png", np.full(SCENE.albedo.shape, 255, np.uint8))
    (folder / "rig.yml").write_text(RIG)


@st.composite
def damage(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes as a bad disk, a full one or a careless hand leaves them."""
    at = draw(st.integers(0, max(len(data) - 1, 0)))
    # The head of a file decides most, so that half of the damage is done there.
    at = at % 160 if draw(st.booleans()) else at
    length = draw(st.sampled_from([1, 2, 4, 64, 4096]))
    kind = draw(st.sampled_from(["cut", "overwrite", "zero", "ones", "insert", "remove", "empty"]))
    noise = draw(st.binary(min_size=1, max_size=8))
    match kind:
        case "cut":
            return data[:at]
        case "overwrite":
            return data[:at] + noise + data[at + len(noise) :]
        case "zero" | "ones":
            fill = b"\0" if kind == "zero" else b"\xff"
            return data[:at] + fill * length + data[at + length :]
        case "insert":
            return data[:at] + noise + data[at:]
        case "remove":
            return data[:at] + data[at + length :]
        case _:
            return b""


@contextmanager
def deadline() -> Iterator[None]:
    """Stop a run that hangs."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no end after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(os.name != "posix", reason="needs an alarm signal")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # damaged floats overflow, as they may
@pytest.mark.parametrize("kind", [*WRITERS, "rig"])
def test_a_damaged_capture_fails_in_one_line_or_is_solved_and_hurts_no_other(kind: str) -> None:
    files = pristine(kind)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        victim = data.draw(st.sampled_from(sorted(files)))
        with tempfile.TemporaryDirectory() as name, deadline():
            raw, out = Path(name) / "raw", Path(name) / "out"
            bad, good = (raw, None) if kind == "rig" else (raw / "bad", raw / "good")
            write(bad, files | {victim: data.draw(damage(files[victim]))})
            if good is not None:
                write(good, files)
            results = solve(raw, out)
            for result in results.values():
                assert (result == "done") or "\n" not in result
            if good is not None:
                assert results["good"] == "done"
            assert not list(out.rglob("*.part"))

    run()


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def solve(raw: Path, out: Path) -> dict[str, str]:
    """How each stack ended; an exception that is no message to the user is let through."""
    try:
        plan = make_plan(raw, out, Overrides(), RunOptions())
    except MvpsError as error:
        return {"bad": str(error)}
    done = list(run_plan(plan, get_backend("cpu"), lambda pixels: None, debug=True))
    ended = {result.stack: result.error or result.status for result in done}
    return ended | {fault.stack: fault.message for fault in plan.failures}


def test_the_command_ends_a_run_over_every_kind_of_damage_with_one_line_each(
    tmp_path: Path,
) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    rng = np.random.default_rng(5)
    for kind in WRITERS:
        files = pristine(kind)
        write(raw / kind / "good", files)
        for name in sorted(files):
            content = np.frombuffer(files[name], np.uint8).copy()
            at = int(rng.integers(len(content)))
            content[at : at + 40] = rng.integers(0, 256, len(content[at : at + 40]))
            write(raw / kind / f"hit-{name}", files | {name: content.tobytes()})
            write(raw / kind / f"cut-{name}", files | {name: files[name][: len(files[name]) // 2]})
        shutil.copytree(raw / kind / "good", raw / kind / "gone")
        sorted((raw / kind / "gone").iterdir())[0].unlink()

    result = mvps("normals", raw, out, "-v")

    assert result.returncode == 1
    assert "Traceback" not in result.stderr and "internal error" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    cut = [path for path in raw.glob("*/cut-*") if path.name.endswith((".tif", ".png", ".npy"))]
    assert len(errors) >= len(cut)
    assert all((out / kind / "good/stack.json").is_file() for kind in WRITERS)
    assert not list(out.rglob("*.part"))
