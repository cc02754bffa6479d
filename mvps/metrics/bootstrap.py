"""Percentile intervals by resampling whole samples (Efron and Tibshirani, 1993, chapter 13)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.errors import InputError
from mvps.metrics.exact import checked
from mvps.metrics.images import sample_scores
from mvps.metrics.results import Interval


def bootstrap(
    metric: Callable[[NDArray[np.float64], NDArray[np.bool_]], float],
    scores: ArrayLike,
    labels: ArrayLike,
    samples: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Confidence interval of a metric of views, drawn sample by sample.

    Views of a sample stay together, for they are not independent; normal and defective samples are
    drawn apart, so that both are always there.

    Parameters
    ----------
    metric : of scores (n,) and labels (n,), for instance `auroc`
    scores, labels : (n,) of the views
    samples : (n,) names of their samples; None: each view is its own

    Raises
    ------
    InputError
        As `image_metrics`; a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise InputError("confidence", f"{confidence} is no probability", "give 0.95, say")
    values, marks = checked(scores, labels)
    names = [str(item) for item in range(len(values))] if samples is None else samples
    order, _, defective = sample_scores(values, marks, names)
    members = [np.flatnonzero(np.asarray(names, np.str_) == name) for name in order]
    groups = [np.flatnonzero(defective), np.flatnonzero(~defective)]
    rng = np.random.default_rng(seed)
    found = np.empty(resamples)
    for turn in range(resamples):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups if len(group)])
        views = np.concatenate([members[sample] for sample in drawn])
        found[turn] = metric(values[views], marks[views])
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(metric(values, marks), float(low), float(high), confidence, resamples, seed)
