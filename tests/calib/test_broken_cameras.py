"""Each broken camera file is refused in one line that names file and line; none ends in a crash."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from broken_cameras import COLMAP, CORPUS, GOOD, Broken
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.calib import read_cameras
from mvps.errors import InputError


def file_of(folder: Path, good: str, content: str | bytes) -> tuple[Path, Path]:
    """The path to read, and the one that holds ``content``."""
    if good == "images":
        (folder / "cameras.txt").write_text(COLMAP)
    names = {"colmap": "cameras.txt", "images": "images.txt"}
    path = folder / names.get(good, "camera.any")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return (folder if good == "images" else path), path


def broken_file(folder: Path, row: Broken) -> tuple[Path, Path]:
    if row.old is None:
        return file_of(folder, row.good, row.new)
    assert GOOD[row.good].count(row.old) >= 1
    return file_of(folder, row.good, GOOD[row.good].replace(row.old, row.new, 1))


@pytest.mark.parametrize("good", GOOD)
def test_the_unbroken_file_is_read(tmp_path, good):
    path, _ = file_of(tmp_path, good, GOOD[good])

    assert read_cameras(path)[0].image_size == (640, 480)


@pytest.mark.parametrize("good", [name for name in GOOD if name != "images"])
@pytest.mark.parametrize("change", ["bom", "crlf", "blank end"])
def test_a_bom_windows_line_ends_and_blanks_change_nothing(tmp_path, good, change):
    content = GOOD[good].encode()
    if change == "bom":
        content = b"\xef\xbb\xbf" + content
    elif change == "crlf":
        content = content.replace(b"\n", b"\r\n")
    else:
        content += b"  \n\n"
    path, _ = file_of(tmp_path, good, content)

    assert read_cameras(path)[0].image_size == (640, 480)


def test_the_corpus_is_large_and_breaks_each_thing_once():
    assert len(CORPUS) >= 40
    assert len({row.name for row in CORPUS}) == len(CORPUS)
    assert {row.good for row in CORPUS} == set(GOOD)


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.name)
def test_a_broken_file_gives_one_line_with_file_and_line(tmp_path, row):
    path, at_fault = broken_file(tmp_path, row)

    with pytest.raises(InputError) as caught:
        read_cameras(path)

    text = str(caught.value)
    place = f"{at_fault}, line {row.line}: " if row.line else str(at_fault)
    assert text.startswith(place), text
    assert row.message in text
    assert "\n" not in text
    assert len(text) < len(str(at_fault)) + 300


HOSTILE = st.sampled_from(
    ["1e308", "-1e308", "1e-320", "0", "-0", "1e999", "nan", "x", "", "9" * 400, "1,5", "[", "-"]
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), good=st.sampled_from(sorted(GOOD)))
def test_a_file_with_any_number_spoilt_is_read_or_refused_in_one_line(data, good):
    text = GOOD[good]
    places = [match.span() for match in re.finditer(r"-?\d+\.?\d*", text)]
    start, end = data.draw(st.sampled_from(places))
    spoilt = text[:start] + data.draw(HOSTILE) + text[end:]
    cut = data.draw(st.integers(0, len(spoilt)) | st.just(len(spoilt)))

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        path, _ = file_of(Path(folder), good, spoilt[:cut])
        try:
            for camera in read_cameras(path):
                assert np.isfinite(camera.matrix).all()
        except InputError as error:
            assert str(error).startswith(folder)
            assert "\n" not in str(error)


DRIVER = """
import functools, sys
from mvps import cli
cli._command = functools.cache(cli._command)
target, *paths = sys.argv[1:]
for path in paths:
    sys.argv = ["mvps", "calib", "convert", path, target, "--to", "mvps"]
    try:
        cli.main()
    except SystemExit as end:
        print(end.code)
"""


def test_no_broken_file_shows_a_traceback_on_the_command_line(tmp_path):
    paths = []
    for number, row in enumerate(CORPUS):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(str(broken_file(folder, row)[0]))

    result = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path / "out.yml"), *paths],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.stdout.split() == ["2"] * len(CORPUS)
    lines = result.stderr.splitlines()
    assert len(lines) == len(CORPUS)
    for line, path in zip(lines, paths, strict=True):
        assert line.startswith(f"error: {path}")
    assert not (tmp_path / "out.yml").exists()
