"""The files of a data set: there and readable, of one size within a record, how much is marked.

Headers are read, pixels only of masks; every file is looked at alone, so memory does not grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from mvps.datasets.dataset import Tally
from mvps.datasets.normals import read_record_normals
from mvps.datasets.record import Record
from mvps.datasets.words import XYZ
from mvps.errors import ImageError, MvpsError
from mvps.images import DEFAULT_MAX_PIXELS, ImageRef, probe, read_image
from mvps.machine import cores

MOST_MASKS = 5000  # decoded unless all are asked for
_NOT_PROBED = (".exr", ".jxl", ".mat")  # their headers take a decoder
_AT_ONCE = 256  # files that wait for a thread

Size = tuple[int, int]  # width, height
Given = TypeVar("Given")
Done = TypeVar("Done")


@dataclass(frozen=True)
class MarkedArea:
    """What a mask marks.

    Attributes
    ----------
    record : that it belongs to
    pixels, share : marked, and as a share of the image
    """

    record: Record
    pixels: int
    share: float


def check_files(
    records: Sequence[Record],
    tally: Tally,
    *,
    deep: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Find files that are missing, cannot be read, or differ in size within a record.

    Parameters
    ----------
    deep : decode every image and every normal map
    progress : called with the number of records done
    """

    def look(record: Record) -> list[tuple[Path, Size | None, str]]:
        return [
            (path, *_looked(record, path, deep, max_pixels))
            for path in (record.rgb, record.normals, record.mask)
            if path is not None
        ]

    for record, found in _spread(look, records):
        progress(1)
        for path, _, fault in found:
            if fault == "missing":
                tally.add("error", "MISSING", "files are missing", str(path))
            elif fault:
                tally.add("error", "UNREADABLE", "files cannot be read", fault)
        sizes = {size for _, size, _ in found if size}
        if len(sizes) > 1:
            listed = " and ".join(f"{w}x{h}" for w, h in sorted(sizes))
            what = "images of one record differ in size"
            tally.add("error", "SIZE", what, f"{record.name} ({listed})")


def measure_masks(
    records: Sequence[Record], tally: Tally, *, every: bool = False
) -> tuple[tuple[MarkedArea, ...], int]:
    """Decode masks and measure what they mark.

    Parameters
    ----------
    every : decode all, not 5000 spread evenly over the data set

    Returns
    -------
    areas : of the masks that could be read, also empty ones
    masks : that there are
    """
    masked = [record for record in records if record.mask is not None]
    chosen = masked
    if len(masked) > MOST_MASKS and not every:
        places = np.linspace(0, len(masked) - 1, MOST_MASKS).astype(int)
        chosen = [masked[i] for i in places]
    areas = tuple(area for _, area in _spread(_area, chosen) if area is not None)
    _check_masks(records, areas, tally, complete=len(chosen) == len(masked))
    return areas, len(masked)


def _check_masks(
    records: Sequence[Record], areas: Iterable[MarkedArea], tally: Tally, *, complete: bool
) -> None:
    shown: set[tuple[str, str]] = set()
    empty: dict[tuple[str, str], str] = {}
    for area in areas:
        record = area.record
        key = (record.category, record.sample)
        if area.pixels and not record.label:
            tally.add("warning", "SOUND_MASK", "sound images with a marked defect", record.name)
        elif area.pixels:
            shown.add(key)
        elif record.label:
            empty[key] = record.name
    lacking = {
        (record.category, record.sample): record.name
        for record in records
        if record.label and record.mask is None and record.split != "train"
    }
    with_mask = {(r.category, r.sample) for r in records if r.label and r.mask is not None}
    for key, name in lacking.items():
        # A view that does not show the defect may go without a mask; a whole sample may not.
        if key not in with_mask:
            tally.add("warning", "NO_MASK", "defective samples without a mask", name)
    for key, name in empty.items():
        if complete and key not in shown:
            tally.add("warning", "EMPTY_MASK", "defective samples whose masks mark nothing", name)


def _looked(record: Record, path: Path, deep: bool, max_pixels: int) -> tuple[Size | None, str]:
    """Size of an image, None where it is not known, and what is wrong with it."""
    try:
        if not path.exists():
            return None, "missing"
        if path == record.normals and (deep or path.suffix.lower() in _NOT_PROBED):
            if not deep:
                return None, ""
            height, width = read_record_normals(record, max_pixels=max_pixels)[1].shape
            return (width, height), ""
        info = probe(ImageRef(path), max_pixels=max_pixels)
        if path == record.normals and info.channels != 3:
            kind = "points" if record.convention == XYZ else "a normal map"
            return None, f"{path}: is a grey image, not {kind}"
        if deep:
            read_image(ImageRef(path), max_pixels=max_pixels)
    except (MvpsError, OSError) as error:
        return None, str(error)
    return (info.width, info.height), ""


def _area(record: Record) -> MarkedArea | None:
    """None where the mask cannot be read, which :func:`check_files` tells."""
    if record.mask is None:
        return None
    try:
        image = read_image(ImageRef(record.mask))
    except (ImageError, OSError):
        return None
    marked = image.any(-1) if image.ndim == 3 else image != 0
    pixels = int(np.count_nonzero(marked))
    return MarkedArea(record, pixels, pixels / marked.size)


def _spread(
    function: Callable[[Given], Done], given: Sequence[Given]
) -> Iterator[tuple[Given, Done]]:
    """Results in the order given, from a few threads, few of them waiting."""
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(given), _AT_ONCE):
            part = given[start : start + _AT_ONCE]
            yield from zip(part, pool.map(function, part), strict=True)
