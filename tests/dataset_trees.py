"""Tiny data sets in every layout that is read, with images of a few pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIDE = 16
STAMP = "20230922132131"
MASK_SIDE = 4  # of the square that a mask marks
FACING = (128, 128, 255)  # a normal that faces the camera, as RGB


class Painter:
    """Writes images that all differ."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._generator = np.random.default_rng(0)

    def colour(self, name: str, side: int = SIDE) -> None:
        self._write(name, self._generator.integers(0, 256, (side, side, 3), np.uint8))

    def normals(self, name: str) -> None:
        image = np.full((SIDE, SIDE, 3), FACING[::-1], np.uint8)
        image[0] = self._generator.integers(100, 156, (SIDE, 3), np.uint8)
        self._write(name, image)

    def mask(self, name: str, side: int = MASK_SIDE) -> None:
        image = np.zeros((SIDE, SIDE), np.uint8)
        image[:side, :side] = 255
        self._write(name, image)

    def points(self, name: str, slope: float = 0.0) -> None:
        """A plane half a metre away that recedes to the right, with a hole."""
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) * 0.001
        points = np.stack([x, y, 0.5 + slope * x], axis=-1).astype(np.float32)
        points[10:12, 10:12] = 0
        points[-1, -1] += self._generator.uniform(0, 1e-4)
        self._write(name, points[..., ::-1])

    def text(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _write(self, name: str, image: np.ndarray) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), image)


