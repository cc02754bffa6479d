"""``mvps lights check`` and the same check before a run, as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from running import mvps
from scenes import bumps, write_diligent

SAMPLE = Path(__file__).resolve().parents[2] / "examples/sample_capture"


def rolled(folder: Path) -> Path:
    """The top view alone, its light file rolled by one."""
    raw = folder / "raw"
    shutil.copytree(SAMPLE, raw, ignore=shutil.ignore_patterns("truth", "left", "right", "back"))
    rig = (raw / "rig.yml").read_text("utf-8")
    start, end = rig.index("  left:"), rig.index("samples:")
    (raw / "rig.yml").write_text(rig[:start] + rig[end:], "utf-8")
    count, *rows = (raw / "lights/top.lp").read_text("utf-8").split("\n")[:9]
    names = [row.split(maxsplit=1)[0] for row in rows]
    numbers = [row.split(maxsplit=1)[1] for row in rows]
    lines = [f"{n} {v}" for n, v in zip(names, numbers[-1:] + numbers[:-1], strict=True)]
    (raw / "lights/top.lp").write_text("\n".join([count, *lines]) + "\n", "utf-8")
    return raw


def test_a_right_capture_exits_with_0_and_a_verdict_a_view() -> None:
    result = mvps("lights", "check", SAMPLE, "--json")
    document = json.loads(result.stdout)

    assert result.returncode == 0
    assert [s["verdict"]["answer"] for s in document["stacks"]] == ["right"] * 5
    assert document["failures"] == []
    assert "warning" not in result.stderr


def test_a_rolled_light_file_exits_with_1_and_says_what_fits(tmp_path: Path) -> None:
    result = mvps("lights", "check", rolled(tmp_path))

    assert result.returncode == 1
    assert "wrong" in result.stdout
    told = " ".join(result.stderr.split())
    assert "part_01/top: the lights fit better rolled by one (image 1 with row 2)" in told
    assert "top.lp" in told


def test_a_run_warns_but_is_not_stopped(tmp_path: Path) -> None:
    raw = rolled(tmp_path)

    result = mvps("normals", raw, tmp_path / "out")
    silent = mvps("normals", raw, tmp_path / "silent", "--no-light-check")

    assert result.returncode == silent.returncode == 0
    assert "rolled by one" in result.stderr
    assert "rolled by one" not in silent.stderr


def test_nothing_to_be_said_is_no_fault(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw", bumps(96, 96))

    result = mvps("lights", "check", tmp_path / "raw")

    assert result.returncode == 0
    assert "inconclusive" in result.stdout
