"""Broken light files: each ends ``mvps lights show`` with 2 and one line that names its place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mvps import cli

ROWS = ["0 0.6 0.8", "0.6 0 0.8", "-0.6 0 0.8"]
TABLE = "\n".join(ROWS) + "\n"
LP = "3\n" + "".join(f"{n}.png {row}\n" for n, row in zip("abc", ROWS, strict=True))
ANGLES = "azimuth elevation\n0 40\n120 40\n240 40\n"
YAML = "version: 1\nlights:\n" + "".join(f"- [{row.replace(' ', ', ')}]\n" for row in ROWS)
JSON = '{"version": 1, "directions": [[0, 0.6, 0.8], [0.6, 0, 0.8], [-0.6, 0, 0.8]]}'
DOME = JSON.replace('"version": 1', '"lightConfiguration": "directional"')

BROKEN: list[tuple[str, str | bytes, str]] = [
    # file name, content, what the one line says behind the name
    ("a.lp", LP.replace("3\n", "", 1), ", line 1: expected the number of lights alone"),
    ("a.lp", LP.replace("3\n", "4\n", 1), ", line 1: the count says 4 lights, but 3 rows follow"),
    ("a.lp", LP.replace("3\n", "2\n", 1), ", line 1: the count says 2 lights, but 3 rows follow"),
    ("a.lp", LP.replace("3\n", "3,0\n", 1), ", line 1: expected the number of lights alone"),
    ("a.lp", LP.replace("0.6 0 0.8\nc", "0,6 0 0,8\nc"), ", line 3: '0,6' has a decimal comma"),
    ("a.lp", LP.replace("b.png ", ""), ", line 3: expected 'name x y z'"),
    ("a.lp", LP.replace("0.6 0 0.8\nc", "nan 0 0.8\nc"), ", line 3: 'nan' is not a number"),
    ("a.lp", LP.replace("0.6 0 0.8\nc", "0.6 0 0.9\nc"), ", line 3: the direction has length"),
    ("a.lp", "", ": the file is empty"),
    ("a.lp", "0\n", ": holds no light"),
    ("a.lp", b"3\na.png \x00\xff\xfe 0 0 1\n", ": not UTF-8 text (byte"),
    ("d.txt", TABLE.replace("0.6 0 0.8\n-", "0,6 0 0,8\n-"), ", line 2: '0,6' has a decimal comma"),
    ("d.txt", TABLE.replace("0.6 0 0.8\n-", "0.6;0;0.8\n-"), ", line 2: '0.6;0;0.8' is not a numb"),
    ("d.txt", TABLE.replace("0.6 0 0.8\n-", "inf 0 0.8\n-"), ", line 2: 'inf' is not a number"),
    ("d.txt", TABLE.replace("0.6 0 0.8\n-", "0.6 0.8\n-"), ", line 2: 2 numbers, expected 3"),
    (
        "d.txt",
        TABLE.replace("0.6 0 0.8\n-", "0.6 0 0\n-"),
        ", line 2: the direction has length 0.6",
    ),
    ("d.txt", "\n\n", ": holds no directions"),
    ("d.txt", b"\x89PNG\r\n\x1a\n\x00\x00", ": not UTF-8 text (byte 0)"),
    ("g.txt", ANGLES.replace("120 40", "120 4,5"), ", line 3: '4,5' has a decimal comma"),
    (
        "g.txt",
        ANGLES.replace("120 40", "120"),
        ", line 3: 1 numbers, expected 2 (azimuth elevation",
    ),
    ("g.txt", ANGLES.replace("120 40", "120 140"), ", line 3: elevation 140 is beyond 90 degrees"),
    ("g.txt", ANGLES.replace("120 40", "nan 40"), ", line 3: 'nan' is not a number"),
    (
        "g.txt",
        ANGLES.replace("elevation", "elevatoin"),
        ", line 1: unknown column 'elevatoin'; did",
    ),
    ("g.txt", ANGLES.replace("elevation", "intensity"), ", line 1: expected the columns azimuth"),
    ("g.txt", "azimuth elevation\n", ": holds no light"),
    ("g.txt", "azimuth slant red\n0 0 1\n", ", line 1: expected the column intensity, or red,"),
    ("g.txt", "azimuth slant intensity\n0 0 0\n", ", line 2: the intensity is not positive"),
    (
        "y.yml",
        YAML.replace("- [0.6, 0, 0.8]", "- [0.6, 0, .nan]"),
        ", line 4: lights[1][2]: '.nan'",
    ),
    (
        "y.yml",
        YAML.replace("- [0.6, 0, 0.8]", "- [0.6, 0, 0,8]"),
        ": directions, row 2: expected 3",
    ),
    ("y.yml", YAML.replace("- [0.6, 0, 0.8]", "- {nmae: a}"), ", line 4: lights[1].nmae: unknown"),
    ("y.yml", YAML.replace("- [0.6, 0, 0.8]", "- [0.6, 0, 0.9]"), ": row 2: the direction has len"),
    (
        "y.yml",
        YAML.replace("- [0.6, 0, 0.8]", "- {position: [0, 0, 9]}"),
        ", row 1: no position, th",
    ),
    (
        "y.yml",
        YAML.replace("[0.6, 0, 0.8]", "{position: [0, 0, 0]}"),
        ", row 2: row 1: the light st",
    ),
    ("y.yml", YAML + "version: 1\n", ", line 6: the key 'version' repeats that of line 1"),
    ("y.yml", "version: 1\nlights: [\n", ", line 3: not YAML"),
    ("y.yml", "", ": the file is empty"),
    ("j.json", JSON.replace("[0.6, 0, 0.8]", "[0.6, 0, NaN]"), ": NaN is not a number of JSON"),
    ("j.json", JSON.replace("[0.6, 0, 0.8]", "[0.6, 0]"), ": directions, row 2: expected 3 number"),
    (
        "j.json",
        JSON.replace("[0.6, 0, 0.8]", '["0,6", 0, 0.8]'),
        ": directions, row 2: '0,6' is not",
    ),
    ("j.json", JSON.replace("[0.6, 0, 0.8]", "[0.6, 0, 0.9]"), ": row 2: the direction has length"),
    ("j.json", JSON[:-1], ", line 1: not JSON"),
    ("j.json", JSON.replace("}", ', "names": ["a"]}'), ": 1 names for 3 lights"),
    ("j.json", "[]", ": expected a JSON object"),
    ("j.json", b"\xff\xfe{", ": not UTF-8 text"),
    ("r.dome", DOME.replace("[0.6, 0, 0.8]", '{"x": 0.6}'), ": directions, row 2: 'None' is not a"),
    ("r.dome", DOME.replace("[0.6, 0, 0.8]", "[0.6, 0, 0.9]"), ": row 2: the direction has length"),
    (
        "r.dome",
        DOME.replace("directional", "spherical"),
        ": domeDiameter and verticalOffset, row 1",
    ),
    ("r.dome", "{}", ": holds neither directions nor positions"),
    ("m.mat", b"MATLAB 5.0 MAT-file" + b"\0" * 200, ": "),
    ("m.mat", b"", ": not a MATLAB file that can be read"),
]


def test_there_are_at_least_25_broken_files_and_every_text_format_is_among_them():
    assert len(BROKEN) >= 25
    assert {Path(name).suffix for name, *_ in BROKEN} == {
        *(".lp", ".txt", ".yml", ".json", ".dome", ".mat")
    }


@pytest.fixture(scope="module")
def command():
    """The command tree, built once: each building adds every command once more."""
    return cli._command()


@pytest.mark.parametrize(
    ("name", "content", "message"), BROKEN, ids=[f"{i}-{b[0]}" for i, b in enumerate(BROKEN)]
)
def test_a_broken_file_ends_in_one_line_with_its_place(
    tmp_path, monkeypatch, capsys, command, name, content, message
):
    if name.endswith(".mat"):
        pytest.importorskip("scipy")
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setattr(cli, "_command", lambda: command)
    monkeypatch.setattr(sys, "argv", ["mvps", "lights", "show", str(path)])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    streams = capsys.readouterr()
    assert ended.value.code == 2
    assert streams.out == ""
    (line,) = streams.err.splitlines()
    assert line.startswith(f"error: {path}{message}")
