"""Good synthetic captures that each test breaks in exactly one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from captures import DIRECTIONS, RIG, image, images, lp, numbered, table


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    """A DiLiGenT folder: eight images, their lights, a mask."""
    folder = tmp_path / "raw" / "ball"
    images(folder, numbered())
    (folder / "light_directions.txt").write_text(table(DIRECTIONS))
    image(folder / "mask.png", dtype=np.uint8)
    return folder


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    """A capture with rig.yml: samples a2 and a10, one view, eight lights each."""
    root = tmp_path / "raw"
    for sample in ("a2", "a10"):
        images(root / sample / "top", [f"L{i:02d}.tif" for i in range(1, 9)])
    (root / "lights").mkdir()
    (root / "lights" / "top.lp").write_text(lp(numbered()))
    image(root / "masks" / "top.png", dtype=np.uint8)
    (root / "rig.yml").write_text(RIG)
    return root


@pytest.fixture
def rewrite() -> Callable[[Path, str, str], None]:
    """Replace one text of a file by another."""

    def change(path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change
