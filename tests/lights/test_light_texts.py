"""DiLiGenT tables and .lp files: what is meant well is read, every fault has its row."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.errors import InputError
from mvps.lights import read_lights

ROWS = ["0 0.6 0.8", "0.6 0 0.8", "-0.6 0 0.8", "0 -0.6 0.8"]
TABLE = "\n".join(ROWS) + "\n"
LP = "4\n" + "".join(f"img{i}.png {row}\n" for i, row in enumerate(ROWS, start=1))
EXPECTED = np.array([[float(x) for x in row.split()] for row in ROWS])


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fault(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read_lights(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        TABLE.rstrip("\n"),
        TABLE.replace(" ", "\t"),
        TABLE.replace("\n", "\r\n"),
        TABLE.replace("\n", "\r"),
        "\ufeff" + TABLE,
        "\n\n" + TABLE.replace("\n", "  \n\n"),
        "   " + TABLE.replace(" ", "   "),
        TABLE.replace("0.8", "8.0000000000000000e-001"),
        TABLE.replace("0.6 0 0.8\n-", "+.6 0 +.8\n-"),
    ],
    ids=["plain", "no-end", "tabs", "crlf", "cr", "bom", "blank", "spaces", "exponent", "no-zero"],
)
def test_a_table_of_directions_is_split_on_white_space_however_it_is_written(tmp_path, text):
    rig = read_lights(write(tmp_path, "light_directions.txt", text))

    assert rig.directions == pytest.approx(EXPECTED, abs=1e-15)
    assert rig.intensities.tolist() == [1, 1, 1, 1]
    assert rig.names == ()


@pytest.mark.parametrize("ends", ["\n", "\r\n", ""])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("gap", [" ", "\t", "   "])
def test_an_lp_file_gives_names_and_directions_however_it_is_written(tmp_path, start, gap, ends):
    text = start + LP.replace(" ", gap).rstrip("\n").replace("\n", ends or "\n") + ends

    rig = read_lights(write(tmp_path, "lights.lp", text))

    assert rig.names == ("img1.png", "img2.png", "img3.png", "img4.png")
    assert rig.directions == pytest.approx(EXPECTED, abs=1e-15)
    assert rig.notes == ()


def test_the_intensities_beside_the_directions_are_read_per_channel_or_grey(tmp_path):
    path = write(tmp_path, "light_directions.txt", TABLE)
    write(tmp_path, "light_intensities.txt", "1 2 3\n4 5 6\n7 8 9\n1 1 1")
    assert read_lights(path).intensities.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]]

    write(tmp_path, "light_intensities.txt", "1\n2\n3\n4")
    assert read_lights(tmp_path).intensities.tolist() == [1, 2, 3, 4]


def test_a_pair_may_be_named_by_both_its_files(tmp_path):
    path = write(tmp_path, "top.txt", TABLE)
    strengths = write(tmp_path, "strengths.txt", "1\n2\n3\n4")

    assert read_lights(path, intensities=strengths).intensities.tolist() == [1, 2, 3, 4]
    assert read_lights(path).intensities.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TABLE.replace("0.6 0 0.8", "0,6 0 0,8", 1),
            "line 2: '0,6' has a decimal comma, write '0.6'",
        ),
        (TABLE.replace("0.6 0 0.8", "0.6,0,0.8", 1), "line 2: '0.6,0,0.8' holds a comma"),
        (TABLE.replace("0.6 0 0.8", "0.6 0 up", 1), "line 2: 'up' is not a number"),
        (TABLE.replace("0.6 0 0.8", "0.6 0 nan", 1), "line 2: 'nan' is not a number"),
        (TABLE.replace("0.6 0 0.8", "0.6 0 1e999", 1), "line 2: '1e999' is too large"),
        (TABLE.replace("0.6 0 0.8", "0.6 0.8", 1), "line 2: 2 numbers, expected 3"),
        (
            TABLE.replace("0.6 0 0.8", "0.6 0 0.83", 1),
            "line 2: the direction has length 1.024, not 1",
        ),
        (TABLE.replace("0.6 0 0.8", "0 0 0", 1), "line 2: the direction has length 0, not 1"),
        ("0 1 2 3\n0 1 2 3\n0 1 2 3\n", "line 1: 4 numbers, expected 3; write one light a row"),
        ("", "holds no directions"),
        (b"\xff\xfe0\x00", "not UTF-8 text"),
    ],
)
def test_a_faulty_table_stops_with_file_and_row(tmp_path, text, message):
    path = write(tmp_path, "light_directions.txt", text)

    error = fault(path)

    assert error.startswith(str(path))
    assert message in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2\n3\n", "3 rows of intensities for 4 directions in light_directions.txt"),
        ("1\n2\n0\n4\n", "line 3: the intensity is not positive"),
        ("1 1 1\n1 1 -2\n1 1 1\n1 1 1\n", "line 2: the intensity is not positive"),
        ("1 1 1\n1 1\n", "line 2: 2 numbers, expected 3"),
        ("1 1\n", "line 1: 2 numbers, expected 1 or 3"),
        ("1,5\n1\n1\n1\n", "line 1: '1,5' has a decimal comma, write '1.5'"),
    ],
)
def test_faulty_intensities_stop_with_file_and_row(tmp_path, text, message):
    path = write(tmp_path, "light_directions.txt", TABLE)
    strengths = write(tmp_path, "light_intensities.txt", text)

    error = fault(path)

    assert error.startswith(str(strengths))
    assert message in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LP.replace("4\n", "5\n", 1), "line 1: the count says 5 lights, but 4 rows follow"),
        (LP.replace("4\n", "3\n", 1), "line 1: the count says 3 lights, but 4 rows follow"),
        (LP.replace("4\n", "", 1), "line 1: expected the number of lights alone"),
        (LP.replace("0.6 0 0.8", "0,6 0 0,8", 1), "line 3: '0,6' has a decimal comma"),
        (LP.replace("img2.png ", ""), "line 3: expected 'name x y z', found '0.6 0 0.8'"),
        (LP.replace("0.6 0 0.8", "0.7 0 0.8", 1), "line 3: the direction has length 1.063, not 1"),
        (LP.replace("0.6 0 0.8", "0 0 0", 1), "line 3: the direction has length 0, not 1"),
        ("0\n", "holds no light"),
        ("", "the file is empty"),
    ],
)
def test_a_faulty_lp_file_stops_with_file_and_row(tmp_path, text, message):
    path = write(tmp_path, "dome.lp", text)

    error = fault(path)

    assert error.startswith(str(path))
    assert message in error


def test_names_with_spaces_quotes_and_foreign_folders_stay_whole(tmp_path):
    rows = ['"my image.png" 0 0 1', r"C:\RTI Data\b 2.jpg 0.6 0 0.8", "/home/x/c.tif 0 0.6 0.8"]
    rig = read_lights(write(tmp_path, "a.lp", "3\n" + "\n".join(rows)))

    assert rig.names == ("my image.png", r"C:\RTI Data\b 2.jpg", "/home/x/c.tif")


def test_a_common_radius_is_normalised_and_said(tmp_path):
    text = "3\na 0 0 25\nb 15 0 20.1\nc 0 15 20\n"  # 25.08 is within 1% of 25

    rig = read_lights(write(tmp_path, "a.lp", text))

    assert rig.directions[0].tolist() == [0, 0, 1]
    assert rig.directions[2] == pytest.approx([0, 0.6, 0.8])
    (note,) = rig.notes
    assert note.endswith("a.lp: directions of common radius 25 were normalised")


def test_one_row_off_the_common_radius_is_named(tmp_path):
    path = write(tmp_path, "a.lp", "3\na 0 0 25\nb 15 0 22\nc 0 15 20\n")

    assert (
        f"{path}, line 3: the direction has length 26.63, not 1 within 1%, the others 25"
        in fault(path)
    )


@pytest.mark.parametrize("name", ["lights.lp", "light_directions.txt"])
def test_a_stated_convention_turns_the_directions(tmp_path, name):
    path = write(tmp_path, name, LP if name.endswith("lp") else TABLE)

    turned = read_lights(path, convention="opencv").directions

    assert turned == pytest.approx(EXPECTED * [1, -1, -1], abs=1e-15)


def test_a_missing_file_is_named(tmp_path):
    assert fault(tmp_path / "none.lp") == f"{tmp_path}/none.lp: no such file; check the name"


def test_an_lp_file_is_known_by_its_content_under_any_name(tmp_path):
    assert read_lights(write(tmp_path, "lights.txt", LP)).names[0] == "img1.png"
    assert "the first line of a .lp file is the count" in fault(
        write(tmp_path, "bare.txt", LP.split("\n", 1)[1])
    )


DIRECTION = st.tuples(*[st.floats(-1, 1, width=32)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)
NAME = st.text("abcXYZ019_-. äß", min_size=1).map(str.strip).filter(bool)


def spelt(value: float, style: int) -> str:
    return (f"{value!r}", f"{value:.17e}", f"{value:+.17f}")[style]


@settings(max_examples=40, deadline=None)
@given(
    vectors=st.lists(DIRECTION, min_size=1, max_size=12),
    names=st.lists(NAME, min_size=12, max_size=12),
    gap=st.sampled_from([" ", "\t", "  \t "]),
    ends=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    bom=st.booleans(),
    style=st.integers(0, 2),
    lp=st.booleans(),
)
def test_any_rig_survives_being_written_and_read(vectors, names, gap, ends, last, bom, style, lp):
    unit = np.array(vectors, float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows = [gap.join(spelt(x, style) for x in row) for row in unit.tolist()]
    if lp:
        rows = [str(len(rows)), *(f"{n}{gap}{row}" for n, row in zip(names, rows, strict=False))]
    text = ("\ufeff" if bom else "") + ends.join(rows) + (ends if last else "")
    with tempfile.TemporaryDirectory() as folder:
        rig = read_lights(write(Path(folder), "lights.lp" if lp else "table.txt", text))

    assert rig.directions == pytest.approx(unit, abs=1e-14)
    if lp:
        assert rig.names == tuple(names[: len(unit)])


JUNK = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.text('0123456789.,-+eE \t\n{}[]":abxyz', max_size=200).map(str.encode),
)


@settings(max_examples=150, deadline=None)
@given(data=JUNK, name=st.sampled_from(["a.lp", "a.txt", "a.json", "a.dome", "a.yml"]))
def test_junk_is_refused_in_one_line_or_read_as_a_sound_rig(data, name):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), name, data)
        try:
            rig = read_lights(path)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert np.linalg.norm(rig.directions, axis=1) == pytest.approx(1)
