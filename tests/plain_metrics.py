"""Metrics by their definitions, one threshold at a time, in rational numbers: the tests' truth."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np


def regions_of(mask):
    """Sets of 8-connected pixels by flood fill."""
    left = {(int(y), int(x)) for y, x in np.argwhere(np.asarray(mask) > 0)}
    found = []
    while left:
        waiting = [left.pop()]
        region = set(waiting)
        while waiting:
            y, x = waiting.pop()
            for near in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    region.add(near)
                    waiting.append(near)
        found.append(region)
    return found


def aupro(maps, masks, limit):
    """Area under mean overlap over false-positive rate up to `limit` (a Fraction), over it."""
    regions = [(i, region) for i, mask in enumerate(masks) for region in regions_of(mask)]
    normal = [
        m[y, x]
        for m, k in zip(maps, masks, strict=True)
        for y, x in np.argwhere(np.asarray(k) <= 0)
    ]
    points = [(Fraction(0), Fraction(0))]
    for threshold in sorted({float(v) for m in maps for v in m.flat}, reverse=True):
        rate = Fraction(sum(bool(v >= threshold) for v in normal), len(normal))
        overlaps = [
            Fraction(sum(bool(maps[i][p] >= threshold) for p in region), len(region))
            for i, region in regions
        ]
        points.append((rate, sum(overlaps, Fraction(0)) / len(regions)))
    area = Fraction(0)
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < limit:
            end = min(x1, limit)
            at_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0) if x1 > x0 else y1
            area += (end - x0) * (y0 + at_end) / 2
    return area / limit


def auroc(scores, labels):
    """How often a defective item beats a normal one, ties half."""
    pairs = [(d, n) for d in scores[labels] for n in scores[~labels]]
    wins = sum(Fraction(int(d > n)) + Fraction(int(d == n), 2) for d, n in pairs)
    return wins / len(pairs)


def average_precision(scores, labels):
    """Recall gained times precision, over the distinct scores from the highest."""
    total, before, area = int(labels.sum()), 0, Fraction(0)
    for threshold in sorted(set(scores.tolist()), reverse=True):
        flagged = scores >= threshold
        true = int((flagged & labels).sum())
        area += Fraction(true - before, total) * Fraction(true, int(flagged.sum()))
        before = true
    return area


def best_f1(scores, labels):
    """The highest F1 over the distinct scores."""
    found = []
    for threshold in set(scores.tolist()):
        flagged = scores >= threshold
        true = int((flagged & labels).sum())
        found.append(Fraction(2 * true, int(flagged.sum()) + int(labels.sum())))
    return max(found)
