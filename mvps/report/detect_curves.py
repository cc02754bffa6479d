"""Curves of one category: ROC over parts, ROC and PRO over pixels, and the scale of its maps.

Pixels are counted in one pass over the maps, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvps.detect.preprocess import Preprocess, mask_pixels
from mvps.errors import MvpsError
from mvps.metrics import Curve, PixelHistogram, exact_curve
from mvps.report.detect_charts import Line
from mvps.report.detect_study import ScoredImage, Specimen

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
        parts = Line(name, curve.false_positive_rate, curve.recall)
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
    pixels = Line(name, curve.false_positive_rate, curve.recall) if marked else None
    pro = Line(name, curve.false_positive_rate, curve.overlap) if marked else None
    scale = _scale(curve, figures.defective / figures.pixels)
    return CategoryCurves(parts, pixels, pro, scale, tuple(faults))


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
