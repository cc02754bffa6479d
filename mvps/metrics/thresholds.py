"""Thresholds for use: an item is NG where its score lies above one.

Intervals of quantiles and false-alarm rates are free of any distribution: order statistics as in
David and Nagaraja, "Order Statistics" (3rd edition, 2003), sections 2.1, 2.2 and 7.1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.errors import InputError
from mvps.metrics.exact import checked, f1_max
from mvps.metrics.results import Threshold


def quantile_threshold(
    normals: ArrayLike, quantile: float = 0.99, confidence: float = 0.95
) -> Threshold:
    """Quantile of the scores of held-out normal items, with its confidence interval.

    The value is the smallest score that at least that share of the items do not exceed. The
    interval runs between two of the scores and holds the quantile of the population with at least
    that confidence; where too few items were held out it reaches to infinity.

    Parameters
    ----------
    normals : (n,) scores that chose nothing else: not those of training
    quantile, confidence : in (0, 1)

    Raises
    ------
    InputError
        NaN, no scores, a share outside (0, 1).
    """
    ranked = _ranked(normals)
    _refuse_share(quantile, "quantile")
    _refuse_share(confidence, "confidence")
    n, tail = len(ranked), (1 - confidence) / 2
    # P(X_(k) <= quantile) is P(B >= k), with B the number of scores at or below the quantile.
    at_most = np.minimum(np.cumsum(_binomial(n, quantile)), 1)
    lower = int(np.searchsorted(at_most, tail, side="right"))
    upper = int(np.searchsorted(at_most, 1 - tail, side="left")) + 1
    return Threshold(
        value=float(ranked[_rank(n * quantile) - 1]),
        rule=f"quantile {quantile:g} of held-out normal items",
        normal=n,
        quantity="quantile",
        low=float(ranked[lower - 1]) if lower >= 1 else -math.inf,
        high=float(ranked[upper - 1]) if upper <= n else math.inf,
        confidence=confidence,
    )


def false_alarm_threshold(
    normals: ArrayLike, rate: float = 0.01, confidence: float = 0.95
) -> Threshold:
    """The lowest threshold that a new normal item exceeds with a probability of at most `rate`.

    That is the score of rank ceil((n + 1) (1 - rate)) (Vovk et al., split conformal prediction):
    the promise is over the choice of the held-out items too. The interval is that of the rate that
    these items give, for scores without ties; ties only lower it.

    Raises
    ------
    InputError
        As `quantile_threshold`; fewer than 1 / rate - 1 items.
    """
    ranked = _ranked(normals)
    _refuse_share(rate, "rate")
    _refuse_share(confidence, "confidence")
    n = len(ranked)
    rank = _rank((n + 1) * (1 - rate))
    if rank > n:
        raise InputError(
            "rate",
            f"{n} normal items cannot promise a false-alarm rate of {rate:g}",
            f"hold out at least {_rank(1 / rate) - 1}, or allow a higher rate",
        )
    tail = (1 - confidence) / 2
    return Threshold(
        value=float(ranked[rank - 1]),
        rule=f"false-alarm rate at most {rate:g}",
        normal=n,
        quantity="false-alarm rate",
        low=_rate_at(tail, n, rank),
        high=_rate_at(1 - tail, n, rank),
        confidence=confidence,
    )


def f1_threshold(scores: ArrayLike, labels: ArrayLike) -> Threshold:
    """The threshold of the best F1; it needs defective items, and flatters those it was chosen on.

    Raises
    ------
    InputError
        As `f1_max`; no defective item.
    """
    _, marks = checked(scores, labels)
    if not marks.any():
        raise InputError("labels", "no item is defective", "take a quantile of the normal items")
    return Threshold(
        value=f1_max(scores, labels).threshold,
        rule="best F1",
        normal=int((~marks).sum()),
        defective=int(marks.sum()),
    )


def _ranked(normals: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(normals)
    return np.sort(checked(scores, np.zeros(scores.shape))[0])


def _refuse_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise InputError(name, f"{value} is not between 0 and 1", "give a share")


def _rank(real: float) -> int:
    """Rounded up, except for what rounding of the product added: 100 * 0.99 is rank 99."""
    return max(1, math.ceil(real - 1e-9))


def _binomial(n: int, share: float) -> NDArray[np.float64]:
    """Probability of 0 to n successes in n trials (n + 1,)."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    choices = logs[n] - logs - logs[::-1]
    weights: NDArray[np.float64] = choices + k * math.log(share) + (n - k) * math.log1p(-share)
    return np.exp(weights)


def _rate_at(probability: float, n: int, rank: int) -> float:
    """Quantile of the rate above the score of a rank, which is Beta(n - rank + 1, rank)."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        # P(Beta(a, b) <= x) = P(Binomial(a + b - 1, x) >= a)
        if _binomial(n, middle)[n - rank + 1 :].sum() < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2
