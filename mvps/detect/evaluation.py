"""Figures of a scored data set: by category, view, kind and size of the defect, and their means.

Views, samples and pixels are counted as docs/metrics.md says. One category is held at a time, as
counts by bin, so that memory does not grow with the number of images that are sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import Record
from mvps.detect.evaluation_json import from_plain, to_plain
from mvps.metrics import ImageMetrics, PixelHistogram, PixelMetrics, by_sample, image_metrics

QUARTILES = 4
RULE = (
    "images and samples by the labels of the data set; kinds and sizes of defects by the views "
    "that show them, each against all sound views"
)


@dataclass(frozen=True)
class Part:
    """Figures of some views.

    Attributes
    ----------
    images : one score a view; None where no view is scored
    pixels : of the maps; None without maps or without masks
    """

    images: ImageMetrics | None
    pixels: PixelMetrics | None


@dataclass(frozen=True)
class SizePart:
    """Figures of the defects of a quartile of size, against all sound views.

    Attributes
    ----------
    smallest, largest : share of the image that a mask takes
    part : figures
    """

    smallest: float
    largest: float
    part: Part


@dataclass(frozen=True)
class CategoryFigures:
    """Figures of a category.

    Attributes
    ----------
    all : every view, by the label of its record
    seen : defective views that show the defect, against all sound views
    samples : the highest score of the views of a sample
    hidden : defective views whose mask is empty
    views, defects : by name of the viewpoint (as ``all``) and of the kind of defect (as ``seen``)
    sizes : quartiles of the size of the defects, smallest first (as ``seen``); none of fewer than
        four views
    """

    all: Part
    seen: Part
    samples: ImageMetrics
    hidden: int
    views: Mapping[str, Part]
    defects: Mapping[str, Part]
    sizes: tuple[SizePart, ...]


@dataclass(frozen=True)
class Evaluation:
    """Figures of a scored data set.

    Attributes
    ----------
    categories : by name, in the order in which they came
    limit : false-positive rate at which AUPRO ends
    rule : what counts as defective
    """

    categories: Mapping[str, CategoryFigures]
    limit: float
    rule: str = RULE

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it; NaN is null."""
        plain = asdict(self)
        plain["mean"] = {
            name: self.mean(name) | {"categories": counts(self.figures(name).values())}
            for name in ("all", "seen", *self.defects, *self.sizes)
        }
        found: dict[str, Any] = to_plain(plain)
        return found

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Evaluation:
        """What :meth:`to_json` wrote.

        Raises
        ------
        InputError
            It is something else.
        """
        return from_plain(cls, plain)

    @property
    def defects(self) -> tuple[str, ...]:
        """Kinds of defects of all categories."""
        return tuple(sorted({kind for c in self.categories.values() for kind in c.defects}))

    @property
    def sizes(self) -> tuple[str, ...]:
        """Names of the quartiles of size, smallest first."""
        count = max((len(c.sizes) for c in self.categories.values()), default=0)
        return tuple(f"quartile {i + 1}" for i in range(count))

    def figures(self, part: str = "all") -> dict[str, dict[str, float]]:
        """Figures by category of "all", "seen", a kind of defect or a quartile of size."""
        return {
            name: flat_figures(found, c.samples if part == "all" else None)
            for name, c in self.categories.items()
            for found in [_named_part(c, part)]
            if found is not None
        }

    def mean(self, part: str = "all") -> dict[str, float]:
        """Means of :meth:`figures` over the categories that have them."""
        return means(self.figures(part).values())


def flat_figures(part: Part, samples: ImageMetrics | None = None) -> dict[str, float]:
    """Figures by their usual names: I- of views, S- of samples, P- of pixels, and AUPRO."""
    found: dict[str, float] = {}
    for letter, of in (("I", part.images), ("S", samples)):
        if of is not None:
            found |= {
                f"{letter}-AUROC": of.auroc,
                f"{letter}-AP": of.ap,
                f"{letter}-F1": of.f1.value,
            }
    if part.pixels is not None:
        found |= {
            "P-AUROC": part.pixels.auroc.value,
            "P-AP": part.pixels.ap.value,
            "P-F1": part.pixels.f1.value,
            "AUPRO": part.pixels.aupro.value,
        }
    return found


