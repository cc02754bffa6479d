"""What the metrics answer: frozen dataclasses that say what was counted, how, and how surely.

Every metric is a fraction, 0 to 1; NaN where it is undefined (docs/metrics.md lists where).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Bounded:
    """A value, and how far the exact one can lie from it.

    Parameters
    ----------
    value : fraction, NaN where undefined
    bound : largest possible distance to the exact value of the same float32 scores; 0 for an exact
        one
    """

    value: float
    bound: float = 0.0


@dataclass(frozen=True)
class F1:
    """The best F1 score over all thresholds.

    Parameters
    ----------
    value : fraction, NaN without a defective item
    threshold : a score above it is called defective; this gives `value`
    bound : how much more the exact best F1 can be
    """

    value: float
    threshold: float
    bound: float = 0.0


@dataclass(frozen=True)
class ImageMetrics:
    """How well one score an item separates defective items from normal ones.

    Parameters
    ----------
    unit : what an item is: "view" (one image) or "sample" (all views of a part)
    normal, defective : number of items
    auroc, ap : area under the ROC curve, average precision
    f1 : best F1 score and its threshold
    """

    unit: str
    normal: int
    defective: int
    auroc: float
    ap: float
    f1: F1


@dataclass(frozen=True)
class PixelMetrics:
    """How well anomaly maps find defective pixels and regions.

    Parameters
    ----------
    auroc, ap, f1 : over all pixels of all maps together
    aupro : mean overlap of regions over false-positive rates 0 to `limit`, divided by `limit`
    limit : false-positive rate up to which AUPRO is integrated
    connectivity : neighbours by which defective pixels form regions
    mask_rule : which pixels of a mask are defective
    map_sizes : distinct (height, width) of the maps, in px
    maps, pixels, defective, regions : counts; `defective` in pixels
    method : "exact sort" or "histogram, <bins in use> bins"
    passes : how often the maps were read
    unit : what is counted
    """

    auroc: Bounded
    ap: Bounded
    f1: F1
    aupro: Bounded
    limit: float
    connectivity: int
    mask_rule: str
    map_sizes: tuple[tuple[int, int], ...]
    maps: int
    pixels: int
    defective: int
    regions: int
    method: str
    passes: int = 1
    unit: str = "pixel"

    @property
    def bound(self) -> float:
        """Largest bound of the areas AUROC, AP and AUPRO that are defined, 0 without one."""
        bounds = (self.auroc.bound, self.ap.bound, self.aupro.bound)
        return max((bound for bound in bounds if np.isfinite(bound)), default=0.0)


@dataclass(frozen=True)
class Curve:
    """Points of the ROC, PRO and precision-recall curves, from the highest score down.

    Parameters
    ----------
    threshold : (n,) float64, lowest score that a point calls defective; the first point, at +inf,
        calls nothing so
    false_positive_rate, recall, overlap, precision : (n,) float64; overlap is the mean over
        regions (AUPRO's ordinate); NaN where undefined
    """

    threshold: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]
    recall: NDArray[np.float64]
    overlap: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """A score above which an item is NG, and how sure that is.

    Parameters
    ----------
    value : NG where score > value
    rule : how it was chosen, in words
    normal, defective : items that it was chosen from
    quantity : what the interval is of: "quantile" (a score) or "false-alarm rate"; "" without one
    low, high : confidence interval of that quantity; a quantile's may reach to infinity
    confidence : at least with this probability the interval holds the truth; 0 without one
    """

    value: float
    rule: str
    normal: int
    defective: int = 0
    quantity: str = ""
    low: float = float("nan")
    high: float = float("nan")
    confidence: float = 0.0


@dataclass(frozen=True)
class Interval:
    """A bootstrap percentile interval.

    Parameters
    ----------
    value : metric of the whole set
    low, high : interval
    confidence : nominal coverage
    resamples, seed : how it was drawn
    """

    value: float
    low: float
    high: float
    confidence: float
    resamples: int
    seed: int
