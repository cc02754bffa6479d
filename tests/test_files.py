"""Names in natural order and files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvps.errors import InputError
from mvps.files import append_line, atomic_path, natural_key, read_text, write_json


def test_two_comes_before_ten() -> None:
    names = ["10.png", "2.png", "a10b2.png", "a2b10.png", "1.png", "a2b9.png", "B1.png"]

    ordered = sorted(names, key=natural_key)

    assert ordered == ["1.png", "2.png", "10.png", "a2b9.png", "a2b10.png", "a10b2.png", "B1.png"]


@given(st.lists(st.text(max_size=12), unique=True, max_size=20))
def test_any_names_have_one_order(names: list[str]) -> None:
    backwards = names[::-1]

    assert sorted(backwards, key=natural_key) == sorted(names, key=natural_key)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    final = tmp_path / "map.bin"
    final.write_text("old")

    with pytest.raises(RuntimeError), atomic_path(final) as temporary:
        temporary.write_text("half")
        raise RuntimeError

    assert [path.name for path in tmp_path.iterdir()] == ["map.bin"]
    assert final.read_text() == "old"


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_lines_are_appended(tmp_path: Path) -> None:
    for line in ("one", "two"):
        append_line(tmp_path / "m.jsonl", line)

    assert (tmp_path / "m.jsonl").read_text() == "one\ntwo\n"


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"a\r\nb\rc", "a\nb\nc"), (b"\xef\xbb\xbfx", "x"), ("µ\n".encode(), "µ\n")],
)
def test_text_is_read_alike_from_every_system(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(data)

    assert read_text(path) == text


@pytest.mark.parametrize(("data", "fault"), [(None, "no such file"), (b"\xff\xfe0", "not UTF-8")])
def test_text_that_cannot_be_read_is_named(tmp_path: Path, data: bytes | None, fault: str) -> None:
    path = tmp_path / "t.txt"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(InputError, match=fault) as caught:
        read_text(path)
    assert str(path) in str(caught.value)