def means(figures: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each figure over those that have it; NaN where none has."""
    kept = _defined(figures)
    return {n: float(np.mean(values)) if values else float("nan") for n, values in kept.items()}


def counts(figures: Iterable[Mapping[str, float]]) -> dict[str, int]:
    """How many have each figure."""
    return {n: len(values) for n, values in _defined(figures).items()}


def _defined(figures: Iterable[Mapping[str, float]]) -> dict[str, list[float]]:
    rows = list(figures)
    names = dict.fromkeys(name for row in rows for name in row)
    return {n: [row[n] for row in rows if np.isfinite(row.get(n, np.nan))] for n in names}


def _named_part(category: CategoryFigures, name: str) -> Part | None:
    if name in ("all", "seen"):
        return category.all if name == "all" else category.seen
    if name.startswith("quartile "):
        index = int(name.removeprefix("quartile ")) - 1
        return category.sizes[index].part if index < len(category.sizes) else None
    return category.defects.get(name)


@dataclass(frozen=True)
class _View:
    """A scored view; of a defective one the counts of its pixels, as arrays."""

    record: Record
    score: float
    area: float
    counts: Mapping[str, NDArray[Any]] | None


class Evaluator:
    """Takes scored records, those of a category in a row, and gives the figures.

    Parameters
    ----------
    limit : false-positive rate at which AUPRO ends

    Notes
    -----
    A view of a defective sample whose mask is empty counts as defective for images and samples, by
    the label of its record; its pixels count as sound.
    """

    def __init__(self, limit: float = 0.3) -> None:
        self._limit = limit
        self._done: dict[str, CategoryFigures] = {}
        self._category: str | None = None
        self._views: list[_View] = []
        self._sound: dict[str, PixelHistogram] = {}

    def add(
        self,
        record: Record,
        score: float,
        values: NDArray[Any] | None,
        mask: NDArray[np.bool_] | None,
    ) -> None:
        """Add a scored view.

        Parameters
        ----------
        record : whose label counts
        score : of the image, higher is less normal
        values : anomaly map (H, W), None where there is none
        mask : (H, W), where the defect shows; None where nothing is marked

        Raises
        ------
        InputError
            NaN, or a mask of another size than the map.
        ValueError
            The category was finished before.
        """
        if record.category != self._category:
            self._close()
            if record.category in self._done:
                raise ValueError(f"views of {record.category} come in two places")
            self._category = record.category
        area = float(mask.mean()) if mask is not None and record.label else 0.0
        counts = None
        if values is not None and record.label:
            alone = PixelHistogram()
            alone.add(values, mask if area else None, record.name)
            counts = alone.to_arrays()
        elif values is not None:
            self._sound.setdefault(record.view, PixelHistogram()).add(values, None, record.name)
        self._views.append(_View(record, score, area, counts))

    def finish(self) -> Evaluation:
        """Figures of everything added."""
        self._close()
        return Evaluation(dict(self._done), self._limit)

    def _close(self) -> None:
        if self._category is not None:
            self._done[self._category] = self._figures()
        self._category, self._views, self._sound = None, [], {}

    def _figures(self) -> CategoryFigures:
        views = self._views
        sound = [v for v in views if not v.record.label]
        bad = [v for v in views if v.record.label]
        # Where nothing is marked at all, nothing tells in which view a defect can be seen.
        seen = [v for v in bad if v.area > 0] or bad
        names = sorted({v.record.view for v in views})
        kinds = sorted({v.record.defect for v in seen})
        return CategoryFigures(
            all=self._part(views),
            seen=self._part([*sound, *seen]),
            samples=by_sample(_scores(views), _labels(views), [v.record.sample for v in views]),
            hidden=sum(v.area == 0 for v in bad) if any(v.area for v in bad) else 0,
            views={n: self._part([v for v in views if v.record.view == n]) for n in names},
            defects={
                k: self._part([*sound, *(v for v in seen if v.record.defect == k)]) for k in kinds
            },
            sizes=self._sizes(sound, [v for v in seen if v.area > 0]),
        )

    def _sizes(self, sound: Sequence[_View], seen: Sequence[_View]) -> tuple[SizePart, ...]:
        if len(seen) < QUARTILES:
            return ()
        ordered = sorted(seen, key=lambda v: (v.area, v.record.name))
        edges = [round(i * len(ordered) / QUARTILES) for i in range(QUARTILES + 1)]
        quartiles = [ordered[a:b] for a, b in pairwise(edges)]
        return tuple(SizePart(q[0].area, q[-1].area, self._part([*sound, *q])) for q in quartiles)

    def _part(self, views: Sequence[_View]) -> Part:
        if not views:
            return Part(None, None)
        return Part(image_metrics(_scores(views), _labels(views)), self._pixels(views))

    def _pixels(self, views: Sequence[_View]) -> PixelMetrics | None:
        """Of the sound views of the same viewpoints, and of the defective ones given."""
        marked = any(v.area > 0 for v in self._views)
        viewpoints = {v.record.view for v in views}
        whole = PixelHistogram()
        parts = [h for name, h in self._sound.items() if name in viewpoints]
        counts = [v.counts for v in views if v.counts is not None]
        if not marked or not (parts or counts):
            return None
        for part in parts:
            whole.merge(part)
        for arrays in counts:
            whole.merge_arrays(arrays)
        return whole.metrics(self._limit)


def _scores(views: Sequence[_View]) -> list[float]:
    return [v.score for v in views]


def _labels(views: Sequence[_View]) -> list[int]:
    return [v.record.label for v in views]
