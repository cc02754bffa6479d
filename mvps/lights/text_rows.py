"""Rows of a text file with their line numbers: what the light tables share."""

from __future__ import annotations

from pathlib import Path

from mvps.errors import InputError
from mvps.files import read_text
from mvps.numbers import number_fault, parse_number


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Stripped lines that hold something, each with its number from 1."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def number_at(where: str, text: str) -> float:
    """Finite number that ``text`` spells; InputError with its place where it spells none."""
    value = parse_number(text)
    if value is None:
        raise InputError(where, number_fault(text))
    return value


def not_unit(path: Path, line: int, length: float, others: str = "") -> InputError:
    """The error for a direction of another length."""
    return InputError(
        f"{path}, line {line}",
        f"the direction has length {length:.4g}, not 1 within 1%{others}",
        "give unit vectors",
    )


def spelt(row: list[float]) -> str:
    """Numbers of a row, each in the fewest digits that read back as the same float64."""
    return " ".join(map(repr, row))
