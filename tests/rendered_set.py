"""A data set as a stranger reads it: by its lists alone, with nothing of what wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np


@dataclass(frozen=True)
class Row:
    """One view of one specimen, its files read."""

    entry: dict
    rgb: np.ndarray
    normals: np.ndarray
    mask: np.ndarray | None


def read_list(root: Path, category: str, part: str) -> list[Row]:
    lists = json.loads((root / f"{category}.json").read_text())
    home = root / lists["meta"]["prefix"]
    return [_row(home, entry) for entry in lists[part]]


def _row(home: Path, entry: dict) -> Row:
    samples = cv2.imread(str(home / entry["ps_path"]), cv2.IMREAD_UNCHANGED)[..., ::-1]
    white = np.iinfo(samples.dtype).max
    mask = entry["mask_path"]
    return Row(
        entry,
        cv2.imread(str(home / entry["image_path"]))[..., ::-1],
        samples.astype(np.float64) / white * 2 - 1,
        None if mask is None else cv2.imread(str(home / mask), cv2.IMREAD_UNCHANGED),
    )
