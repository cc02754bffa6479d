"""What a data set holds, in figures: counts, marked areas, and whatever looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mvps.datasets.dataset import Dataset, Tally
from mvps.datasets.files import MarkedArea, check_files, measure_masks
from mvps.datasets.leaks import check_leaks
from mvps.datasets.record import Record
from mvps.findings import Finding
from mvps.images import DEFAULT_MAX_PIXELS

# Shares of an image, in halves of a decade; the first bin takes whatever is smaller.
AREA_EDGES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


@dataclass(frozen=True)
class CategoryCounts:
    """One category.

    Attributes
    ----------
    samples, images : parts, and views of them
    views : names of the viewpoints, "" where there is one only
    splits : images by split, each sound and defective
    defects : defective images by kind
    rgb, normals, masks : images that have them
    """

    category: str
    samples: int
    images: int
    views: tuple[str, ...]
    splits: dict[str, tuple[int, int]]
    defects: dict[str, int]
    rgb: int
    normals: int
    masks: int


@dataclass(frozen=True)
class Description:
    """What a data set holds.

    Attributes
    ----------
    masks : that there are
    areas : of those that were decoded
    """

    dataset: Dataset
    categories: tuple[CategoryCounts, ...]
    masks: int
    areas: tuple[MarkedArea, ...]
    findings: tuple[Finding, ...]

    @property
    def marked(self) -> tuple[MarkedArea, ...]:
        """Areas of defective images that show their defect."""
        return tuple(area for area in self.areas if area.pixels and area.record.label)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "folder": str(self.dataset.root),
            "layout": self.dataset.layout,
            "images": len(self.dataset.records),
            "categories": [_category_dict(counts) for counts in self.categories],
            "masks": self.masks,
            "masks_measured": len(self.areas),
            "area_share": area_table(self.marked),
            "findings": [asdict(finding) for finding in self.findings],
        }


def describe(
    dataset: Dataset,
    *,
    deep: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    progress: Callable[[int], None] = lambda _: None,
) -> Description:
    """Count, look at every file, measure masks, look for leaks.

    Parameters
    ----------
    deep : decode every image, and every mask
    progress : called with the number of records done
    """
    tally = Tally()
    check_files(dataset.records, tally, deep=deep, max_pixels=max_pixels, progress=progress)
    areas, masks = measure_masks(dataset.records, tally, every=deep)
    check_leaks(dataset.records, tally)
    return Description(
        dataset=dataset,
        categories=count(dataset.records),
        masks=masks,
        areas=areas,
        findings=dataset.findings + tally.findings(),
    )


def count(records: Sequence[Record]) -> tuple[CategoryCounts, ...]:
    """Counts a category, in the order of the records."""
    by_category: dict[str, list[Record]] = {}
    for record in records:
        by_category.setdefault(record.category, []).append(record)
    return tuple(_counted(category, mine) for category, mine in by_category.items())


def area_table(areas: Sequence[MarkedArea]) -> list[dict[str, Any]]:
    """A row a kind of defect, and one for all: how many, quartiles of the share, a histogram.

    The histogram counts images between consecutive :data:`AREA_EDGES`.
    """
    kinds: dict[str, list[float]] = {}
    for area in areas:
        kinds.setdefault(area.record.defect, []).append(area.share)
    rows = [("", [area.share for area in areas])] if areas else []
    rows += sorted(kinds.items())
    return [
        {
            "defect": defect,
            "images": len(shares),
            "quartiles": [float(q) for q in np.quantile(shares, (0, 0.25, 0.5, 0.75, 1))],
            "edges": list(AREA_EDGES),
            "histogram": [int(n) for n in np.histogram(shares, AREA_EDGES)[0]],
        }
        for defect, shares in rows
    ]


def _counted(category: str, records: list[Record]) -> CategoryCounts:
    splits = Counter((record.split, record.label) for record in records)
    named = dict.fromkeys(record.split for record in records)
    return CategoryCounts(
        category=category,
        samples=len({record.sample for record in records}),
        images=len(records),
        views=tuple(sorted({record.view for record in records})),
        splits={split: (splits[split, 0], splits[split, 1]) for split in named},
        defects=dict(sorted(Counter(r.defect for r in records if r.label).items())),
        rgb=sum(record.rgb is not None for record in records),
        normals=sum(record.normals is not None for record in records),
        masks=sum(record.mask is not None for record in records),
    )


def _category_dict(counts: CategoryCounts) -> dict[str, Any]:
    splits = {
        split: {"sound": sound, "defective": defective}
        for split, (sound, defective) in counts.splits.items()
    }
    return asdict(counts) | {"views": list(counts.views), "splits": splits}