def write_list(
    path: Path, prefix: str, splits: dict[str, list[dict[str, Any]]], **meta: Any
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    value = {"meta": {"prefix": prefix, "normal_class": "OK", **meta}, **splits}
    path.write_text(json.dumps(value))


def realiad(root: Path, deeper: bool = False, fuiad: bool = False) -> None:
    """Two categories; three sound samples of two views for training, one sound and one bad."""
    paint = Painter(root)
    for category in ("audiojack", "bottle_cap"):
        splits: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
        for number, code in ((1, "OK"), (2, "OK"), (3, "OK"), (4, "OK"), (1, "AK")):
            above = "OK" if code == "OK" else f"NG/{code}"
            for view in ("C1", "C2"):
                stem = f"{above}/S{number:04d}/{category}_{number:04d}_{code}_{view}_{STAMP}"
                paint.colour(f"realiad_512/{category}/{stem}.jpg")
                marked = code != "OK" and view == "C1"
                if marked:
                    paint.mask(f"realiad_512/{category}/{stem}.png")
                row = {
                    "category": category,
                    "anomaly_class": code,
                    "image_path": f"{stem}.jpg",
                    "mask_path": f"{stem}.png" if marked else None,
                }
                bad_in_training = fuiad and code != "OK" and category == "audiojack"
                train = bad_in_training or (code == "OK" and number < 4)
                splits["train" if train else "test"].append(row)
        above = "realiad_jsons_fuiad_0.1" if fuiad else "realiad_jsons"
        inner = f"{above}/{above}" if deeper else above
        write_list(root / inner / f"{category}.json", f"{category}/", splits)


def realiad_d3(root: Path) -> None:
    """A category whose name is spelt in three ways, with points that must not be read."""
    paint = Painter(root)
    splits: dict[str, list[dict[str, Any]]] = {"train": [], "validation": [], "test": []}
    for number, code, split in (
        (1, "OK", "train"),
        (2, "OK", "validation"),
        (3, "scratch", "test"),
    ):
        stem = f"{code}/S{number:04d}/knob-cap_{number:04d}_{code}"
        for light in range(1, 6):
            paint.colour(f"realiad_d3_raw/knob-cap/{stem}_RGBL{light:02d}_{STAMP}.jpg")
        paint.normals(f"realiad_d3_raw/knob-cap/{stem}_PS_{STAMP}.jpg")
        paint.text(f"realiad_d3_raw/knob-cap/{stem}_XYZ_{STAMP}.tiff", "placeholder")
        mask = f"{stem}_MASK_{STAMP}.png"
        if code != "OK":
            paint.mask(f"realiad_d3_raw/knob-cap/{mask}")
        splits[split].append(
            {
                "category": "knob_cap",
                "anomaly_class": code,
                "image_path": f"{stem}_RGBL05_{STAMP}.jpg",
                "ps_path": f"{stem}_PS_{STAMP}.jpg",
                "xyz_path": f"{stem}_XYZ_{STAMP}.tiff",
                "mask_path": mask if code != "OK" else None,
            }
        )
    write_list(root / "realiad_d3_jsons" / "knob_cap.json", "knob_cap/", splits)


def realiad_mvn(root: Path, lists: bool = True, sound: int = 4) -> None:
    """The tree of ``mvps synth dataset``: a category whose name and defect hold underscores."""
    paint = Painter(root)
    splits: dict[str, list[dict[str, Any]]] = {"train": [], "validation": [], "test": []}
    for number in range(1, sound + 3):
        code = "OK" if number <= sound else "bent_pin"
        above = "OK" if code == "OK" else f"NG/{code}"
        for view in ("C1", "C2"):
            stem = f"{above}/S{number:04d}/jst_eh_{number:04d}_{code}_{view}"
            files = {kind: f"{stem}_{kind}_{STAMP}.png" for kind in ("RGB", "PS", "MASK")}
            paint.colour(f"jst_eh/{files['RGB']}")
            paint.normals(f"jst_eh/{files['PS']}")
            if code != "OK":
                paint.mask(f"jst_eh/{files['MASK']}", MASK_SIDE if view == "C1" else 0)
            train = code == "OK" and number < sound
            splits["train" if train else "test"].append(
                {
                    "category": "jst_eh",
                    "anomaly_class": code,
                    "sample": f"S{number:04d}",
                    "view": view,
                    "image_path": files["RGB"],
                    "ps_path": files["PS"],
                    "mask_path": files["MASK"] if code != "OK" else None,
                    "defects": [],
                }
            )
    paint.text("dataset.yml", "seed: 0\n")
    paint.text("records/jst_eh/S0001.json", "{}")
    if lists:
        views = {"C1": "top", "C2": "front"}
        write_list(root / "jst_eh.json", "jst_eh/", splits, views=views)


def eyecandies(root: Path) -> None:
    paint = Painter(root)
    for split, bad in (("train", ()), ("val", ()), ("test_public", ("000",)), ("test_private", ())):
        for number in ("000", "001"):
            stem = f"CandyCane/{split}/data/{number}"
            for light in range(6):
                paint.colour(f"{stem}_image_{light}.png")
            paint.normals(f"{stem}_normals.png")
            paint.mask(f"{stem}_mask.png", MASK_SIDE if number in bad else 0)
            flag = int(number in bad)
            paint.text(f"{stem}_metadata.yaml", f"anomalous: {flag}\nbumps: 0\ndents: {flag}\n")


def mvtec_ad(root: Path) -> None:
    paint = Painter(root)
    for split, defect in (("train", "good"), ("test", "good"), ("test", "crack")):
        for number in ("000", "001"):
            paint.colour(f"bottle/{split}/{defect}/{number}.png")
            if defect != "good":
                paint.mask(f"bottle/ground_truth/{defect}/{number}_mask.png")


def mvtec_3d(root: Path) -> None:
    paint = Painter(root)
    kinds = (("train", "good"), ("validation", "good"), ("test", "good"), ("test", "hole"))
    for split, defect in kinds:
        for number in ("000", "001"):
            folder = f"bagel/{split}/{defect}"
            paint.colour(f"{folder}/rgb/{number}.png")
            paint.points(f"{folder}/xyz/{number}.tiff", slope=1.0)
            paint.mask(f"{folder}/gt/{number}.png", MASK_SIDE if defect != "good" else 0)


def mvps_run(root: Path, stacks: tuple[str, ...]) -> None:
    paint = Painter(root)
    paint.text("manifest.jsonl", "")
    for stack in stacks:
        paint.normals(f"{stack}/normals.png")
        paint.text(f"{stack}/stack.json", "{}")
