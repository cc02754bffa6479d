"""Faults of a rig file, each one line, and rig files to write."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import RIG

from mvps.capture import discover
from mvps.errors import InputError


def root_fault(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        discover(root)
    text = str(caught.value)
    assert "\n" not in text
    return text


def only_fault(root: Path, name: str) -> str:
    faults = [fault.message for fault in discover(root).faults if fault.stack == name]
    assert len(faults) == 1
    assert "\n" not in faults[0]
    return faults[0]


def write(root: Path, text: str) -> None:
    (root / "rig.yml").write_text(text)


def view(lines: str) -> str:
    """The good rig file with lines added to its view."""
    return RIG + "".join(f"    {line}\n" for line in lines.splitlines())
