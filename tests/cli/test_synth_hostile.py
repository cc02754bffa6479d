"""Words and meshes that would crash ``mvps synth``, or that it would quietly take for others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mvps.cli import main

pytest.importorskip("mitsuba", reason="rendering needs the extra 'synth'")


def refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    part: object,
    out: Path,
    *words: str,
) -> str:
    """The one error line of a capture that ends with 2 and leaves nothing."""
    rest = ("--views", "top", "--samples", "1", *words)
    monkeypatch.setattr(sys, "argv", ["mvps", "synth", "capture", str(part), str(out), *rest])
    with pytest.raises(SystemExit) as ended:
        main()
    heard = capsys.readouterr()
    assert ended.value.code == 2, heard.err
    assert heard.out == "" or json.loads(heard.out).keys() == {"error"}
    assert "Traceback" not in heard.err
    assert not out.exists()
    (line,) = [line for line in heard.err.splitlines() if line.startswith("error:")]
    return line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--size", "0"), "--size: '0' has no pixels"),
        (("--size", "0x64"), "--size: '0x64' has no pixels"),
        (("--size", "1x1"), "--size: 1 is outside 16 to 8192"),
        (("--size", "100000x100000"), "is no size"),
        (("--seed", "-1"), "--seed: -1 is outside 0 to 9007199254740992"),
        (("--full-well", "inf"), "--full-well: inf is outside"),
        (("--vignetting", "1"), "--vignetting: 1.0 is outside 0 to 0.9"),
        (("--vignetting", "nan"), "--vignetting: nan is outside"),
        (("--psf", "9"), "--psf: 9.0 is outside 0 to 8"),
        (("--psf", "nan"), "--psf: nan is outside"),
        (("--turn", "nan"), "must be finite"),
        (("--bits", "7", "--json"), "7 bits"),
        (("--lights", "TWO"), "2 lights, at least 3"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    two = tmp_path / "two.lp"
    two.write_text("2\na 0.6 0 0.8\nb -0.6 0 0.8\n")
    words = tuple(str(two) if word == "TWO" else word for word in words)
    sized = words if words[0] == "--size" else ("--size", "32", *words)
    assert said in refused(monkeypatch, capsys, "block", tmp_path / "out", *sized)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("long.obj", b"v 0 0 0\nv 1e200 0 0\nv 0 1e200 0\nf 1 2 3\n", "from the origin"),
        ("far.obj", b"v 1e30 0 0\nv 1e30 9 0\nv 1e30 9 9\nf 1 2 3\n", "from the origin"),
        ("noise.stl", bytes(range(128, 256)) * 4, "cannot be read as a mesh"),
        ("count.stl", bytes(80) + b"\xff\xff\xff\xff" + bytes(100), "cannot be read as a mesh"),
        ("text.ply", b"hello\n", "cannot be read as a mesh"),
        ("nothing.wrl", b"", "VRML"),
    ],
)
def test_a_mesh_of_nonsense_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    content: bytes,
    said: str,
) -> None:
    (tmp_path / name).write_bytes(content)
    line = refused(monkeypatch, capsys, tmp_path / name, tmp_path / "out", "--size", "32")
    assert said in line
    assert "No module" not in line
