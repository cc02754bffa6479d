"""A small made-up test set with scores: pictures on disk, maps that know where the defect is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvps.datasets import Record
from mvps.detect.preprocess import Preprocess
from mvps.report.detect_study import NG, OK, Limits, ScoredImage, Specimen, Study, group

SIDE = 40
WHOLE = Preprocess(SIDE, SIDE)
SPOT = (slice(10, 18), slice(20, 30))  # of every mask: 80 of 1600 pixels


def write_part(folder: Path, category: str, sample: str, view: str, defect: str) -> Record:
    """A view with colour, normals and, where it is defective, a mask."""
    place = folder / category / sample
    place.mkdir(parents=True, exist_ok=True)
    colour = np.full((SIDE, SIDE, 3), 90, np.uint8)
    normals = np.full((SIDE, SIDE, 3), (255, 128, 128), np.uint8)  # BGR of 0, 0, 1
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[SPOT] = 255
    rgb_path, normals_path, mask_path = (place / f"{view}_{k}.png" for k in ("rgb", "nv", "mask"))
    assert cv2.imwrite(str(rgb_path), colour)
    assert cv2.imwrite(str(normals_path), normals)
    bad = defect != "good"
    if bad:
        assert cv2.imwrite(str(mask_path), mask)
    return Record(
        category, sample, view, "test", int(bad), defect, rgb_path, normals_path,
        mask_path if bad else None, "opengl",
    )  # fmt: skip


def map_of(height: float) -> NDArray[np.float32]:
    """A map that rises by ``height`` over the spot, with a slope so that no two pixels tie."""
    values = np.linspace(0, 0.01, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    values[SPOT] += np.float32(height)
    return values


def reader(height: float) -> Callable[[], NDArray[np.float32]]:
    """What reads such a map."""
    return lambda: map_of(height)


def scored(record: Record, score: float, threshold: float = 0.5) -> ScoredImage:
    """An image whose map rises by its score."""
    return ScoredImage(record, score, NG if score > threshold else OK, reader(score))


def parts(
    folder: Path, category: str, scores: Sequence[tuple[str, str, float]], views: int = 2
) -> list[Specimen]:
    """Specimens by name, defect and score; all views but the first score a tenth."""
    images = [
        scored(write_part(folder, category, name, f"v{view}", defect), score / (1 + 9 * (view > 0)))
        for name, defect, score in scores
        for view in range(views)
    ]
    return group(images, {})


def study(folder: Path) -> Study:
    """Two categories, one with a hostile name; a miss and a false alarm in the first."""
    first = parts(
        folder,
        "cap",
        [
            ("S1", "good", 0.1),
            ("S2", "good", 0.6),
            ("S3", "dent", 0.9),
            ("S4", "dent", 0.7),
            ("S5", "scratch", 0.3),
            ("S6", "stain", 0.8),
        ],
    )
    second = parts(folder, "<b>cup", [("S1", "good", 0.2), ("S2", "<i>pit", 0.9)])
    limits = {"cap": Limits(0.5, 0.5), "<b>cup": Limits(0.5, 0.5)}
    facts = (("Detector", "cprn"),)
    return Study("run <1>", facts, (*first, *second), limits, WHOLE)
