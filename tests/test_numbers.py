"""One number grammar for all texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvps.numbers import number_fault, parse_integer, parse_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e+001", 50.0), ("1e-3", 0.001), ("1.0e1", 10.0), (".5", 0.5), ("5.", 5.0), ("-007", -7.0)],
)
def test_numbers_that_yaml_takes_for_text_are_numbers(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text",
    ["", ".", "1,5", "0x10", "1_000", "nan", "inf", "1e999", "１", "1 ", "1e", "--1", "12:30"],
)
def test_what_other_grammars_take_for_numbers_is_none(text):
    assert parse_number(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_survives_being_spelt(value):
    assert parse_number(repr(value)) == value


@given(st.text(max_size=30))
def test_any_text_is_a_finite_number_or_none(text):
    value = parse_number(text)
    assert value is None or value - value == 0
    assert parse_integer(text) is None or parse_integer(text) == int(text)


def test_the_fault_of_a_number_says_what_to_write():
    assert number_fault("-0,25") == "'-0,25' has a decimal comma, write '-0.25'"
    assert number_fault("1,2,3") == "'1,2,3' holds a comma, separate numbers by white space"
    assert number_fault("x" * 50) == f"{'x' * 37 + '...'!r} is not a number"
