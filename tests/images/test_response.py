"""The camera's curve is undone as its definition says, and a bad curve names its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.images import parse_response


def test_the_linear_response_changes_nothing() -> None:
    response = parse_response("linear")
    assert response.is_linear and response.name == "linear"
    table = response.table(np.uint16, 4095)
    np.testing.assert_array_equal(table, np.arange(65536, dtype=np.float32))
    assert parse_response("gamma=1").is_linear


@pytest.mark.parametrize(
    ("value", "light"),
    # IEC 61966-2-1: both branches at their border, and 188/255, close to half the light.
    [(0.0, 0.0), (0.02, 0.02 / 12.92), (0.04045, 0.0031308), (188 / 255, 0.502886), (1.0, 1.0)],
)
def test_srgb_follows_its_standard(value: float, light: float) -> None:
    response = parse_response("srgb")
    assert not response.is_linear
    assert response.apply(np.array([value]))[0] == pytest.approx(light, abs=1e-6)
    assert response.table(np.uint8, 255)[round(value * 255)] == pytest.approx(
        255 * response.apply(np.array([round(value * 255) / 255]))[0], rel=1e-6
    )


@pytest.mark.parametrize("name", ["srgb", "gamma=2.2"])
@pytest.mark.parametrize(("dtype", "white"), [("u1", 255), ("u2", 4095), ("u2", 65520)])
def test_white_stays_white_and_nothing_exceeds_it(name: str, dtype: str, white: int) -> None:
    table = parse_response(name).table(dtype, white)
    assert table.dtype == np.float32 and table.size == 1 << np.dtype(dtype).itemsize * 8
    assert table[0] == 0 and table[white] == white and table.max() == white
    assert (np.diff(table[: white + 1]) > 0).all()


def test_a_gamma_is_the_exponent_from_sample_to_light() -> None:
    half = parse_response("gamma=2.2").apply(np.array([0.5, 2.0, np.nan], np.float32))
    assert half[0] == pytest.approx(0.5**2.2, rel=1e-6) and half[1] == 1
    assert np.isnan(half[2]) and half.dtype == np.float32


def test_a_file_of_two_columns_is_scaled_to_its_last_row(tmp_path: Path) -> None:
    path = tmp_path / "curve.txt"
    path.write_text("# camera 7\n0 0\n128\t10  # middle\n\n256 40\n", encoding="utf-8")
    response = parse_response(str(path))
    assert response.name == str(path) and not response.is_linear
    np.testing.assert_allclose(
        response.apply(np.array([0, 0.25, 0.5, 0.75, 1.0])), [0, 0.125, 0.25, 0.625, 1.0]
    )
    assert response.table(np.uint16, 1000)[500] == pytest.approx(250)


def test_a_file_of_one_column_counts_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "curve.txt"
    path.write_text("0\n1\n4\n", encoding="utf-8")
    np.testing.assert_allclose(
        parse_response(str(path)).apply(np.array([0.25, 0.5, 1.0])), [0.125, 0.25, 1.0]
    )


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("0 0\n1 x\n", "line 2", "'x' is not a number"),
        ("0 0\n0,5 1\n", "line 2", "comma"),
        ("0 0\n5 1\n5 2\n", "line 3", "does not rise"),
        ("0 0\n5 2\n6 1\n", "line 3", "falls"),
        ("0 0\n5\n", "line 2", "1 columns"),
        ("0 0 0\n", "line 1", "3 columns"),
        ("0 nan\n1 1\n", "line 1", "not finite"),
        ("-1 0\n1 1\n", "line 1", "negative"),
        ("0 0\n", "curve.txt", "not a response curve"),
        ("0 3\n1 3\n", "curve.txt", "not a response curve"),
        ("", "curve.txt", "not a response curve"),
    ],
)
def test_a_bad_curve_names_its_file_and_row(
    tmp_path: Path, text: str, where: str, why: str
) -> None:
    path = tmp_path / "curve.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        parse_response(str(path))
    message = str(caught.value)
    assert "curve.txt" in message and where in message and why in message


@pytest.mark.parametrize("text", ["sRBG", "gamma=", "gamma=nan", "gamma=0", "nowhere.txt", ""])
def test_an_unknown_word_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="response"):
        parse_response(text)
