"""Curves of one category: ROC over parts, ROC and PRO over pixels, and the scale of its maps.

Pixels are counted in one pass over the maps, so that memory does not grow with their number.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvps.detect.preprocess import Preprocess, mask_pixels
from mvps.errors import MvpsError
from mvps.files import atomic_path
from mvps.metrics import Curve, PixelHistogram, exact_curve
from mvps.report.detect_charts import Line, spread_points
from mvps.report.detect_study import ScoredImage, Specimen

POINTS = 1000  # of a curve in a file
COLUMNS = ("category", "curve", "threshold", "false_positive_rate", "value")
TOP = 0.999  # share of the pixels below the upper end of the colours


@dataclass(frozen=True)
class CategoryCurves:
    """Lines of one category; None where it has no defect, or no maps.

    Attributes
    ----------
    scale : anomaly scores at the ends of the colours: the middle pixel, and the 99.9th percentile
    faults : maps and masks that could not be counted
    """

    parts: Line | None
    pixels: Line | None
    pro: Line | None
    scale: tuple[float, float]
    faults: tuple[str, ...]


def category_curves(
    name: str, specimens: Sequence[Specimen], preprocess: Preprocess
) -> CategoryCurves:
    """Count every map of a category once, and draw its curves; maps are of ``preprocess``."""
    labels = [specimen.defective for specimen in specimens]
    parts = None
    if any(labels) and not all(labels):
        curve = exact_curve([specimen.score for specimen in specimens], labels)
        parts = Line(name, curve.false_positive_rate, curve.recall, curve.threshold)
    histogram, faults = PixelHistogram(), []
    counted = 0
    for image in (image for specimen in specimens for image in specimen.images):
        if image.read_map is None:
            continue
        try:
            _count(histogram, image, preprocess)
            counted += 1
        except (MvpsError, OSError) as error:
            faults.append(str(error))
    if not counted:
        return CategoryCurves(parts, None, None, (0.0, 1.0), tuple(faults))
    curve, figures = histogram.curve(), histogram.metrics()
    marked = figures.regions > 0
    rate, level = curve.false_positive_rate, curve.threshold
    pixels = Line(name, rate, curve.recall, level) if marked else None
    pro = Line(name, rate, curve.overlap, level) if marked else None
    scale = _scale(curve, figures.defective / figures.pixels)
    return CategoryCurves(parts, pixels, pro, scale, tuple(faults))


def write_curves(found: CategoryCurves, path: Path, points: int = POINTS) -> bool:
    """Write the curves of a category as one CSV with :data:`COLUMNS`.

    The value is the recall of parts or pixels, of the PRO curve the mean overlap of the regions; a
    point calls defective what scores at least the threshold.

    Parameters
    ----------
    points : of each curve, evenly along it; 0 for all

    Returns
    -------
    False, and no file, where there is no curve.
    """
    named = {"ROC of parts": found.parts, "ROC of pixels": found.pixels, "PRO": found.pro}
    lines = {name: line for name, line in named.items() if line is not None}
    if not lines:
        return False
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, line in lines.items():
            kept = spread_points(line.x, line.y, points or len(line.x))
            columns = (array[kept].tolist() for array in (line.threshold, line.x, line.y))
            writer.writerows((line.name, name, *cells) for cells in zip(*columns, strict=True))
    return True


def _count(histogram: PixelHistogram, image: ScoredImage, preprocess: Preprocess) -> None:
    assert image.read_map is not None
    scores = image.read_map()
    mask = None
    if image.record.label and image.record.mask is not None:
        mask = mask_pixels(image.record.mask, preprocess, (scores.shape[0], scores.shape[1]))
    histogram.add(scores, mask, image.record.name)


def _scale(curve: Curve, defective: float) -> tuple[float, float]:
    """Scores that half, and nearly all, pixels stay below."""
    rates = np.nan_to_num(curve.false_positive_rate), np.nan_to_num(curve.recall)
    above = (1 - defective) * rates[0] + defective * rates[1]
    last = len(above) - 1
    low = float(curve.threshold[min(int(np.searchsorted(above, 0.5)), last)])
    # The first point, at infinity, calls nothing defective.
    high = float(curve.threshold[min(max(int(np.searchsorted(above, 1 - TOP)), 1), last)])
    return (low, high) if high > low else (low, low + 1.0)
