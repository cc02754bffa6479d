"""Which specimens a contact sheet shows: a category a row, as many kinds of defects as it can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.images import ImageRef, read_image
from mvps.images.encodings import quantise
from mvps.images.maps import read_normals
from mvps.synth.contact_sheet import SheetRow
from mvps.synth.layout import OK, SampleName

Record = Mapping[str, Any]


def rows_of(
    out: Path, records: Mapping[SampleName, Record]
) -> tuple[list[SheetRow], tuple[str, ...]]:
    """Rows of the sheet in the order of the categories, and the names of its views."""
    shown: set[str] = set()
    rows = []
    for category in dict.fromkeys(name.category for name in records):
        mine = {name: r for name, r in records.items() if name.category == category}
        name = _telling(mine, shown)
        shown.add(name.anomaly_class)
        rows.append(_row(out, name, mine[name]))
    views = next(iter(records.values()))["views"].values()
    return rows, tuple(view["view"] for view in views)


def _telling(records: Mapping[SampleName, Record], shown: set[str]) -> SampleName:
    """A defective specimen of a kind not shown yet, its defect seen in the most views, large."""

    def worth(name: SampleName) -> tuple[bool, bool, int, int, int]:
        areas = [view["mask_pixels"] for view in records[name]["views"].values()]
        seen = sum(area > 0 for area in areas)
        fresh = name.anomaly_class not in shown
        return name.anomaly_class != OK, fresh, seen, sum(areas), -name.number

    return max(records, key=worth)


def _row(out: Path, name: SampleName, record: Record) -> SheetRow:
    folder = out / name.category
    pictures = []
    for view in record["views"].values():
        mask = view["mask_path"]
        pictures.append(
            (
                _picture(folder / view["image_path"]),
                _normals(folder / view["ps_path"]),
                None if mask is None else _picture(folder / mask),
            )
        )
    return SheetRow(name.category, f"{name.sample} {name.anomaly_class}", pictures)


def _picture(path: Path) -> NDArray[np.uint8]:
    return np.asarray(read_image(ImageRef(path)), np.uint8)


def _normals(path: Path) -> NDArray[np.uint8]:
    normals, valid = read_normals(path)
    return np.asarray(quantise(normals, valid, np.uint8))
