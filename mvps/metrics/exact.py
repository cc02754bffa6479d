"""The definition: every score sorted in float64, ties taken together.

ROC and precision-recall as in Fawcett, "An introduction to ROC analysis" (2006); PRO after Bergmann
et al., "The MVTec anomaly detection dataset" (IJCV 2021), its end interpolated at the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.errors import InputError
from mvps.metrics.ladder import Ladder, thresholds_below
from mvps.metrics.regions import CONNECTIVITY, MASK_RULE, check_map, find_defects, refuse_nan
from mvps.metrics.results import F1, Curve, PixelMetrics


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: how often a defective item scores above a normal one, ties half.

    Parameters
    ----------
    scores : (n,) real, higher is more anomalous; infinities lie beyond all finite scores
    labels : (n,) defective where > 0

    Returns
    -------
    float
        0 to 1; NaN where all items are normal or all defective.

    Raises
    ------
    InputError
        NaN among the scores, no items, or another number of labels than of scores.
    """
    return ladder_of(scores, labels).auroc()[0].value


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Sum over thresholds of recall gained times precision; parameters as in `auroc`.

    NaN where all items are normal, 1 where all are defective.
    """
    return ladder_of(scores, labels).ap()[0].value


def f1_max(scores: ArrayLike, labels: ArrayLike) -> F1:
    """Best F1 over all thresholds, and the threshold: defective where score > threshold.

    Parameters as in `auroc`. NaN where all items are normal. Of equal ones the highest threshold.
    """
    return ladder_of(scores, labels).f1()[0]


def exact_curve(scores: ArrayLike, labels: ArrayLike) -> Curve:
    """Every point of the ROC and precision-recall curves; parameters as in `auroc`."""
    return ladder_of(scores, labels).curve()


def aupro(
    maps: Sequence[NDArray[Any]], masks: Sequence[NDArray[Any] | None], limit: float = 0.3
) -> float:
    """Area under the per-region overlap up to a false-positive rate, normalised by that rate.

    Parameters as in `exact_pixel_metrics`. NaN without a region or without a normal pixel.
    """
    return pixel_ladder(maps, masks)[0].aupro(limit)[0].value


def exact_pixel_metrics(
    maps: Sequence[NDArray[Any]], masks: Sequence[NDArray[Any] | None], limit: float = 0.3
) -> PixelMetrics:
    """P-AUROC, P-AP, P-F1 and AUPRO by sorting every pixel; takes some 100 bytes a pixel.

    Parameters
    ----------
    maps : (H, W) each, real; sizes may differ
    masks : (H, W) each, defective where > 0; None for a normal image
    limit : false-positive rate at which AUPRO ends

    Raises
    ------
    InputError
        NaN, a mask of another size than its map, other numbers of maps and masks, no maps.
    """
    ladder, sizes = pixel_ladder(maps, masks)
    return summary(ladder, limit, sizes=sizes, maps=len(maps), method="exact sort")


def summary(
    ladder: Ladder,
    limit: float,
    *,
    sizes: set[tuple[int, int]],
    maps: int,
    method: str,
    passes: int = 1,
) -> PixelMetrics:
    """Every pixel metric of a ladder, with what it was made from."""
    normal, defective = int(ladder.false[-1]), int(ladder.true[-1])
    return PixelMetrics(
        auroc=ladder.auroc()[0],
        ap=ladder.ap()[0],
        f1=ladder.f1()[0],
        aupro=ladder.aupro(limit)[0],
        limit=limit,
        connectivity=CONNECTIVITY,
        mask_rule=MASK_RULE,
        map_sizes=tuple(sorted(sizes)),
        maps=maps,
        pixels=normal + defective,
        defective=defective,
        regions=ladder.regions,
        method=method,
        passes=passes,
    )


def checked(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores (n,) and labels (n,) of items, refused as `auroc` says."""
    values, marks = np.asarray(scores), np.asarray(labels)
    if values.ndim != 1 or values.shape != marks.shape:
        raise InputError(
            "scores", f"scores {values.shape} and labels {marks.shape} are not both (n,)"
        )
    if values.size == 0:
        raise InputError("scores", "there are none", "give at least one item")
    values = values.astype(np.float64)
    refuse_nan(values, "scores")
    return values, marks > 0


def ladder_of(scores: ArrayLike, labels: ArrayLike) -> Ladder:
    """Items grouped by score; see `auroc` for parameters and errors."""
    values, marks = checked(scores, labels)
    return sorted_ladder(values, marks.astype(np.float64), np.zeros(len(values)), 0)


def pixel_ladder(
    maps: Sequence[NDArray[Any]], masks: Sequence[NDArray[Any] | None]
) -> tuple[Ladder, set[tuple[int, int]]]:
    """Pixels of all maps grouped by score, and the maps' sizes; see `exact_pixel_metrics`."""
    check_counts(maps, masks)
    scores, marks, overlaps, sizes, regions = [], [], [], set(), 0
    for number, (found, mask) in enumerate(zip(maps, masks, strict=True)):
        values, where = np.asarray(found), f"map {number}"
        check_map(values, where)
        defects = find_defects(mask, values.shape, where)
        overlap = np.zeros(values.size)
        overlap[defects.at] = 1 / defects.region_pixels
        scores.append(values.astype(np.float64).reshape(-1))
        overlaps.append(overlap)
        marks.append((overlap > 0).astype(np.float64))
        sizes.add((values.shape[0], values.shape[1]))
        regions += defects.regions
    ladder = sorted_ladder(
        np.concatenate(scores), np.concatenate(marks), np.concatenate(overlaps), regions
    )
    return ladder, sizes


def check_counts(maps: Sequence[Any], masks: Sequence[Any]) -> None:
    """Refuse sets without maps, or with another number of masks."""
    if len(maps) == 0 or len(maps) != len(masks):
        raise InputError(
            "maps",
            f"{len(maps)} maps and {len(masks)} masks",
            "give a mask for each map, None for a normal image",
        )


def sorted_ladder(
    scores: NDArray[np.float64],
    defective: NDArray[np.float64],
    overlap: NDArray[np.float64],
    regions: int,
) -> Ladder:
    """Items (n,) sorted and grouped by equal scores."""
    order = np.argsort(scores)[::-1]
    ranked = scores[order]
    starts = np.concatenate([[0], np.flatnonzero(ranked[1:] != ranked[:-1]) + 1])
    counts = np.diff(np.append(starts, len(ranked)))
    marked = np.add.reduceat(defective[order], starts)
    return Ladder(
        lowest=ranked[starts],
        below=thresholds_below(ranked[starts]),
        normal=counts - marked,
        defective=marked,
        overlap=np.add.reduceat(overlap[order], starts),
        mixed=np.zeros(len(starts), np.bool_),
        regions=regions,
    )
