"""Faults of the user's in ``mvps synth``: one line each, exit code 2, and nothing written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvps.calib import write_cameras
from mvps.cli import main
from mvps.synth.views import five_views

pytest.importorskip("mitsuba", reason="rendering needs the extra 'synth'")

EMPTY = """ply
format ascii 1.0
element vertex 1
property float x
property float y
property float z
element face 0
property list uchar int vertex_indices
end_header
0 0 0
"""
# Two squares and a third that stands on their common edge.
FAN = "v 0 0 0\nv 9 0 0\nv 9 9 0\nv 0 9 0\nv 18 0 0\nv 18 9 0\nv 9 0 5\nv 9 9 5\n"
FAN += "f 1 2 3 4\nf 2 5 6 3\nf 2 3 8 7\n"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process, which spares the start: exit code and messages."""

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mvps", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return code if isinstance(code, int) else 0, capsys.readouterr().err

    return call


def one_line(messages: str) -> str:
    """The one error line; nothing may look like a crash."""
    assert "Traceback" not in messages
    (line,) = [line for line in messages.splitlines() if line.startswith("error:")]
    return line


def capture(run: Run, part: object, out: Path, *words: object) -> str:
    code, messages = run("synth", "capture", part, out, "--size", 64, "--samples", 1, *words)
    assert code == 2, messages
    assert not out.exists()
    return one_line(messages)


def test_an_unknown_part_gets_a_suggestion(run: Run, tmp_path: Path) -> None:
    assert "did you mean 'block'?" in capture(run, "blok", tmp_path / "out")


def test_a_missing_mesh_file_is_named(run: Run, tmp_path: Path) -> None:
    assert "no such file" in capture(run, tmp_path / "part.stl", tmp_path / "out")


def test_a_mesh_without_faces_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty.ply"
    path.write_text(EMPTY)
    assert "face" in capture(run, path, tmp_path / "out")


def test_a_mesh_in_metres_is_noticed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "metres.obj"
    path.write_text(_box(0.02))
    words = ("--views", "top", "--size", 32, "--samples", 1)
    _, messages = run("synth", "capture", path, tmp_path / "out", *words)
    (warning,) = [line for line in messages.splitlines() if line.startswith("warning:")]
    assert "0.02" in warning
    assert "unit" in warning


def test_a_mesh_that_is_no_surface_is_noticed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "fan.obj"
    path.write_text(FAN)
    words = ("--views", "top", "--size", 32, "--samples", 1)
    _, messages = run("synth", "capture", path, tmp_path / "out", *words)
    assert any("manifold" in line or "edges" in line for line in messages.splitlines())
    assert "Traceback" not in messages


def test_a_defect_larger_than_the_part_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "tiny.obj"
    path.write_text(_box(0.6))
    line = capture(run, path, tmp_path / "out", "--defect", "dent")
    assert "larger than the part" in line


def test_a_camera_that_does_not_see_the_part_is_refused(run: Run, tmp_path: Path) -> None:
    camera = five_views(20, (64, 64))[0].camera
    away = tmp_path / "away.yml"
    # Half a turn about its x axis: the camera looks up from where it stands.
    turn = np.diag([1.0, -1.0, -1.0])
    turned = replace(camera, rotation=turn @ camera.rotation, translation=turn @ camera.translation)
    write_cameras([turned], away, "mvps")
    line = capture(run, "block", tmp_path / "out", "--views", away)
    assert "see the part" in line or "looks at the plate" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--views", "fron"), "did you mean 'front'?"),
        (("--views", "top,top"), "names the view 'top' twice"),
        (("--defect", "scrach"), "did you mean 'scratch'?"),
        (("--defect", "bent_pin"), "no pins"),
        (("--material", "chrome"), "unknown material 'chrome'"),
        (("--lights", "nowhere.lp"), "nowhere.lp: no such file"),
        (("--lights", "2"), "--lights"),
        (("--lights", "-3"), "--lights: -3 lights; give 3 or more"),
        (("--units", "m"), "--units: block is in mm already"),
        (("--views", "cam1", "--size", "512x512"), "512x375 fits"),
        (("--bits", "10"), "10 bits"),
        (("--size", "big"), "'big' is no size"),
        (("--samples", "0"), "samples"),
        (("--full-well", "-1"), "--full-well: -1.0 is outside"),
    ],
)
def test_words_that_cannot_be_met_are_named(
    run: Run, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in capture(run, "block", tmp_path / "out", *words)


def test_a_part_that_leaves_the_picture_is_told_by_view() -> None:
    from mvps.synth.station import cut_off, lights_of, views_of
    from mvps.synth.subjects import find_part

    part = find_part("block").part
    views = views_of(part, ("top", "front"), (64, 64), lights_of(4, ""))
    assert cut_off(views, part.mesh) == ()
    wide = replace(part.mesh, vertices=part.mesh.vertices * (8.0, 1.0, 1.0))
    lines = cut_off(views, wide)
    assert len(lines) == 2
    assert lines[0].startswith("view top: ")
    assert "of the part's corners lie outside the picture" in lines[0]


@pytest.mark.parametrize(
    "words",
    [
        ("capture", "block", "--views", "top", "--size", 32, "--samples", 1),
        ("dataset", "--categories", "block", "--normal", 1, "--defective", 0, "--size", 32),
    ],
)
def test_a_folder_that_cannot_be_made_is_named(run: Run, words: tuple[object, ...]) -> None:
    code, messages = run("synth", *words, "/proc/nowhere/out")
    assert code == 2, messages
    assert "/proc/nowhere/out: cannot be made" in one_line(messages)


def test_a_folder_with_something_else_is_left_alone(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("mine")
    for command in (("capture", "block", tmp_path), ("dataset", tmp_path, "--categories", "block")):
        code, messages = run("synth", *command)
        assert code == 2
        assert "holds files" in one_line(messages)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--categories: is missing"),
        (("--categories", "blok"), "did you mean 'block'?"),
        (("--categories", "block", "--defects", "dint"), "did you mean 'dent'?"),
        (("--categories", "block", "--defects", "bent_pin"), "none of them suits block"),
        (("--categories", "all,block"), "names all and more"),
        (("--categories", "block", "--workers", "-1"), "--workers: -1 is negative"),
        (("--config", "nowhere.yml"), "nowhere.yml: no such file"),
    ],
)
def test_a_data_set_that_cannot_be_made_is_not_begun(
    run: Run, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    code, messages = run("synth", "dataset", tmp_path / "out", *words)
    assert code == 2, messages
    assert said in one_line(messages)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("blok",), "did you mean 'block'?"),
        (("block", "--lights", "2"), "--lights: 2 is outside 3 to 128"),
        (("block", "--lights", "3,x"), "'x' is not a number"),
        (("block", "--elevation", "95"), "--elevation: 95 is outside"),
        (("block", "--view", "five"), "'five' is 5 views"),
        (("block", "--plot", "plan.doc"), "not a picture's name"),
        (("block", "--solver", "magic"), "magic"),
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    code, messages = run("synth", "plan", *words, "--size", 64)
    assert code == 2, messages
    assert said in one_line(messages)


def _box(side: float) -> str:
    corners = [(x, y, z) for x in (0, side) for y in (0, side) for z in (0, side)]
    faces = [(1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners]
    lines += [f"f {a} {b} {c}\nf {a} {c} {d}" for a, b, c, d in faces]
    return "\n".join(lines) + "\n"
