"""A ball under near lamps, for the runs that find it or are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from near_captures import SIZE, write_capture
from near_scenes import lamps, sight, sphere_scene


@pytest.fixture
def ball():
    """A ball under eight lamps at 150 to 400 mm, seen along parallel lines."""
    return sphere_scene(sight(SIZE, perspective=False), lamps())


@pytest.fixture
def raw(tmp_path, ball) -> Path:
    return write_capture(tmp_path / "raw", ball)
