"""Pixel metrics in one pass and little memory: counts by bin, with a bound on their error.

Beside the counts of all and of defective pixels, a bin sums 1 / (pixels of the region) over its
defective pixels: over the number of regions that is the mean overlap, so no region is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.metrics.bins import PREFIXES, Bins
from mvps.metrics.exact import check_counts, exact_pixel_metrics, summary
from mvps.metrics.ladder import Ladder
from mvps.metrics.regions import check_map, find_defects
from mvps.metrics.results import Curve, PixelMetrics

TOLERANCE = 1e-5
# Sets that are sorted instead of refined: some 25 MB.
SORTED_PIXELS = 1 << 18
_VERSION = 1


def pixel_metrics(
    maps: Sequence[NDArray[Any]],
    masks: Sequence[NDArray[Any] | None],
    limit: float = 0.3,
    tolerance: float = TOLERANCE,
) -> PixelMetrics:
    """P-AUROC, P-AP, P-F1 and AUPRO from histograms, each with its error bound.

    One pass counts. Where the bound of AUROC, AP or AUPRO is above `tolerance`, a second one counts
    in bins that resolve what the bound comes from, down to single floats where scores bunch; a set
    of at most SORTED_PIXELS pixels is sorted instead. A bound that stays above `tolerance` is in
    the result. Memory does not grow with the number of maps.

    Parameters
    ----------
    maps : (H, W) each, real, higher is more anomalous; compared as float32; sizes may differ. Read
        one by one, once a pass: a sequence may decode them at use
    masks : (H, W) each, defective where > 0; None for a normal image
    limit : false-positive rate at which AUPRO ends
    tolerance : bound to reach; inf for one pass whatever it gives

    Raises
    ------
    InputError
        NaN, a mask of another size than its map, other numbers of maps and masks, no maps.
    """
    check_counts(maps, masks)
    histogram = _counted(PixelHistogram(), maps, masks)
    found = histogram.metrics(limit)
    if found.bound <= tolerance:
        return found
    if found.pixels <= SORTED_PIXELS:
        return replace(exact_pixel_metrics(maps, masks, limit), passes=2)
    histogram = histogram.refined(limit, tolerance)  # the coarse one is gone, with its memory
    return _counted(histogram, maps, masks).metrics(limit, passes=2)


def _counted(
    histogram: PixelHistogram,
    maps: Sequence[NDArray[Any]],
    masks: Sequence[NDArray[Any] | None],
) -> PixelHistogram:
    for number in range(len(maps)):
        histogram.add(maps[number], masks[number], f"map {number}")
    return histogram


class PixelHistogram:
    """Counts of the pixels of anomaly maps, to which maps are added one by one.

    Merges over processes: fill one in each, send `to_arrays()`, `from_arrays` and `merge`.

    Parameters
    ----------
    bins : how scores are binned; by 18 bits by default, `refined` makes others
    """

    def __init__(self, bins: Bins | None = None) -> None:
        self.bins = Bins() if bins is None else bins
        self._all = np.zeros(self.bins.total, np.int64)
        self._defective = np.zeros(self.bins.total, np.int64)
        self._overlap = np.zeros(self.bins.total, np.float64)
        self._sizes: set[tuple[int, int]] = set()
        self._maps = 0
        self._regions = 0

    def add(
        self, scores: NDArray[Any], mask: NDArray[Any] | None = None, where: str = "map"
    ) -> None:
        """Count a map (H, W) and its mask; None for a normal image.

        Raises
        ------
        InputError
            As `pixel_metrics`; nothing was counted then.
        """
        scores = np.asarray(scores)
        check_map(scores, where)
        defects = find_defects(mask, scores.shape, where)
        flat = np.ascontiguousarray(scores, np.float32).reshape(-1)
        self.bins.count(flat, self._all)
        if defects.regions:
            found = self.bins.find(flat[defects.at])
            first = int(found.min())
            found -= first
            part = np.bincount(found)
            self._defective[first : first + len(part)] += part
            self._overlap[first : first + len(part)] += np.bincount(
                found, 1 / defects.region_pixels
            )
        self._sizes.add((scores.shape[0], scores.shape[1]))
        self._maps += 1
        self._regions += defects.regions

    def merge(self, other: PixelHistogram) -> None:
        """Add what another one counted; counts add exactly, overlaps to float64 rounding.

        Raises
        ------
        InputError
            The bins of the two differ.
        """
        if not self.bins.same(other.bins):
            raise _other_bins()
        self._all += other._all
        self._defective += other._defective
        self._overlap += other._overlap
        self._sizes |= other._sizes
        self._maps += other._maps
        self._regions += other._regions

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything counted, as plain arrays that numpy.savez takes; empty bins are left out."""
        used = np.flatnonzero(self._all)
        bits = np.zeros(0, np.uint8) if self.bins.bits is None else self.bins.bits
        resolved = np.flatnonzero(bits)
        return {
            "version": np.array(_VERSION),
            "resolved": resolved.astype(np.int32),
            "bits": bits[resolved],
            "bins": used.astype(np.int32),
            "all": self._all[used],
            "defective": self._defective[used],
            "overlap": self._overlap[used],
            "sizes": np.array(sorted(self._sizes), np.int64).reshape(-1, 2),
            "maps": np.array(self._maps),
            "regions": np.array(self._regions),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> PixelHistogram:
        """The histogram that `to_arrays` wrote.

        Raises
        ------
        InputError
            Written by another version.
        """
        bits = None
        if len(arrays["resolved"]):
            bits = np.zeros(PREFIXES, np.uint8)
            bits[arrays["resolved"]] = arrays["bits"]
        made = cls(Bins(bits))
        made.merge_arrays(arrays)
        return made

    def merge_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Merge what `to_arrays` of a histogram with the same bins wrote, without making it anew.

        Raises
        ------
        InputError
            Written by another version, or with other bins.
        """
        if int(arrays["version"]) != _VERSION:
            raise InputError(
                "histogram", f"version {int(arrays['version'])} is not known", "count the maps anew"
            )
        bits = np.zeros(0, np.uint8) if self.bins.bits is None else self.bins.bits
        resolved = np.flatnonzero(bits)
        if not (
            np.array_equal(arrays["resolved"], resolved)
            and np.array_equal(arrays["bits"], bits[resolved])
        ):
            raise _other_bins()
        used = arrays["bins"]
        self._all[used] += arrays["all"]
        self._defective[used] += arrays["defective"]
        self._overlap[used] += arrays["overlap"]
        self._sizes |= {(int(height), int(width)) for height, width in arrays["sizes"]}
        self._maps += int(arrays["maps"])
        self._regions += int(arrays["regions"])

    def metrics(self, limit: float = 0.3, passes: int = 1) -> PixelMetrics:
        """Every pixel metric of what was counted, with bounds.

        Raises
        ------
        InputError
            Nothing was counted, or `limit` is not in (0, 1].
        """
        ladder = self._ladder()
        method = f"histogram, {len(ladder.normal)} bins"
        return summary(
            ladder, limit, sizes=self._sizes, maps=self._maps, method=method, passes=passes
        )

    def curve(self) -> Curve:
        """Points of the ROC, PRO and precision-recall curves, one a bin."""
        return self._ladder().curve()

    def refined(self, limit: float = 0.3, tolerance: float = TOLERANCE) -> PixelHistogram:
        """An empty histogram whose bins should keep the same maps within `tolerance`."""
        ladder = self._ladder()
        slack = np.maximum(ladder.auroc()[1], ladder.ap()[1])
        slack = np.maximum(slack, ladder.aupro(limit)[1])
        return PixelHistogram(self.bins.refined(self._used(), slack, tolerance / 4))

    def _used(self) -> NDArray[np.intp]:
        """Bins in use, highest first."""
        return np.flatnonzero(self._all)[::-1]

    def _ladder(self) -> Ladder:
        used = self._used()
        if len(used) == 0:
            raise InputError("histogram", "no map was counted", "add the maps first")
        lowest = self.bins.lowest(used)
        defective = self._defective[used]
        return Ladder(
            lowest=lowest.astype(np.float64),
            below=np.nextafter(lowest, np.float32(-np.inf)).astype(np.float64),
            normal=(self._all[used] - defective).astype(np.float64),
            defective=defective.astype(np.float64),
            overlap=self._overlap[used],
            mixed=self.bins.mixed(used),
            regions=self._regions,
        )


def _other_bins() -> InputError:
    return InputError(
        "histogram",
        "its bins are not those of the one that it is merged into",
        "refine both alike, or neither",
    )
