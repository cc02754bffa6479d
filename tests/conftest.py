"""Fixtures that every room shares."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_data() -> Callable[[str], Path]:
    """Folder of a real capture by name; skips, with the reason, where it is absent."""
    base = Path(os.environ.get("MVPS_TEST_DATA", ROOT / ".." / "shared" / "data"))

    def folder(name: str) -> Path:
        path = base / name
        if not path.is_dir():
            pytest.skip(f"real capture {name!r} is not at {base}; set MVPS_TEST_DATA")
        return path

    return folder
