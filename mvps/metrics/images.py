"""One score an image: metrics over views, view by view, and over samples seen in several views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.errors import InputError
from mvps.metrics.exact import checked, ladder_of
from mvps.metrics.results import ImageMetrics


def image_metrics(scores: ArrayLike, labels: ArrayLike, unit: str = "view") -> ImageMetrics:
    """I-AUROC, I-AP and I-F1, exact.

    Parameters
    ----------
    scores : (n,) real, higher is more anomalous
    labels : (n,) defective where > 0
    unit : what an item is, for the record

    Raises
    ------
    InputError
        NaN among the scores, no items, or another number of labels than of scores.
    """
    ladder = ladder_of(scores, labels)
    return ImageMetrics(
        unit=unit,
        normal=int(ladder.false[-1]),
        defective=int(ladder.true[-1]),
        auroc=ladder.auroc()[0].value,
        ap=ladder.ap()[0].value,
        f1=ladder.f1()[0],
    )


def by_view(scores: ArrayLike, labels: ArrayLike, views: Sequence[str]) -> dict[str, ImageMetrics]:
    """`image_metrics` of each view alone, in the order of their names; `views` (n,) names them."""
    values, marks = checked(scores, labels)
    names = _names(views, len(values), "views")
    return {
        str(name): image_metrics(values[names == name], marks[names == name])
        for name in np.unique(names)
    }


def by_sample(scores: ArrayLike, labels: ArrayLike, samples: Sequence[str]) -> ImageMetrics:
    """`image_metrics` over samples: see `sample_scores`."""
    _, values, marks = sample_scores(scores, labels, samples)
    return image_metrics(values, marks, unit="sample")


def sample_scores(
    scores: ArrayLike, labels: ArrayLike, samples: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.bool_]]:
    """The highest score of each sample's views; a sample is defective where one of its views is.

    Parameters
    ----------
    scores, labels : (n,) of the views, as for `image_metrics`
    samples : (n,) name of the sample that each view shows

    Returns
    -------
    tuple
        Names, scores (m,) float64 and labels (m,) bool, in the order of the names.

    Raises
    ------
    InputError
        As `image_metrics`, or another number of names.
    """
    values, marks = checked(scores, labels)
    names, which = np.unique(_names(samples, len(values), "samples"), return_inverse=True)
    highest = np.full(len(names), -np.inf)
    np.maximum.at(highest, which, values)
    return tuple(map(str, names)), highest, np.bincount(which, marks) > 0


def _names(names: Sequence[str], count: int, where: str) -> NDArray[np.str_]:
    if len(names) != count:
        raise InputError(where, f"{len(names)} names for {count} scores", "give one each")
    return np.asarray(names, np.str_)
