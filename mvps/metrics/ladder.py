"""Scores grouped from the highest down, and every area under a curve that follows from the groups.

A group is one score with all its ties (exact) or one bin of a histogram. Of a bin the order inside
is unknown; what any order could give bounds the error, bin by bin (docs/metrics.md derives it).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.metrics.results import F1, Bounded, Curve

# What rounding of the sums may add to a bound that order alone gives.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Ladder:
    """Groups of scores, highest first.

    Parameters
    ----------
    lowest : (n,) float64, a score that all of the group reach and none of the next does
    below : (n,) float64, a threshold under this group and not under the next one
    normal, defective : (n,) float64, items of the group
    overlap : (n,) float64, sum of 1 / (pixels of its region) over the defective ones
    mixed : (n,) bool, the group may hold different scores
    regions : number of regions, 0 where there are none to speak of
    """

    lowest: NDArray[np.float64]
    below: NDArray[np.float64]
    normal: NDArray[np.float64]
    defective: NDArray[np.float64]
    overlap: NDArray[np.float64]
    mixed: NDArray[np.bool_]
    regions: int

    @cached_property
    def false(self) -> NDArray[np.float64]:
        """(n + 1,) normal items down to each group, from 0."""
        return _running(self.normal)

    @cached_property
    def true(self) -> NDArray[np.float64]:
        """(n + 1,) defective items down to each group, from 0."""
        return _running(self.defective)

    def auroc(self) -> tuple[Bounded, NDArray[np.float64]]:
        """Area under the ROC curve, and what each group adds to its bound (n,)."""
        area = self.false[-1] * self.true[-1]
        if area == 0:
            return _undefined(len(self.normal))
        heights = self.true[:-1] + self.true[1:]
        value = float((self.normal * heights).sum() / (2 * area))
        slack = np.where(self.mixed, self.normal * self.defective / (2 * area), 0)
        return _bounded(value, slack)

    def ap(self) -> tuple[Bounded, NDArray[np.float64]]:
        """Average precision: sum of recall gained times precision, and its bound by group (n,)."""
        if self.true[-1] == 0:
            return _undefined(len(self.normal))
        t0, t1, f0, f1 = self.true[:-1], self.true[1:], self.false[:-1], self.false[1:]
        n = self.defective
        tied = n * (t1 / np.maximum(t1 + f1, 1))
        best = n * (t1 / np.maximum(t1 + f0, 1))
        # Normal ones first: the sum of (t0+i)/(t0+i+f1) for i to n, where the sum of 1/(t0+i+f1) is
        # at most its integral from 1/2 to n + 1/2.
        worst = np.where(n > 1, n - f1 * np.log1p(n / (t0 + f1 + 0.5)), tied)
        # Spread evenly: the mean of the precision at the first and at the last one.
        share = self.normal / (n + 1)
        first = (t0 + 1) / (t0 + 1 + f0 + share)
        last = t1 / np.maximum(t1 + f0 + n * share, 1)
        mixed = np.clip(n * (first + last) / 2, worst, best)
        parts = np.where(self.mixed, mixed, tied)
        slack = np.where(self.mixed, np.maximum(best - parts, parts - worst), 0)
        return _bounded(float(parts.sum() / self.true[-1]), slack / self.true[-1])

    def aupro(self, limit: float) -> tuple[Bounded, NDArray[np.float64]]:
        """Area under the PRO curve up to `limit`, over `limit`, and its bound by group (n,)."""
        if not 0 < limit <= 1:
            raise InputError("limit", f"{limit} is no false-positive rate", "give 0 < limit <= 1")
        if self.regions == 0 or self.false[-1] == 0:
            return _undefined(len(self.normal))
        rate = self.false / self.false[-1]
        height = _running(self.overlap) / self.regions
        left, right = np.minimum(rate[:-1], limit), np.minimum(rate[1:], limit)
        width, rise = right - left, np.diff(height)
        with np.errstate(invalid="ignore"):
            part = np.where(self.normal > 0, width * self.false[-1] / self.normal, 0)
        value = float((width * (height[:-1] + rise * part / 2)).sum() / limit)
        # Cut at the limit, a bin's area lies between width times its lower and its upper height.
        slack = np.where(self.mixed, width * rise * np.maximum(part / 2, 1 - part / 2), 0)
        return _bounded(value, slack / limit)

    def f1(self) -> tuple[F1, NDArray[np.float64]]:
        """Best F1 over thresholds between groups, and by how much each group might beat it (n,)."""
        defective = self.true[-1]
        if defective == 0:
            return F1(np.nan, np.nan, np.nan), np.zeros(len(self.normal))
        scores = 2 * self.true[1:] / (self.true[1:] + self.false[1:] + defective)
        at = int(np.argmax(scores))
        value = float(scores[at])
        best = 2 * self.true[1:] / (self.true[1:] + self.false[:-1] + defective)
        slack = np.where(self.mixed, np.maximum(best - value, 0), 0)
        return F1(value, float(self.below[at]), float(slack.max(initial=0))), slack

    def curve(self) -> Curve:
        """Every point of the curves."""
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = self.true / (self.true + self.false)
            precision[0] = 1
            return Curve(
                threshold=np.concatenate([[np.inf], self.lowest]),
                false_positive_rate=self.false / self.false[-1],
                recall=self.true / self.true[-1],
                overlap=_running(self.overlap) / np.float64(self.regions),
                precision=precision,
            )


def thresholds_below(lowest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds between descending scores (n,): midway, or the next score where that fails.

    Midway fails between neighbouring floats and beside infinities. Below the last score there is
    the next smaller float32, or -inf.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        down = np.nextafter(lowest[-1:].astype(np.float32), np.float32(-np.inf))
        following = np.concatenate([lowest[1:], np.minimum(down, lowest[-1:])])
        middle = lowest / 2 + following / 2
    return np.where((following < middle) & (middle < lowest), middle, following)


def _running(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(parts, dtype=np.float64)])


def _bounded(value: float, slack: NDArray[np.float64]) -> tuple[Bounded, NDArray[np.float64]]:
    bound = float(slack.sum())
    return Bounded(value, bound + ROUNDING if bound else 0.0), slack


def _undefined(groups: int) -> tuple[Bounded, NDArray[np.float64]]:
    return Bounded(np.nan, np.nan), np.zeros(groups)
