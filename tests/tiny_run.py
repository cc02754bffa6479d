"""A run of a tiny encoder and PatchCore on a tiny MVTec AD tree: grey noise, and a white square."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from mvps.datasets import Dataset, read_dataset
from mvps.detect.run_folder import Run
from mvps.detect.run_settings import RunSettings
from mvps.detect.run_train import train_run

SIDE = 64


def write_noise(path: Path, seed: int, defect: bool = False, side: int = SIDE) -> Path:
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(90, 110, (side, side, 3), np.uint8)
    if defect:
        image[side // 4 : side // 2, side // 4 : side // 2] = 255
    assert cv2.imwrite(str(path), image)
    return path


def write_tree(root: Path) -> Dataset:
    """14 sound images to learn from, 4 sound and 3 defective ones to test."""
    import cv2

    part = root / "part"
    for i in range(14):
        write_noise(part / f"train/good/{i:03d}.png", i)
    for i in range(4):
        write_noise(part / f"test/good/{i:03d}.png", 100 + i)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[SIDE // 4 : SIDE // 2, SIDE // 4 : SIDE // 2] = 255
    for i in range(3):
        write_noise(part / f"test/spot/{i:03d}.png", 200 + i, defect=True)
        path = part / f"ground_truth/spot/{i:03d}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), mask)
    return read_dataset(root, "mvtec-ad")


def tiny_settings(**changes: Any) -> RunSettings:
    given: dict[str, Any] = {
        "detector": "patchcore",
        "encoder": "tiny",
        "layers": (1, 2, 4),
        "resize": SIDE,
        "crop": SIDE,
        "fusion": "rgb",
        "hold_out": 0.3,
    }
    return RunSettings(**given | changes)


@contextmanager
def store_at(folder: Path) -> Iterator[None]:
    """A store of weights and features of one's own, with the tiny encoder in it."""
    from tiny_vit import import_tiny

    with mock.patch.dict(os.environ, {"MVPS_CACHE": str(folder), "MVPS_TORCH_THREADS": "1"}):
        if not folder.exists():
            import_tiny(folder / "given")
        yield


def tiny_run(folder: Path) -> tuple[Run, Dataset]:
    """A run in FOLDER/run on the data in FOLDER/data."""
    dataset = write_tree(folder / "data")
    return train_run(dataset, tiny_settings(), folder / "run", cache=None, device="cpu"), dataset
