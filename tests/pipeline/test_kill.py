"""Forty kills without warning: the same command afterwards gives the maps of an undisturbed run."""

from __future__ import annotations

import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from running import started
from scenes import bumps, write_diligent

KILLS = 40
HALF_WRITTEN = 30  # kills that must land while a temporary file is there
MAPS = ("normals.png", "albedo.tif", "quality.tif", "preview.png")


def start(raw: Path, out: Path) -> BaseProcess:
    return started("normals", raw, out, "--format", "png16", "--quality", "--workers", 2)


def run(raw: Path, out: Path) -> None:
    process = start(raw, out)
    process.join()
    assert process.exitcode == 0


def maps(out: Path) -> dict[str, bytes]:
    found = (path for path in out.rglob("*") if path.name in MAPS)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def killed_half_written(raw: Path, out: Path, rng: random.Random) -> bool:
    """Start a run, kill it at a random moment of its writing; whether a map was half written."""
    process = start(raw, out)
    while process.exitcode is None and not list(out.rglob("*.part")):
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.12))
    process.kill()
    process.join()
    return bool(list(out.rglob("*.part")))


@pytest.mark.slow
def test_a_killed_run_is_completed_to_the_byte_by_the_same_command(tmp_path: Path) -> None:
    raw, rng = tmp_path / "raw", random.Random(1)
    for number in range(4):
        write_diligent(raw / f"s{number}", bumps(700, 800, lights=4, seed=number))
    run(raw, tmp_path / "right")
    right = maps(tmp_path / "right")
    assert len(right) == 4 * len(MAPS)

    half_written = 0
    for kill in range(KILLS):
        out = tmp_path / f"out{kill}"
        half_written += killed_half_written(raw, out, rng)
        run(raw, out)
        assert maps(out) == right
        assert not list(out.rglob("*.part"))

    assert half_written >= HALF_WRITTEN
