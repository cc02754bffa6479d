"""Ctrl-C and a polite end from outside: one line, exit code 130, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from planar import tilted_camera
from running import mvps
from scenes import write_image, write_many

from mvps.calib import write_cameras
from mvps.pipeline import undistort

MANY = 300
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])


def interrupted(number: signal.Signals, begun: Callable[[], bool], *words: object) -> str:
    """What a command says that gets a signal as soon as its work has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mvps", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background hands down an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 60
    while not begun() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(number)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130, messages
    assert "Traceback" not in messages
    return messages


@SIGNALS
def test_a_run_ends_with_whole_stacks(tmp_path: Path, number: signal.Signals) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    write_many(raw, 40)

    messages = interrupted(number, lambda: any(out.glob("*/stack.json")), "normals", raw, out)

    assert "interrupted" in messages
    assert not list(out.rglob("*.part"))
    done = len(list(out.glob("*/stack.json")))
    assert 0 < done < 40
    assert done == len(list(out.glob("*/normals.tif"))) == len(list(out.glob("*/albedo.tif")))


@pytest.fixture
def board(tmp_path: Path) -> list[Path]:
    """cam.yml beside them, and many names of one photograph."""
    write_cameras([tilted_camera()], tmp_path / "cam.yml", "mvps")
    (tmp_path / "in").mkdir()
    first = tmp_path / "in" / "0.png"
    write_image(first, np.full((180, 240), 90, np.uint8))
    names = [first, *(first.with_name(f"{k}.png") for k in range(1, MANY))]
    for name in names[1:]:
        os.link(first, name)
    return names


@SIGNALS
def test_undistorting_ends_with_whole_images_and_their_camera(
    board: list[Path], tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"

    words = ("calib", "undistort", tmp_path / "cam.yml", *board, out)
    messages = interrupted(number, lambda: any(out.glob("*.tif")), *words)

    assert "interrupted; run the same command again" in messages
    assert not list(out.glob(".*"))
    assert (out / "camera.yml").is_file()
    assert 0 < len(list(out.glob("*.tif"))) < MANY
    assert mvps(*words).returncode == 0
    assert len(list(out.glob("*.tif"))) == MANY


def test_no_image_has_its_name_before_the_camera_is_there(
    board: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, seen = tmp_path / "out", []
    write = undistort.write_cameras

    def write_and_look(cameras, path, *words, **more):  # type: ignore[no-untyped-def]
        seen.append([name.name for name in out.iterdir() if not name.name.startswith(".")])
        return write(cameras, path, *words, **more)

    monkeypatch.setattr(undistort, "write_cameras", write_and_look)
    options = undistort.UndistortOptions()

    results = list(undistort.undistort_files(tilted_camera(), board[:8], out, options))

    assert not any(result.error for result in results)
    assert seen == [[]]
